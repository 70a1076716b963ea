// One allocation, handed out front to back, taken back all at once. Its size comes from rehearsal: run the work once
// with a dry stream and a measuring arena, then allocate the peak.
#pragma once
#include <algorithm>

#include "kernels/device.h"

namespace star {

class Arena {
public:
    /// Owns `bytes` on the device.
    Arena(Device device, std::int64_t bytes) : memory_(device, bytes), capacity_(bytes) {}
    /// Hands out null and only counts: see peak().
    static Arena measuring() { return Arena(); }

    /// 256-byte aligned, uninitialised. Throws Error when full.
    template <class T>
    View<T> take(Shape shape) {
        const std::int64_t at = used_;
        require(shape.size() >= 0 && shape.size() < (std::int64_t{1} << 46), "arena: ", shape.size(),
                " elements wanted");
        used_ += (shape.size() * std::int64_t{sizeof(T)} + 255) / 256 * 256;
        require(used_ <= capacity_, "arena: ", used_, " bytes wanted, ", capacity_, " reserved");
        peak_ = std::max(peak_, used_);
        return {memory_.data() ? reinterpret_cast<T*>(memory_.data() + at) : nullptr, shape};
    }
    template <class T>
    View<T> take(std::int64_t count) {  // a plain array; its extents don't matter
        require(count >= 0 && count <= std::int64_t{1} << 40, "arena: ", count, " elements wanted");
        constexpr std::int64_t row = 1 << 20;
        if (count < row) return take<T>(Shape{1, 1, 1, int(count)});
        return take<T>(Shape{1, 1, int(ceil_div(count, row)), int(row)});
    }

    std::int64_t mark() const { return used_; }
    void release(std::int64_t mark) { used_ = mark; }  ///< Takes back everything handed out since.
    std::int64_t peak() const { return peak_; }
    std::int64_t capacity() const { return capacity_; }  ///< INT64_MAX when measuring

    /// Takes back, at the end of a scope, what was taken in it.
    class Scope {
    public:
        explicit Scope(Arena& arena) : arena_(arena), mark_(arena.mark()) {}
        ~Scope() { arena_.release(mark_); }
        Scope(const Scope&) = delete;
        Scope& operator=(const Scope&) = delete;

    private:
        Arena& arena_;
        std::int64_t mark_;
    };

private:
    Arena() = default;
    Buffer<std::byte> memory_;
    std::int64_t capacity_ = INT64_MAX, used_ = 0, peak_ = 0;
};

}  // namespace star
