// Orientations on a GPU: a block per row of the result, whose threads walk along it. Of a mean's eight maps four are
// read along their rows; the others, swapped, share their sectors with the blocks of neighbouring rows.
#include "kernels/orient.h"
#include "kernels/pack.cuh"

namespace star::cuda {
namespace {

constexpr int threads = 256;

template <class T>
__global__ void __launch_bounds__(threads) orient_rows(View<const T> x, T* y) {
    const int S = x.shape.h, C = x.shape.c, row = int(blockIdx.x), g = row / S % orientations;
    const T* const image = x.data + std::int64_t{row / S / orientations} * S * S * C;
    T* const to = y + std::int64_t{row} * S * C;
    for (int item = int(threadIdx.x); item < S * C; item += threads) {
        const Cell from = seen_at(g, {row % S, item / C}, S);
        to[item] = image[(std::int64_t{from.row} * S + from.column) * C + item % C];
    }
}

template <class T>
__global__ void __launch_bounds__(threads) mean_rows(const T* x, Turning turning, View<T> y) {
    const int S = y.shape.h, C = y.shape.c, row = int(blockIdx.x);
    const std::int64_t map = std::int64_t{S} * S * C;
    const T* const first = x + std::int64_t{row / S} * orientations * map;
    T* const to = y.data + std::int64_t{row} * S * C;
    for (int item = int(threadIdx.x); item < S * C; item += threads) {
        float sum = 0;
#pragma unroll
        for (int g = 0; g < orientations; ++g) {
            const Cell at = shown_at(g, {row % S, item / C}, S);
            const Turned from = turned(g, turning, item % C);
            sum += from.sign * widen(first[g * map + (std::int64_t{at.row} * S + at.column) * C + from.channel]);
        }
        to[item] = narrow<T>(sum / orientations);
    }
}

}  // namespace

template <class T>
void orient(Stream stream, View<const T> x, View<T> y) {
    if (y.size() == 0) return;
    launch(stream, grid_over_rows(y.shape, threads, "orient"), orient_rows<T>, x, y.data);
}

template <class T>
void average_orientations(Stream stream, View<const T> x, Turning turning, View<T> y) {
    if (y.size() == 0) return;
    launch(stream, grid_over_rows(y.shape, threads, "average_orientations"), mean_rows<T>, x.data, turning, y);
}

template void orient(Stream, View<const float>, View<float>);
template void orient(Stream, View<const bf16>, View<bf16>);
template void average_orientations(Stream, View<const float>, Turning, View<float>);
template void average_orientations(Stream, View<const bf16>, Turning, View<bf16>);

}  // namespace star::cuda
