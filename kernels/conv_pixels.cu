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

template <int channels>
struct Shared {
    union {
        tensor::Stage<tensor::AlongDepth<tensor::tile_rows>, tensor::AlongDepth<channels>> stage[tensor::stages];
        // The finished tile; rows 16 bytes longer than a pass over the banks.
        bf16 y[tensor::tile_rows][channels + piece];
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
__device__ T finish(float sum, int k, const ConvPixels<T>& q) {
    if (q.bias) sum += q.bias[k];
    return narrow<T>(q.relu && sum < 0 ? 0.0f : sum);  // NaN stays
}

/// Where a part of a sum waits for the others.
template <class T>
__device__ float& part_of(std::int64_t pixel, int k, int split, const ConvPixels<T>& q) {
    const Shape out = q.phase[0].grid.out;
    const std::int64_t pixels = std::int64_t{out.n} * out.h * out.w;
    return q.partial[(split * pixels + pixel) * out.c + k];
}

/// The finished tile, 16 bytes at a time where they are aligned.
template <int channels>
__device__ void store(const bf16 (&y)[tensor::tile_rows][channels + piece], const Tile& tile, const ConvGrid& g,
                      bf16* out) {
    const std::int64_t count = pixels_of(g);
    const int K = g.out.c;
    const bool whole = K % piece == 0 && reinterpret_cast<std::uintptr_t>(out) % sizeof(Piece) == 0;
    for (int j = int(threadIdx.x); j < tensor::tile_rows * channels / piece; j += tensor::threads) {
        const int row = j / (channels / piece), column = j % (channels / piece) * piece, k = tile.first_k + column;
        if (tile.first_pixel + row >= count) break;
        bf16* to = out + out_pixel(tile.first_pixel + row, g) * K + k;
        if (whole && k < K)
            *reinterpret_cast<Piece*>(to) = *reinterpret_cast<const Piece*>(&y[row][column]);
        else
            for (int i = 0; i < piece && k + i < K; ++i) to[i] = y[row][column + i];
    }
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
                    s.y[row][column] = k < g.out.c ? finish(sum, k, q) : bf16{0};
                else if (k < g.out.c && tile.first_pixel + row < count)
                    part_of(out_pixel(tile.first_pixel + row, g), k, int(blockIdx.z), q) = sum;
            }
    sync_block();  // the tile is whole
    if (q.splits == 1) store<channels>(s.y, tile, g, q.out);
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
            if (q.splits == 1)
                q.out[out_pixel(p, g) * g.out.c + k] = finish(sums.sum[i][j], k, q);
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
        q.out[i] = finish(sum, int(i % out.c), q);
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
    if (q.splits > 1) launch(stream, {{tiles(q.phase[0].grid.out.size(), 1, 256, 1)}, 256}, add_parts<T>, q);
}
template void conv_pixels(Stream, const ConvPixels<float>&);
template void conv_pixels(Stream, const ConvPixels<bf16>&);

}  // namespace star::cuda
