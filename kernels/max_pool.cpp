// Max pooling on the CPU: rows of the output (backward: of the input) in parallel, channels side by side.
#include "kernels/max_pool.h"

#include <algorithm>

#include "kernels/dispatch.h"

namespace star {
namespace {

constexpr int strip = 64;  // channels at a time: their running maxima stay in registers and the first cache

struct Range {
    int first, last;  // half open
};

// The taps r for which i * stride - pad + r lies inside [0, extent).
constexpr Range taps_inside(int i, MaxPool how, int extent) {
    const int start = i * how.stride - how.pad;
    return {std::max(0, -start), std::min(how.size, extent - start)};
}

// The windows i whose taps cover position h: i * stride - pad <= h < i * stride - pad + size.
constexpr Range windows_over(int h, MaxPool how, int windows) {
    const int below = h + how.pad - how.size;  // the last start that is too early
    return {below < 0 ? 0 : below / how.stride + 1, std::min(windows, (h + how.pad) / how.stride + 1)};
}

void check(Shape x, Shape y, Shape from, bool has_from, MaxPool how) {
    require(how.size >= 1 && how.size <= 16 && how.stride >= 1, "max_pool: window ", how.size, ", stride ", how.stride);
    require(how.pad >= 0 && how.pad <= how.size / 2, "max_pool: pad ", how.pad, " of a window of ", how.size);
    require(x.h + 2 * how.pad >= how.size && x.w + 2 * how.pad >= how.size, "max_pool: window larger than the image");
    require(y == max_pool_shape(x, how) && (!has_from || from == y), "max_pool: shapes disagree");
}

template <class T>
void pool_strip(const T* x, Shape s, MaxPool how, int i, int j, int channels, T* y, std::uint8_t* from) {
    float best[strip];
    std::int32_t taken[strip];
    bool any = false;
    const Range rows = taps_inside(i, how, s.h), columns = taps_inside(j, how, s.w);
    for (int r = rows.first; r < rows.last; ++r)
        for (int q = columns.first; q < columns.last; ++q) {
            const int h = i * how.stride - how.pad + r, w = j * how.stride - how.pad + q;
            const T* const at = x + (std::int64_t{h} * s.w + w) * s.c;
            const std::int32_t tap = r * how.size + q;
            if (!any) {
                any = true;
                for (int c = 0; c < channels; ++c) best[c] = widen(at[c]), taken[c] = tap;
                continue;
            }
            for (int c = 0; c < channels; ++c) {
                const float v = widen(at[c]);
                const bool better = !(v <= best[c]) & (best[c] == best[c]);  // a NaN is better, and stays
                best[c] = better ? v : best[c];
                taken[c] = better ? tap : taken[c];
            }
        }
    for (int c = 0; c < channels; ++c) y[c] = narrow<T>(best[c]);
    if (from)
        for (int c = 0; c < channels; ++c) from[c] = std::uint8_t(taken[c]);
}

}  // namespace

namespace cpu {

template <class T>
void max_pool_forward(Stream stream, View<const T> x, MaxPool how, View<T> y, View<std::uint8_t> from) {
    const Shape s = x.shape, t = y.shape;
    stream.pool->for_each(std::int64_t{t.n} * t.h, [&](std::int64_t row, int) {
        const T* const image = x.data + row / t.h * s.h * s.w * s.c;
        for (int j = 0; j < t.w; ++j)
            for (int c = 0; c < t.c; c += strip) {
                const std::int64_t to = (row * t.w + j) * t.c + c;
                pool_strip(image + c, s, how, int(row % t.h), j, std::min(strip, t.c - c), y.data + to,
                           from.data ? from.data + to : nullptr);
            }
    });
}

template <class T>
void max_pool_backward(Stream stream, View<const T> dy, View<const std::uint8_t> from, MaxPool how, View<T> dx) {
    const Shape s = dx.shape, t = dy.shape;
    stream.pool->for_each(std::int64_t{s.n} * s.h, [&](std::int64_t row, int) {
        const std::int64_t image = row / s.h * t.h;
        const int h = int(row % s.h);
        const Range rows = windows_over(h, how, t.h);
        for (int w = 0; w < s.w; ++w) {
            const Range columns = windows_over(w, how, t.w);
            for (int c = 0; c < s.c; c += strip) {
                const int channels = std::min(strip, s.c - c);
                float sum[strip] = {};
                for (int i = rows.first; i < rows.last; ++i)
                    for (int j = columns.first; j < columns.last; ++j) {
                        const int tap = (h + how.pad - i * how.stride) * how.size + (w + how.pad - j * how.stride);
                        const std::int64_t at = ((image + i) * t.w + j) * t.c + c;
                        for (int k = 0; k < channels; ++k) {
                            const float g = widen(dy.data[at + k]);  // read in any case: else it isn't vectorised
                            sum[k] += from.data[at + k] == tap ? g : 0.0f;
                        }
                    }
                T* const to = dx.data + (row * s.w + w) * s.c + c;
                for (int k = 0; k < channels; ++k) to[k] = narrow<T>(sum[k]);
            }
        }
    });
}

}  // namespace cpu

template <class T>
void max_pool_forward(Stream stream, View<const T> x, MaxPool how, View<T> y, View<std::uint8_t> from) {
    check(x.shape, y.shape, from.shape, from.data != nullptr, how);
    on<cpu::max_pool_forward<T>, cuda::max_pool_forward<T>>(stream, x, how, y, from);
}

template <class T>
void max_pool_backward(Stream stream, View<const T> dy, View<const std::uint8_t> from, MaxPool how, View<T> dx) {
    check(dx.shape, dy.shape, from.shape, true, how);
    on<cpu::max_pool_backward<T>, cuda::max_pool_backward<T>>(stream, dy, from, how, dx);
}

template void max_pool_forward(Stream, View<const float>, MaxPool, View<float>, View<std::uint8_t>);
template void max_pool_forward(Stream, View<const bf16>, MaxPool, View<bf16>, View<std::uint8_t>);
template void max_pool_backward(Stream, View<const float>, View<const std::uint8_t>, MaxPool, View<float>);
template void max_pool_backward(Stream, View<const bf16>, View<const std::uint8_t>, MaxPool, View<bf16>);

}  // namespace star
