// Nearest upsampling plus the lateral connection on the CPU, and its gradient.
#include "kernels/upsample_add.h"

#include <algorithm>

#include "kernels/dispatch.h"

namespace star {
namespace {

constexpr int strip = 64;  // channels at a time: their sums stay in registers and the first cache

constexpr int coarse_of(int fine, int coarse_extent, int fine_extent) {
    return int(std::int64_t{fine} * coarse_extent / fine_extent);
}

// The first fine position that falls on coarse position k: the least h with h * coarse_extent >= k * fine_extent.
constexpr int first_of(int k, int coarse_extent, int fine_extent) {
    return int(ceil_div(std::int64_t{k} * fine_extent, std::int64_t{coarse_extent}));
}

void check(Shape coarse, Shape fine) {
    require(coarse.n == fine.n && coarse.c == fine.c && coarse.h >= 1 && coarse.w >= 1 && coarse.h <= fine.h &&
                coarse.w <= fine.w,
            "upsample_add: shapes disagree");
}

}  // namespace

namespace cpu {

template <class T>
void upsample_add(Stream stream, View<const T> coarse, View<const T> lateral, View<T> y) {
    const Shape s = coarse.shape, t = y.shape;
    stream.pool->for_each(std::int64_t{t.n} * t.h, [&](std::int64_t row, int) {
        const std::int64_t from_row = row / t.h * s.h + coarse_of(int(row % t.h), s.h, t.h);
        for (int w = 0; w < t.w; ++w) {
            const T* const from = coarse.data + (from_row * s.w + coarse_of(w, s.w, t.w)) * s.c;
            const std::int64_t at = (row * t.w + w) * t.c;
#pragma GCC ivdep
            for (int c = 0; c < t.c; ++c) y.data[at + c] = narrow<T>(widen(lateral.data[at + c]) + widen(from[c]));
        }
    });
}

template <class T>
void upsample_add_backward(Stream stream, View<const T> dy, View<T> dcoarse) {
    const Shape s = dcoarse.shape, t = dy.shape;
    stream.pool->for_each(std::int64_t{s.n} * s.h, [&](std::int64_t row, int) {
        const std::int64_t image = row / s.h * t.h;
        const int i = int(row % s.h);
        for (int j = 0; j < s.w; ++j)
            for (int c = 0; c < s.c; c += strip) {
                const int channels = std::min(strip, s.c - c);
                float sum[strip] = {};
                for (int h = first_of(i, s.h, t.h); h < first_of(i + 1, s.h, t.h); ++h)
                    for (int w = first_of(j, s.w, t.w); w < first_of(j + 1, s.w, t.w); ++w) {
                        const T* const from = dy.data + ((image + h) * t.w + w) * t.c + c;
                        for (int k = 0; k < channels; ++k) sum[k] += widen(from[k]);
                    }
                T* const to = dcoarse.data + (row * s.w + j) * s.c + c;
                for (int k = 0; k < channels; ++k) to[k] = narrow<T>(sum[k]);
            }
    });
}

}  // namespace cpu

template <class T>
void upsample_add(Stream stream, View<const T> coarse, View<const T> lateral, View<T> y) {
    check(coarse.shape, y.shape);
    require(lateral.shape == y.shape, "upsample_add: shapes disagree");
    on<cpu::upsample_add<T>, cuda::upsample_add<T>>(stream, coarse, lateral, y);
}

template <class T>
void upsample_add_backward(Stream stream, View<const T> dy, View<T> dcoarse) {
    check(dcoarse.shape, dy.shape);
    on<cpu::upsample_add_backward<T>, cuda::upsample_add_backward<T>>(stream, dy, dcoarse);
}

template void upsample_add(Stream, View<const float>, View<const float>, View<float>);
template void upsample_add(Stream, View<const bf16>, View<const bf16>, View<bf16>);
template void upsample_add_backward(Stream, View<const float>, View<float>);
template void upsample_add_backward(Stream, View<const bf16>, View<bf16>);

}  // namespace star
