// Max pooling on a GPU: a block per row of the output (backward: of the input), which gathers what it needs.
#include "kernels/max_pool.h"
#include "kernels/pack.cuh"

namespace star::cuda {
namespace {

constexpr int threads = 256;

struct Range {
    int first, last;  // half open
};

constexpr int least(int a, int b) { return a < b ? a : b; }
constexpr int most(int a, int b) { return a > b ? a : b; }

// The taps r for which i * stride - pad + r lies inside [0, extent).
constexpr Range taps_inside(int i, MaxPool how, int extent) {
    const int start = i * how.stride - how.pad;
    return {most(0, -start), least(how.size, extent - start)};
}

// The windows i whose taps cover position h: i * stride - pad <= h < i * stride - pad + size.
constexpr Range windows_over(int h, MaxPool how, int windows) {
    const int below = h + how.pad - how.size;  // the last start that is too early
    return {below < 0 ? 0 : below / how.stride + 1, least(windows, (h + how.pad) / how.stride + 1)};
}

template <class T, int n>
struct Best {
    Pack<T, n> value;
    Pack<std::uint8_t, n> tap;
};

// The window's maximum of n channels; image points at the first of them. T is compared as float: widening is exact.
template <class T, int n>
__device__ Best<T, n> pool(const T* image, Shape s, MaxPool how, int i, int j) {
    Best<T, n> best;
    const Range rows = taps_inside(i, how, s.h), columns = taps_inside(j, how, s.w);
    for (int r = rows.first; r < rows.last; ++r)
        for (int q = columns.first; q < columns.last; ++q) {
            const int h = i * how.stride - how.pad + r, w = j * how.stride - how.pad + q;
            const auto v = load_pack<n>(image + (std::int64_t{h} * s.w + w) * s.c);
            const bool first = r == rows.first && q == columns.first;
            for (int k = 0; k < n; ++k) {
                const float now = widen(v.x[k]), before = first ? 0.0f : widen(best.value.x[k]);
                if (first || (!(now <= before) && before == before))  // a NaN is better, and stays
                    best.value.x[k] = v.x[k], best.tap.x[k] = std::uint8_t(r * how.size + q);
            }
        }
    return best;
}

template <class T, int n>
__global__ void __launch_bounds__(threads) forward(View<const T> x, MaxPool how, View<T> y, std::uint8_t* from) {
    const Shape s = x.shape, t = y.shape;
    const int row = int(blockIdx.x), packs = t.c / n;
    const T* const image = x.data + std::int64_t{row / t.h} * s.h * s.w * s.c;
    for (int item = int(threadIdx.x); item < t.w * packs; item += threads) {
        const int j = item / packs, c = item % packs * n;
        const Best<T, n> best = pool<T, n>(image + c, s, how, row % t.h, j);
        const std::int64_t to = (std::int64_t{row} * t.w + j) * t.c + c;
        store_pack(y.data + to, best.value);
        if (from) store_pack(from + to, best.tap);
    }
}

template <class T, int n>
__global__ void __launch_bounds__(threads)
    backward(View<const T> dy, const std::uint8_t* from, MaxPool how, View<T> dx) {
    const Shape s = dx.shape, t = dy.shape;
    const int row = int(blockIdx.x), h = row % s.h, packs = s.c / n;
    const std::int64_t image = std::int64_t{row / s.h} * t.h;
    const Range rows = windows_over(h, how, t.h);
    for (int item = int(threadIdx.x); item < s.w * packs; item += threads) {
        const int w = item / packs, c = item % packs * n;
        const Range columns = windows_over(w, how, t.w);
        Pack<float, n> sum{};
        for (int i = rows.first; i < rows.last; ++i)
            for (int j = columns.first; j < columns.last; ++j) {
                const int tap = (h + how.pad - i * how.stride) * how.size + (w + how.pad - j * how.stride);
                const std::int64_t at = ((image + i) * t.w + j) * t.c + c;
                const auto g = load_pack<n>(dy.data + at);
                const auto taken = load_pack<n>(from + at);
                for (int k = 0; k < n; ++k) sum.x[k] += taken.x[k] == tap ? widen(g.x[k]) : 0.0f;
            }
        Pack<T, n> to;
        for (int k = 0; k < n; ++k) to.x[k] = narrow<T>(sum.x[k]);
        store_pack(dx.data + (std::int64_t{row} * s.w + w) * s.c + c, to);
    }
}

}  // namespace

template <class T>
void max_pool_forward(Stream stream, View<const T> x, MaxPool how, View<T> y, View<std::uint8_t> from) {
    if (y.size() == 0) return;
    with_packs<T>(whole_packs<T>(y.shape.c) && aligned(x.data, y.data, from.data), [&](auto pack) {
        launch(stream, grid_over_rows(y.shape, threads, "max_pool"), forward<T, pack.value>, x, how, y, from.data);
    });
}

template <class T>
void max_pool_backward(Stream stream, View<const T> dy, View<const std::uint8_t> from, MaxPool how, View<T> dx) {
    if (dx.size() == 0) return;
    with_packs<T>(whole_packs<T>(dx.shape.c) && aligned(dy.data, from.data, dx.data), [&](auto pack) {
        launch(stream, grid_over_rows(dx.shape, threads, "max_pool"), backward<T, pack.value>, dy, from.data, how, dx);
    });
}

template void max_pool_forward(Stream, View<const float>, MaxPool, View<float>, View<std::uint8_t>);
template void max_pool_forward(Stream, View<const bf16>, MaxPool, View<bf16>, View<std::uint8_t>);
template void max_pool_backward(Stream, View<const float>, View<const std::uint8_t>, MaxPool, View<float>);
template void max_pool_backward(Stream, View<const bf16>, View<const std::uint8_t>, MaxPool, View<bf16>);

}  // namespace star::cuda
