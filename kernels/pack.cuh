// A few neighbours at a time: kernels move 16 bytes per load and store where every address allows it, else one element.
#pragma once
#include <cstdint>

#include "kernels/simt.h"

namespace star {

/// n elements of T that are moved as one; p below must be a multiple of its size.
template <class T, int n>
struct alignas(n * sizeof(T)) Pack {
    T x[n];
};

template <int n, class T>
__device__ Pack<T, n> load_pack(const T* p) {
    return *reinterpret_cast<const Pack<T, n>*>(p);
}

template <int n, class T>
__device__ void store_pack(T* p, const Pack<T, n>& v) {
    *reinterpret_cast<Pack<T, n>*>(p) = v;
}

/// Whether all of them can be read 16 bytes at a time (null can: it isn't read).
template <class... P>
bool aligned(P*... p) {
    return ((reinterpret_cast<std::uintptr_t>(p) % 16 == 0) && ...);
}

template <int n>
struct PackSize {
    static constexpr int value = n;
};

/// Calls f(PackSize<16 bytes of T>) if whole, else f(PackSize<1>): for launchers.
template <class T, class F>
void with_packs(bool whole, F f) {
    if (whole)
        f(PackSize<16 / int(sizeof(T))>{});
    else
        f(PackSize<1>{});
}

/// Blocks of a launch along x; Error if there are more than a launch can have.
inline unsigned block_count(std::int64_t blocks, std::source_location where = std::source_location::current()) {
    require({blocks >= 0 && blocks < std::int64_t{1} << 31, where}, blocks, " blocks wanted");
    return unsigned(blocks);
}

/// Whether a pixel's channels are whole packs of 16 bytes.
template <class T>
bool whole_packs(int channels) {
    return channels % (16 / int(sizeof(T))) == 0;
}

/// A block per row of a map, whose threads count its elements in 32 bits; Error naming `what` for rows too long.
inline Grid grid_over_rows(Shape s, unsigned threads, const char* what) {
    require(std::int64_t{s.w} * s.c < std::int64_t{1} << 30, what, ": rows of ", s.w, " pixels of ", s.c);
    return {{block_count(std::int64_t{s.n} * s.h)}, threads};
}

}  // namespace star
