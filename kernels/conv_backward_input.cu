// The convolution's input gradient on a GPU. Input pixels whose row and column have the same remainder by the stride
// see the same taps of dy: each such phase is a convolution of dy with a filter of its own, stride 1. The filters are w
// with K and C exchanged and the taps reversed, written to the workspace first.
#include "kernels/conv_pixels.h"
#include "kernels/simt.h"

namespace star::cuda {
namespace {

constexpr int tile = 32, threads = 256, rows = threads / tile;

template <class T>
struct Shared {
    T w[tile][tile + 1];  // odd rows: a column's elements fall in different banks
};

/// Taps of phase `which`, and of all phases before it, along a side of `taps`.
constexpr int taps_of(int taps, int stride, int which) { return which < taps ? ceil_div(taps - which, stride) : 0; }
constexpr int taps_before(int taps, int stride, int which) {
    int sum = 0;
    for (int i = 0; i < which; ++i) sum += taps_of(taps, stride, i);
    return sum;
}

/// The first weight of a phase; phases with taps only.
constexpr std::int64_t phase_start(Shape w, int stride, int phase_h, int phase_w) {
    const std::int64_t taps = std::int64_t{taps_before(w.h, stride, phase_h)} * w.w +
                              std::int64_t{taps_of(w.h, stride, phase_h)} * taps_before(w.w, stride, phase_w);
    return taps * w.n * w.c;
}

/// to(phase)[c][q_h][q_w][k] = w[k][r][s][c]. A block turns 32 k by 32 c of one tap.
template <class T>
__global__ void __launch_bounds__(threads) exchange(View<const T> from, int stride, T* to) {
    auto& shared = shared_memory<Shared<T>>();
    const Shape w = from.shape;
    const unsigned tiles_c = unsigned(ceil_div(w.c, tile)), tiles_k = unsigned(ceil_div(w.n, tile));
    const int c0 = int(blockIdx.x % tiles_c) * tile, k0 = int(blockIdx.x / tiles_c % tiles_k) * tile;
    const int tap = int(blockIdx.x / tiles_c / tiles_k), r = tap / w.w, s = tap % w.w;
    const int row = int(threadIdx.x) / tile, column = int(threadIdx.x) % tile;
    for (int i = row; i < tile; i += rows)
        if (k0 + i < w.n && c0 + column < w.c)
            shared.w[i][column] = from.data[((std::int64_t{k0 + i} * w.h + r) * w.w + s) * w.c + c0 + column];
    sync_block();  // the tile is there
    const int phase_h = r % stride, phase_w = s % stride;
    const int taps_h = taps_of(w.h, stride, phase_h), taps_w = taps_of(w.w, stride, phase_w);
    const int q = (taps_h - 1 - r / stride) * taps_w + taps_w - 1 - s / stride;
    T* put = to + phase_start(w, stride, phase_h, phase_w);
    for (int i = row; i < tile; i += rows)
        if (c0 + i < w.c && k0 + column < w.n)
            put[(std::int64_t{c0 + i} * taps_h * taps_w + q) * w.n + k0 + column] = shared.w[column][i];
}

template <class T>
void launch_exchange(Stream stream, View<const T> w, int stride, T* to) {
    const Shape s = w.shape;
    const std::int64_t blocks = std::int64_t{ceil_div(s.c, tile)} * ceil_div(s.n, tile) * s.h * s.w;
    require(blocks <= INT32_MAX, "conv_backward_input: ", blocks, " tiles of weights are more than a launch takes");
    launch(stream, {{unsigned(blocks)}, threads, sizeof(Shared<T>)}, exchange<T>, w, stride, to);
}

/// The deepest phase is the first. Only where one launch covers all of dx.
int splits(Shape x, Shape w, Conv how) {
    if (how.stride > std::min({2, w.h, w.w})) return 1;
    return conv_splits(x, taps_of(w.h, how.stride, 0) * taps_of(w.w, how.stride, 0) * w.n);
}

template <class T>
struct Workspace {
    T* w;
    float* partial;
    std::int64_t bytes;
    Workspace(Shape x, Shape w, Conv how, std::byte* memory) {
        Carve carve(memory);
        this->w = carve.take<T>(w.size());
        partial = carve.take<float>(conv_partial_bytes(x, splits(x, w, how)) / std::int64_t{sizeof(float)});
        bytes = carve.used();
    }
};

}  // namespace

template <class T>
void conv_backward_input(Stream stream, View<const T> dy, View<const T> w, Conv how, View<T> dx, std::byte* workspace) {
    const Workspace<T> at(dx.shape, w.shape, how, workspace);
    launch_exchange(stream, w, how.stride, at.w);
    // Beyond the filter, phases have no taps: their pixels are zero, and are all that this leaves so.
    if (how.stride > std::min(w.shape.h, w.shape.w))
        star::fill_zero(stream, dx.data, std::size_t(dx.size()) * sizeof(T));
    ConvPixels<T> q{dy.data, dx.data, {}, false, 0, {}, splits(dx.shape, w.shape, how), at.partial};
    const auto flush = [&] {
        if (q.phases) conv_pixels(stream, q);
        q.phases = 0;
    };
    for (int h = 0; h < std::min(how.stride, w.shape.h); ++h)
        for (int v = 0; v < std::min(how.stride, w.shape.w); ++v) {
            const ConvGrid grid = backward_grid(dx.shape, w.shape, how, h, v);
            if (grid.pixels() == 0) continue;
            q.phase[q.phases++] = {grid, at.w + phase_start(w.shape, how.stride, h, v)};
            if (q.phases == q.most_phases) flush();
        }
    flush();
}
template void conv_backward_input(Stream, View<const float>, View<const float>, Conv, View<float>, std::byte*);
template void conv_backward_input(Stream, View<const bf16>, View<const bf16>, Conv, View<bf16>, std::byte*);

std::int64_t conv_backward_input_workspace(Stream, Shape x, Shape w, Conv how) {
    return Workspace<float>(x, w, how, nullptr).bytes;  // bf16 takes less
}

}  // namespace star::cuda
