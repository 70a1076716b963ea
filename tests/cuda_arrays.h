// The arrays of the CPU's tests, on the GPU.
#pragma once
#include "kernels/arena.h"
#include "tests/cuda_support.h"
#include "tests/reference/array.h"

namespace star::test {

using reference::Array;

/// An array on the device between canaries: NaN, or a copy of one of the CPU's.
template <class T>
class OnGpu {
public:
    OnGpu(Stream stream, Shape shape) : memory_(stream, shape), stream_(stream), shape_(shape) {}
    OnGpu(Stream stream, const Array<T>& values) : OnGpu(stream, values.shape()) { put(values); }
    void put(const Array<T>& values) const {
        copy_to_device(stream_, memory_.data(), values.data(), std::size_t(values.size()) * sizeof(T));
        synchronize(stream_);
    }
    T* data() const { return memory_.data(); }
    View<T> view() const { return {memory_.data(), shape_}; }
    View<const T> read() const { return {memory_.data(), shape_}; }
    /// What is there now. Fails the test if something was written outside.
    Array<T> get() const {
        CHECK(memory_.intact());
        return Array<T>(shape_, memory_.values());
    }

private:
    Output<T> memory_;
    Stream stream_;
    Shape shape_;
};

/// How many elements differ in their bits; where both are NaN they are equal, whatever its bits.
template <class T>
int differing(const Array<T>& a, const Array<T>& b) {
    if (a.shape() != b.shape()) return -1;
    int bad = 0;
    for (std::int64_t i = 0; i < a.size(); ++i) {
        if constexpr (std::is_same_v<T, float> || std::is_same_v<T, bf16>)
            if (std::isnan(widen(a[i])) && std::isnan(widen(b[i]))) continue;
        bad += std::memcmp(&a[i], &b[i], sizeof(T)) != 0;
    }
    return bad;
}

/// The CPU's path and the GPU's, side by side. Scratch memory on both starts as NaN or nonsense.
struct Both {
    reference::Desk cpu{1, 1 << 20};
    Queue gpu;
    Arena scratch{test::gpu, 1 << 20};
};

}  // namespace star::test
