// Sums over taps and channels for every pixel of a grid: the convolution and its input gradient. bf16 on tensor cores,
// float with plain FMAs. Rows of the product are pixels (of all images, one after the other), columns are channels.
// Neither the tile's shape nor its place nor N changes any bit.
#include "kernels/conv_pixels.h"
#include "kernels/conv_pixels_fetch.cuh"

namespace star::cuda {
namespace {

using pixels::pixels_of, pixels::Tile;
using tensor::Piece, tensor::piece, tensor::Pieces;

// Below 8 slices a part, writing and adding the parts costs more than their products.
constexpr int least_part = 8 * pixels::part_unit, most_splits = 8;
// Tiles and parts of one image: a batch of four then has a block for each of an A100's 108 processors.
constexpr int few_tiles = 32;

/// The finished tile: at first the residual's. Rows are 16 bytes longer than a pass over the banks.
template <int channels>
struct Finished {
    bf16 y[tensor::tile_rows][channels + piece];
    float part[tensor::threads];  // of a channel's sum
};

template <int channels>
struct Shared {
    union {
        tensor::Stage<tensor::AlongDepth<tensor::tile_rows>, tensor::AlongDepth<channels>> stage[tensor::stages];
        Finished<channels> finished;
    };
};

/// The pixel of `out`, counted through all images, that a pixel of the grid is.
__device__ std::int64_t out_pixel(std::int64_t pixel, const ConvGrid& g) {
    if (g.step_out == 1) return pixel;
    const std::int64_t line = pixel / g.grid_w, n = line / g.grid_h;
    return (n * g.out.h + g.start_h + line % g.grid_h * g.step_out) * g.out.w + g.start_w +
           pixel % g.grid_w * g.step_out;
}

template <class T>
__device__ T finish(float sum, int k, T residual, const ConvPixels<T>& q) {
    if (q.end.bias) sum += q.end.bias[k];
    if (q.end.residual.data) sum += widen(residual);
    return narrow<T>(q.relu && sum < 0 ? 0.0f : sum);  // NaN stays
}

template <class T>
__device__ T finish(float sum, int k, std::int64_t at, const ConvPixels<T>& q) {
    return finish(sum, k, q.end.residual.data ? q.end.residual.data[at] : T{}, q);
}

/// Where a part of a sum waits for the others.
template <class T>
__device__ float& part_of(std::int64_t pixel, int k, int split, const ConvPixels<T>& q) {
    const Shape out = q.phase[0].grid.out;
    const std::int64_t pixels = std::int64_t{out.n} * out.h * out.w;
    return q.partial[(split * pixels + pixel) * out.c + k];
}

/// Copies between a tile and an array of out's shape, 16 bytes at a time where they are aligned. copy(tile's, array's).
template <int channels, class T, class Copy>
__device__ void walk_tile(Finished<channels>& s, const Tile& tile, const ConvGrid& g, T* all, Copy copy) {
    const std::int64_t count = pixels_of(g);
    const int K = g.out.c;
    const bool whole = K % piece == 0 && reinterpret_cast<std::uintptr_t>(all) % sizeof(Piece) == 0;
    for (int j = int(threadIdx.x); j < tensor::tile_rows * channels / piece; j += tensor::threads) {
        const int row = j / (channels / piece), column = j % (channels / piece) * piece, k = tile.first_k + column;
        if (tile.first_pixel + row >= count) break;
        T* const at = all + out_pixel(tile.first_pixel + row, g) * K + k;
        using P = std::conditional_t<std::is_const_v<T>, const Piece, Piece>;
        if (whole && k < K)
            copy(*reinterpret_cast<Piece*>(&s.y[row][column]), *reinterpret_cast<P*>(at));
        else
            for (int i = 0; i < piece && k + i < K; ++i) copy(s.y[row][column + i], at[i]);
    }
}

/// A channel's sum over the tile's rows of f(y): a few threads take every second or fourth row each, and are added in
/// order. Every one of them gets it. All threads call.
template <int channels, class F>
__device__ float channel_sum(Finished<channels>& s, int rows, F f) {
    constexpr int groups = tensor::threads / channels;
    const int column = int(threadIdx.x) % channels;
    float sum = 0;
    for (int row = int(threadIdx.x) / channels; row < rows; row += groups) sum += f(widen(s.y[row][column]));
    sync_block();  // an earlier sum has been read
    s.part[threadIdx.x] = sum;
    sync_block();  // all parts are there
    sum = 0;
    for (int i = 0; i < groups; ++i) sum += s.part[i * channels + column];
    return sum;
}

/// The tile's rows are a run of conv_runs(): its moments (batch_norm.h), from the tile as it was rounded.
template <int channels>
__device__ void store_moments(Finished<channels>& s, const Tile& tile, const ConvGrid& g, float* moments) {
    const std::int64_t left = pixels_of(g) - tile.first_pixel;
    const int rows = left < tensor::tile_rows ? int(left) : tensor::tile_rows, K = g.out.c;
    const float mean = channel_sum(s, rows, [](float v) { return v; }) / float(rows);
    const float sum = channel_sum(s, rows, [&](float v) { return v - mean; });
    const float square = channel_sum(s, rows, [&](float v) { return (v - mean) * (v - mean); });
    const int k = tile.first_k + int(threadIdx.x);
    if (threadIdx.x >= channels || k >= K) return;
    float* const to = moments + tile.first_pixel / tensor::tile_rows * 3 * K + k;
    to[0] = mean, to[K] = sum, to[2 * std::int64_t{K}] = square;
}

/// channels: 128 or 64 per block.
template <int channels, Pieces how>
__global__ void __launch_bounds__(tensor::threads, 2) tensor_tile(ConvPixels<bf16> q) {
    auto& s = shared_memory<Shared<channels>>();
    const ConvPhase<bf16>& phase = q.phase[blockIdx.y];
    const ConvGrid& g = phase.grid;
    const Tile tile(g, pixels::depth_of<how>(g), q.splits, tensor::tile_rows, channels);
    pixels::Fetch<channels, how> fetch(q, phase, tile);
    tensor::Sums<channels> sums;
    tensor::multiply(s.stage, fetch, ceil_div(tile.depth, tensor::slice), sums);

    sync_block();  // the last slice is read: its memory becomes the finished tile
    auto& done = s.finished;
    if (q.splits == 1 && q.end.residual.data) {
        walk_tile(done, tile, g, q.end.residual.data, [](auto& y, const auto& from) { y = from; });
        sync_block();  // the residual is there
    }
    const std::int64_t count = pixels_of(g);
#pragma unroll
    for (int m = 0; m < sums.m_count; ++m)
#pragma unroll
        for (int n = 0; n < sums.n_count; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int row = sums.row + 16 * m + c_row(lane(), i), column = sums.column + 8 * n + c_col(lane(), i);
                const int k = tile.first_k + column;
                const float sum = sums.sum[m][n].x[i];
                if (q.splits == 1)
                    done.y[row][column] = k < g.out.c ? finish(sum, k, done.y[row][column], q) : bf16{0};
                else if (k < g.out.c && tile.first_pixel + row < count)
                    part_of(out_pixel(tile.first_pixel + row, g), k, int(blockIdx.z), q) = sum;
            }
    if (q.splits > 1) return;
    sync_block();  // the tile is whole
    walk_tile(done, tile, g, q.out, [](const auto& y, auto& to) { to = y; });
    if (q.end.moments) store_moments(done, tile, g, q.end.moments);
}

__global__ void __launch_bounds__(plain::threads) plain_tile(ConvPixels<float> q) {
    auto& s = shared_memory<plain::Shared>();
    const ConvPhase<float>& phase = q.phase[blockIdx.y];
    const ConvGrid& g = phase.grid;
    const Tile tile(g, pixels::depth_of<Pieces::gathered>(g), q.splits, plain::tile, plain::tile);
    pixels::PlainFetch fetch(q, phase, tile, plain::Sums::row(), plain::Sums::column());
    plain::Sums sums;
    plain::multiply(s, fetch, tile.depth, sums);
#pragma unroll
    for (int i = 0; i < plain::each; ++i)
#pragma unroll
        for (int j = 0; j < plain::each; ++j) {
            const std::int64_t p = tile.first_pixel + sums.row() + 16 * i;
            const int k = tile.first_k + sums.column() + 16 * j;
            if (p >= pixels_of(g) || k >= g.out.c) continue;
            const std::int64_t at = out_pixel(p, g) * g.out.c + k;
            if (q.splits == 1)
                q.out[at] = finish(sums.sum[i][j], k, at, q);
            else
                part_of(out_pixel(p, g), k, int(blockIdx.z), q) = sums.sum[i][j];
        }
}

/// Adds the parts of every sum, in order.
template <class T>
__global__ void __launch_bounds__(256) add_parts(ConvPixels<T> q) {
    const Shape out = q.phase[0].grid.out;
    const std::int64_t i = std::int64_t{blockIdx.x} * 256 + threadIdx.x, size = out.size();
    if (i < size) {
        float sum = q.partial[i];
        for (int split = 1; split < q.splits; ++split) sum += q.partial[split * size + i];
        q.out[i] = finish(sum, int(i % out.c), i, q);
    }
}

/// Blocks for tiles of `pixels` by `channels`, enough for every phase.
unsigned tiles(std::int64_t most_pixels, int channels_out, int pixels, int channels) {
    const std::int64_t count = ceil_div(most_pixels, std::int64_t{pixels}) * ceil_div(channels_out, channels);
    require(count <= INT32_MAX, "convolution: ", count, " tiles are more than a launch takes");
    return unsigned(count);
}

/// Whether 64 channels per block serve an image better than 128: where 128 would compute more padding, or leave most of
/// an A100's 108 processors without work.
bool narrow_tiles(const ConvGrid& g) {
    const std::int64_t blocks =
        ceil_div(std::int64_t{g.grid_h} * g.grid_w, std::int64_t{tensor::tile_rows}) * ceil_div(g.out.c, 128);
    return round_up(g.out.c, 64) < round_up(g.out.c, 128) || blocks < 108;
}

Pieces pieces(const ConvPixels<bf16>& q) {
    const int channels = q.phase[0].grid.source.c;
    bool whole = tensor::whole_pieces(q.source, channels), line = channels == 1;
    for (int i = 0; i < q.phases; ++i) {
        whole &= tensor::whole_pieces(q.phase[i].w, channels);
        line &= tensor::short_lines(q.phase[i].grid.taps_h, q.phase[i].grid.taps_w);
    }
    return whole ? Pieces::whole : line ? Pieces::line : Pieces::gathered;
}

template <int channels, Pieces how>
void launch_tensor(Stream stream, const ConvPixels<bf16>& q, Blocks blocks, std::int64_t most_pixels) {
    blocks.x = tiles(most_pixels, q.phase[0].grid.out.c, tensor::tile_rows, channels);
    launch(stream, {blocks, tensor::threads, sizeof(Shared<channels>)}, tensor_tile<channels, how>, q);
}

void launch_product(Stream stream, const ConvPixels<bf16>& q, Blocks blocks, std::int64_t most_pixels) {
    const Pieces how = pieces(q);
    if (how == Pieces::gathered)  // no network of ours has such channels: one width will do
        launch_tensor<64, Pieces::gathered>(stream, q, blocks, most_pixels);
    else if (how == Pieces::line)
        launch_tensor<64, Pieces::line>(stream, q, blocks, most_pixels);
    else if (narrow_tiles(q.phase[0].grid))
        launch_tensor<64, Pieces::whole>(stream, q, blocks, most_pixels);
    else
        launch_tensor<128, Pieces::whole>(stream, q, blocks, most_pixels);
}
void launch_product(Stream stream, const ConvPixels<float>& q, Blocks blocks, std::int64_t most_pixels) {
    blocks.x = tiles(most_pixels, q.phase[0].grid.out.c, plain::tile, plain::tile);
    launch(stream, {blocks, plain::threads, sizeof(plain::Shared)}, plain_tile, q);
}

}  // namespace

int conv_splits(Shape out, int depth) {
    const std::int64_t tiles =
        ceil_div(std::int64_t{out.h} * out.w, std::int64_t{tensor::tile_rows}) * ceil_div(out.c, 64);
    const std::int64_t most = std::min(few_tiles / tiles, std::int64_t{most_splits});
    return int(std::max(std::int64_t{1}, std::min(most, std::int64_t{depth / least_part})));
}

std::int64_t conv_partial_bytes(Shape out, int splits) {
    return splits == 1 ? 0 : splits * out.size() * std::int64_t{sizeof(float)};
}

template <class T>
void conv_pixels(Stream stream, const ConvPixels<T>& q) {
    std::int64_t most_pixels = 0;
    for (int i = 0; i < q.phases; ++i) most_pixels = std::max(most_pixels, q.phase[i].grid.pixels());
    launch_product(stream, q, {1, unsigned(q.phases), unsigned(q.splits)}, most_pixels);
    const Shape out = q.phase[0].grid.out;
    if (q.splits > 1) launch(stream, {{tiles(out.size(), 1, 256, 1)}, 256}, add_parts<T>, q);
    if (q.end.moments && (q.splits > 1 || std::is_same_v<T, float>))  // no block has a finished run: small, or exact
        cuda::batch_norm_moments<T>(stream, {q.out, out}, conv_runs(out), q.end.moments);
}
template void conv_pixels(Stream, const ConvPixels<float>&);
template void conv_pixels(Stream, const ConvPixels<bf16>&);

}  // namespace star::cuda
