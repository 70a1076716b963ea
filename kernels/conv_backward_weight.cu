// The convolution's weight gradient on a GPU. dw is seen as a matrix of weights (r, s, c) by channels k whose depth is
// an image's output pixels, cut into chunks: sums of chunks go to the workspace and are added to dw in order, image by
// image. Both operands lie in memory across the depth. bf16 on tensor cores, float with plain FMAs.
#include "kernels/conv_weight_fetch.cuh"

namespace star::cuda {
namespace {

using tensor::Pieces;
using weights::Plan, weights::Problem, weights::Tile;

template <int channels>
struct Shared {
    tensor::Stage<tensor::AcrossDepth<tensor::tile_rows>, tensor::AcrossDepth<channels>> stage[tensor::stages];
};

constexpr int bias_channels = 32, bias_rows = 8;
struct BiasShared {
    float sum[bias_rows][bias_channels];
};

/// Stores a sum of row `row` of the product. to: the weights of its channel. Lanes of a warp fill sectors of 8 weights.
template <Pieces how>
__device__ void store(float sum, int row, const ConvGrid& g, float* to) {
    if (row >= weights::rows_of<how>(g)) return;
    if constexpr (how == Pieces::line) {
        if (row % tensor::piece < g.taps_w) to[row / tensor::piece * g.taps_w + row % tensor::piece] = sum;
    } else {
        to[row] = sum;
    }
}

/// channels: 128 or 64 per block.
template <int channels, Pieces how, bool whole_dy>
__global__ void __launch_bounds__(tensor::threads, 2) tensor_tile(Problem<bf16> q) {
    auto& s = shared_memory<Shared<channels>>();
    const Tile<bf16> tile(q, tensor::tile_rows, channels);
    weights::Fetch<channels, how, whole_dy> fetch(q, tile);
    tensor::Sums<channels> sums;
    tensor::multiply(s.stage, fetch, ceil_div(tile.pixels, tensor::slice), sums);
#pragma unroll
    for (int m = 0; m < sums.m_count; ++m)
#pragma unroll
        for (int n = 0; n < sums.n_count; ++n)
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                const int row = tile.first_weight + sums.row + 16 * m + c_row(lane(), i);
                const int k = tile.first_k + sums.column + 8 * n + c_col(lane(), i);
                if (k < q.plan.channels)
                    store<how>(sums.sum[m][n].x[i], row, q.grid, tile.partial + std::int64_t{k} * q.plan.weights);
            }
}

__global__ void __launch_bounds__(plain::threads) plain_tile(Problem<float> q) {
    auto& s = shared_memory<plain::Shared>();
    const Tile<float> tile(q, plain::tile, plain::tile);
    weights::PlainFetch fetch(q, tile);
    plain::Sums sums;
    plain::multiply(s, fetch, tile.pixels, sums);
#pragma unroll
    for (int i = 0; i < plain::each; ++i)
#pragma unroll
        for (int j = 0; j < plain::each; ++j) {
            const int weight = tile.first_weight + sums.row() + 16 * i, k = tile.first_k + sums.column() + 16 * j;
            if (weight < q.plan.weights && k < q.plan.channels)
                tile.partial[std::int64_t{k} * q.plan.weights + weight] = sums.sum[i][j];
        }
}

/// The bias's sums over a chunk: 8 threads per channel take every eighth pixel, and are added in order.
template <class T>
__global__ void __launch_bounds__(bias_channels* bias_rows) sum_dy(Problem<T> q) {
    auto& s = shared_memory<BiasShared>();
    const Tile<T> tile(q, 1, bias_channels);
    const int row = int(threadIdx.x) / bias_channels, column = int(threadIdx.x) % bias_channels;
    const int k = tile.first_k + column;
    float sum = 0;
    if (k < q.plan.channels)
        for (int p = row; p < tile.pixels; p += bias_rows)
            sum += widen(tile.dy(q)[std::int64_t{p} * q.plan.channels + k]);
    s.sum[row][column] = sum;
    sync_block();  // all eight are there
    if (row == 0 && k < q.plan.channels) {
        for (int i = 1; i < bias_rows; ++i) sum += s.sum[i][column];
        tile.partial[std::int64_t{q.plan.channels} * q.plan.weights + k] = sum;
    }
}

/// dw += image + image + ..., each image's sum being chunk + chunk + ...; dbias likewise.
template <class T>
__global__ void __launch_bounds__(256) add_chunks(Problem<T> q) {
    const std::int64_t count = std::int64_t{q.plan.channels} * q.plan.weights, slot = q.plan.slot;
    const std::int64_t i = std::int64_t{blockIdx.x} * 256 + threadIdx.x;
    if (i < count + (q.dbias ? q.plan.channels : 0)) {
        float& to = i < count ? q.dw[i] : q.dbias[i - count];
        const float* from = q.partial + i;
        float total = to;
        for (int n = 0; n < q.images; ++n) {
            float sum = *from;
            from += slot;
            for (int chunk = 1; chunk < q.plan.chunks; ++chunk, from += slot) sum += *from;
            total += sum;
        }
        to = total;
    }
}

/// Blocks for tiles of the product, `rows` by `channels`.
unsigned tiles(std::int64_t all_rows, int all_channels, int rows, int channels) {
    const std::int64_t count = ceil_div(all_rows, std::int64_t{rows}) * ceil_div(all_channels, channels);
    require(count <= INT32_MAX, "conv_backward_weight: ", count, " tiles are more than a launch takes");
    return unsigned(count);
}

template <int channels, Pieces how, bool whole_dy>
void launch_tensor(Stream stream, const Problem<bf16>& q, Blocks blocks) {
    blocks.x = tiles(weights::rows_of<how>(q.grid), q.plan.channels, tensor::tile_rows, channels);
    launch(stream, {blocks, tensor::threads, sizeof(Shared<channels>)}, tensor_tile<channels, how, whole_dy>, q);
}

void launch_product(Stream stream, const Problem<bf16>& q, Blocks blocks) {
    const ConvGrid& g = q.grid;
    const bool narrow = round_up(q.plan.channels, 64) < round_up(q.plan.channels, 128);  // 128 would compute padding
    // What no network of ours has is gathered, one width for all of it.
    if (!tensor::whole_pieces(q.dy, q.plan.channels))
        launch_tensor<64, Pieces::gathered, false>(stream, q, blocks);
    else if (g.source.c == 1 && tensor::short_lines(g.taps_h, g.taps_w))
        launch_tensor<64, Pieces::line, true>(stream, q, blocks);
    else if (!tensor::whole_pieces(q.x, g.source.c))
        launch_tensor<64, Pieces::gathered, true>(stream, q, blocks);
    else if (narrow)
        launch_tensor<64, Pieces::whole, true>(stream, q, blocks);
    else
        launch_tensor<128, Pieces::whole, true>(stream, q, blocks);
}
void launch_product(Stream stream, const Problem<float>& q, Blocks blocks) {
    blocks.x = tiles(q.plan.weights, q.plan.channels, plain::tile, plain::tile);
    launch(stream, {blocks, plain::threads, sizeof(plain::Shared)}, plain_tile, q);
}

template <class T>
void launch_images(Stream stream, const Problem<T>& q) {
    const Plan& p = q.plan;
    Blocks blocks{1, unsigned(p.chunks), unsigned(q.images)};
    launch_product(stream, q, blocks);
    if (q.dbias) {
        blocks.x = unsigned(ceil_div(p.channels, bias_channels));
        launch(stream, {blocks, bias_channels * bias_rows, sizeof(BiasShared)}, sum_dy<T>, q);
    }
    const std::int64_t blocks_to_add = ceil_div(p.slot, std::int64_t{256});
    require(blocks_to_add <= INT32_MAX, "conv_backward_weight: ", p.slot, " sums are more than a launch takes");
    launch(stream, {{unsigned(blocks_to_add)}, 256}, add_chunks<T>, q);
}

}  // namespace

template <class T>
void conv_backward_weight(Stream stream, View<const T> x, View<const T> dy, Conv how, View<float> dw, float* dbias,
                          std::byte* workspace) {
    const Plan plan(x.shape, dw.shape, how);
    Problem<T> q{forward_grid(x.shape, dw.shape, how), x.data, dy.data, dw.data, dbias,
                 reinterpret_cast<float*>(workspace),  plan,   0,       0};
    for (; q.first_image < x.shape.n; q.first_image += q.images) {
        q.images = std::min(plan.images, x.shape.n - q.first_image);
        launch_images(stream, q);
    }
}
template void conv_backward_weight(Stream, View<const float>, View<const float>, Conv, View<float>, float*, std::byte*);
template void conv_backward_weight(Stream, View<const bf16>, View<const bf16>, Conv, View<float>, float*, std::byte*);

std::int64_t conv_backward_weight_workspace(Stream, Shape x, Shape w, Conv how) {
    return Plan(x, w, how).floats() * std::int64_t{sizeof(float)};
}

}  // namespace star::cuda
