// Nearest upsampling plus the lateral connection on a GPU, and its gradient: a block per row of the result.
#include "kernels/pack.cuh"
#include "kernels/upsample_add.h"

namespace star::cuda {
namespace {

constexpr int threads = 256;

// A 64-bit division costs as much as the rest of an element: extents whose product is small are divided in 32.
constexpr int quotient(std::int64_t a, int b) { return a <= INT32_MAX ? int(a) / b : int(a / b); }

constexpr int coarse_of(int fine, int coarse_extent, int fine_extent) {
    return quotient(std::int64_t{fine} * coarse_extent, fine_extent);
}

// The first fine position that falls on coarse position k: the least h with h * coarse_extent >= k * fine_extent.
constexpr int first_of(int k, int coarse_extent, int fine_extent) {
    return quotient(std::int64_t{k} * fine_extent + coarse_extent - 1, coarse_extent);
}

template <class T, int n>
__global__ void __launch_bounds__(threads) forward(View<const T> coarse, const T* lateral, View<T> y) {
    const Shape s = coarse.shape, t = y.shape;
    const int row = int(blockIdx.x), packs = t.c / n;
    const std::int64_t from_row = std::int64_t{row / t.h} * s.h + coarse_of(row % t.h, s.h, t.h);
    for (int item = int(threadIdx.x); item < t.w * packs; item += threads) {
        const int w = item / packs, c = item % packs * n;
        const std::int64_t at = (std::int64_t{row} * t.w + w) * t.c + c;
        const auto a = load_pack<n>(lateral + at);
        const auto b = load_pack<n>(coarse.data + (from_row * s.w + coarse_of(w, s.w, t.w)) * s.c + c);
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
    const int first_row = first_of(i, s.h, t.h), last_row = first_of(i + 1, s.h, t.h);
    for (int item = int(threadIdx.x); item < s.w * packs; item += threads) {
        const int j = item / packs, c = item % packs * n;
        const int first = first_of(j, s.w, t.w), last = first_of(j + 1, s.w, t.w);
        Pack<float, n> sum{};
        for (int h = first_row; h < last_row; ++h)
            for (int w = first; w < last; ++w) {
                const auto g = load_pack<n>(dy.data + ((image + h) * t.w + w) * t.c + c);
                for (int k = 0; k < n; ++k) sum.x[k] += widen(g.x[k]);
            }
        Pack<T, n> to;
        for (int k = 0; k < n; ++k) to.x[k] = narrow<T>(sum.x[k]);
        store_pack(dcoarse.data + (std::int64_t{row} * s.w + j) * s.c + c, to);
    }
}

Grid over_rows(Shape s) {
    require(std::int64_t{s.w} * s.c < std::int64_t{1} << 30, "upsample_add: rows of ", s.w, " pixels of ", s.c);
    return {{block_count(std::int64_t{s.n} * s.h)}, threads};
}

template <class T>
bool whole(int channels) {
    return channels % (16 / int(sizeof(T))) == 0;
}

}  // namespace

template <class T>
void upsample_add(Stream stream, View<const T> coarse, View<const T> lateral, View<T> y) {
    if (y.size() == 0) return;
    with_packs<T>(whole<T>(y.shape.c) && aligned(coarse.data, lateral.data, y.data), [&](auto pack) {
        launch(stream, over_rows(y.shape), forward<T, pack.value>, coarse, lateral.data, y);
    });
}

template <class T>
void upsample_add_backward(Stream stream, View<const T> dy, View<T> dcoarse) {
    if (dcoarse.size() == 0) return;
    with_packs<T>(whole<T>(dcoarse.shape.c) && aligned(dy.data, dcoarse.data),
                  [&](auto pack) { launch(stream, over_rows(dcoarse.shape), backward<T, pack.value>, dy, dcoarse); });
}

template void upsample_add(Stream, View<const float>, View<const float>, View<float>);
template void upsample_add(Stream, View<const bf16>, View<const bf16>, View<bf16>);
template void upsample_add_backward(Stream, View<const float>, View<float>);
template void upsample_add_backward(Stream, View<const bf16>, View<bf16>);

}  // namespace star::cuda
