// Nearest upsampling plus the lateral connection on a GPU, and its gradient: a block per row of the result.
#include "kernels/pack.cuh"
#include "kernels/upsample_add.h"

namespace star::cuda {
namespace {

constexpr int threads = 256;

// floor(a / b) for many a >= 0, of 63 bits, whose quotients are ints: a division of 64 bits costs as much as the rest
// of an element and takes registers for a call. The product's error is far below 1, so it is off by one at most.
struct Divisor {
    int b;
    double inverse;
    explicit constexpr Divisor(int b) : b(b), inverse(1.0 / b) {}
    constexpr int quotient(std::int64_t a) const {
        const int q = int(double(a) * inverse);
        const std::int64_t left = a - std::int64_t{q} * b;
        return left < 0 ? q - 1 : left >= b ? q + 1 : q;
    }
};

// The coarse position of a fine one; by: the fine extent.
constexpr int coarse_of(int fine, int coarse_extent, Divisor by) {
    return by.quotient(std::int64_t{fine} * coarse_extent);
}

// The first fine position that falls on coarse position k: the least h with h * coarse_extent >= k * fine_extent. by:
// the coarse extent.
constexpr int first_of(int k, Divisor by, int fine_extent) {
    return by.quotient(std::int64_t{k} * fine_extent + by.b - 1);
}

template <class T, int n>
__global__ void __launch_bounds__(threads) forward(View<const T> coarse, const T* lateral, View<T> y) {
    const Shape s = coarse.shape, t = y.shape;
    const int row = int(blockIdx.x), packs = t.c / n;
    const std::int64_t from_row = std::int64_t{row / t.h} * s.h + coarse_of(row % t.h, s.h, Divisor(t.h));
    const Divisor by_width(t.w);
    for (int item = int(threadIdx.x); item < t.w * packs; item += threads) {
        const int w = item / packs, c = item % packs * n;
        const std::int64_t at = (std::int64_t{row} * t.w + w) * t.c + c;
        const auto a = load_pack<n>(lateral + at);
        const auto b = load_pack<n>(coarse.data + (from_row * s.w + coarse_of(w, s.w, by_width)) * s.c + c);
        Pack<T, n> sum;
        for (int k = 0; k < n; ++k) sum.x[k] = narrow<T>(widen(a.x[k]) + widen(b.x[k]));
        store_pack(y.data + at, sum);
    }
}

template <class T, int n>
__global__ void __launch_bounds__(threads) backward(View<const T> dy, View<T> dcoarse) {
    const Shape s = dcoarse.shape, t = dy.shape;
    const int row = int(blockIdx.x), i = row % s.h, packs = s.c / n;
    const std::int64_t image = std::int64_t{row / s.h} * t.h;
    const Divisor by_height(s.h), by_width(s.w);
    const int first_row = first_of(i, by_height, t.h), last_row = first_of(i + 1, by_height, t.h);
    for (int item = int(threadIdx.x); item < s.w * packs; item += threads) {
        const int j = item / packs, c = item % packs * n;
        const int first = first_of(j, by_width, t.w);
        const std::int64_t next = std::int64_t{j + 1} * t.w;  // w * s.w of the first that falls on j + 1
        Pack<float, n> sum{};
        for (int h = first_row; h < last_row; ++h)
            for (int w = first; std::int64_t{w} * s.w < next; ++w) {
                const auto g = load_pack<n>(dy.data + ((image + h) * t.w + w) * t.c + c);
                for (int k = 0; k < n; ++k) sum.x[k] += widen(g.x[k]);
            }
        Pack<T, n> to;
        for (int k = 0; k < n; ++k) to.x[k] = narrow<T>(sum.x[k]);
        store_pack(dcoarse.data + (std::int64_t{row} * s.w + j) * s.c + c, to);
    }
}

}  // namespace

template <class T>
void upsample_add(Stream stream, View<const T> coarse, View<const T> lateral, View<T> y) {
    if (y.size() == 0) return;
    with_packs<T>(whole_packs<T>(y.shape.c) && aligned(coarse.data, lateral.data, y.data), [&](auto pack) {
        launch(stream, grid_over_rows(y.shape, threads, "upsample_add"), forward<T, pack.value>, coarse, lateral.data,
               y);
    });
}

template <class T>
void upsample_add_backward(Stream stream, View<const T> dy, View<T> dcoarse) {
    if (dcoarse.size() == 0) return;
    with_packs<T>(whole_packs<T>(dcoarse.shape.c) && aligned(dy.data, dcoarse.data), [&](auto pack) {
        launch(stream, grid_over_rows(dcoarse.shape, threads, "upsample_add"), backward<T, pack.value>, dy, dcoarse);
    });
}

template void upsample_add(Stream, View<const float>, View<const float>, View<float>);
template void upsample_add(Stream, View<const bf16>, View<const bf16>, View<bf16>);
template void upsample_add_backward(Stream, View<const float>, View<float>);
template void upsample_add_backward(Stream, View<const bf16>, View<bf16>);

}  // namespace star::cuda
