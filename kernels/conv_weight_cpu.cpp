// The CPU's weight gradient: dw (K by R*S*C) as a product of dy (transposed) and the pixels under the filter, summed
// over chunks of one image's pixels. Large images with few weights are shared out by pixels, in groups whose sums are
// added to dw in order; otherwise each item of work owns a piece of dw.
#include "kernels/conv_plan.h"

namespace star {
namespace {

// A chunk's panel of pixels takes 16 KB of the first-level cache, with a tile of dy 22. A piece of dw of at most 108
// outputs by one block of depth takes 108 KB, and the chunk's dy as much: both stay in the second-level cache.
constexpr int most_pixels = 256, most_outputs = 108;
constexpr int chunks_of_group = 4, least_chunks_grouped = 4;
constexpr std::int64_t most_grouped_weights = 640 << 10;  // elements of dw of which each group has its own sum
constexpr std::int64_t most_sums_at_once = 16 << 20;      // elements: 64 MB

struct Worker {
    ConvPixel* pixels;
    const float** at;
    float *zeros, *block, *dy;
};

struct Plan {
    ConvGrid grid;
    int outputs;        // K
    bool direct;        // the pixels are read where they lie
    ConvBlocks blocks;  // of the weights of one output channel
    ConvParts chunks;   // of one image's output pixels
    int rows;
    bool grouped;     // depends on one image's shape alone, as it decides the order of sums
    ConvParts parts;  // of the outputs, in whole tiles

    Plan(const ConvGrid& grid, int rows, int lanes, bool is_float, int threads)
        : grid(grid),
          outputs(grid.out.c),
          direct(is_float && grid.source.c % lanes == 0),
          blocks(direct ? ConvBlocks(grid.taps_h * grid.taps_w, grid.source.c) : ConvBlocks(1, grid.depth())),
          chunks(grid.grid_h * grid.grid_w, most_pixels),
          rows(rows),
          grouped(weights() <= most_grouped_weights && chunks.count() >= least_chunks_grouped),
          parts(outputs, most_of_part(threads), rows) {}

    std::int64_t weights() const { return std::int64_t{outputs} * grid.depth(); }
    /// Sums of weights and biases of one group, and of so many groups at a time.
    std::int64_t group_sums() const { return weights() + outputs; }
    int groups_of_image() const { return ceil_div(chunks.count(), chunks_of_group); }
    std::int64_t groups() const { return std::int64_t{grid.source.n} * groups_of_image(); }
    int groups_at_once(int threads) const {
        return grouped ? int(std::min({groups(), std::int64_t{4} * threads, most_sums_at_once / group_sums()})) : 0;
    }

    Worker worker(Carve& from) const {
        const std::int64_t pixels = chunks.part;
        return {from.take<ConvPixel>(pixels), from.take<const float*>(pixels), from.take<float>(grid.source.c),
                from.take<float>(direct ? 0 : pixels * conv_block_stride),
                from.take<float>(ceil_div(parts.part, rows) * conv_tile_size(chunks.part, rows))};
    }
    std::int64_t worker_bytes() const {
        Carve one(nullptr);
        worker(one);
        return one.used();
    }
    float* sums(Carve& from, int threads) const { return from.take<float>(groups_at_once(threads) * group_sums()); }

private:
    /// Smaller parts where there would be too few items for the threads.
    int most_of_part(int threads) const {
        if (threads == 1) return most_outputs;
        const int others = grouped ? groups_at_once(threads) : blocks.count();
        return std::clamp(outputs * others / (4 * threads), 2 * rows, most_outputs);
    }
};

/// A piece of dw: outputs [k, k + outputs), blocks [first, last); dbias is null where another piece sums it.
struct Piece {
    int k, outputs, first, last;
    float *dw, *dbias;
};

template <class T>
struct Inputs {
    const T *x, *dy;
};

void locate(const ConvGrid& g, int n, int first, int count, ConvPixel* to) {
    int j = first % g.grid_w, i = first / g.grid_w;
    for (int m = 0; m < count; ++m) {
        to[m] = {std::int64_t{n} * g.source.h * g.source.w * g.source.c, i * g.step_in + g.offset_h,
                 j * g.step_in + g.offset_w};
        if (++j == g.grid_w) j = 0, ++i;
    }
}

/// Multiplies a packed chunk of dy with the pixels under one block of a filter. p.sum: the piece's first element.
template <class T>
void multiply_block(const Plan& plan, const ConvKernels<T>& kernels, const T* x, const Worker& worker, int block,
                    ConvPackedProduct p) {
    const ConvGrid& g = plan.grid;
    float* const sum = p.sum;
    p.b = worker.at;
    p.columns = plan.blocks.length(block);
    if constexpr (std::is_same_v<T, float>)
        if (plan.direct) {
            const ConvPixels pixels{x, worker.zeros, worker.pixels, p.depth};
            for (int s = 0; s < plan.blocks.segments(block); ++s) {
                point(g, pixels, plan.blocks.tap(block) + s, plan.blocks.channel(block), worker.at);
                p.sum = sum + plan.blocks.first(block) + s * g.source.c;
                kernels.multiply_packed(p);
            }
            return;
        }
    const ConvSource<T> from{x, g.source.size(), g.source.h, g.source.w, g.source.c, g.taps_w};
    kernels.fetch(from, worker.pixels, p.depth, plan.blocks.first(block), p.columns, worker.block);
    for (int m = 0; m < p.depth; ++m) worker.at[m] = worker.block + m * conv_block_stride;
    p.sum = sum + plan.blocks.first(block);
    kernels.multiply_packed(p);
}

/// Adds one chunk of pixels of image n to a piece of dw, or stores it there.
template <class T>
void add_chunk(const Plan& plan, const ConvKernels<T>& kernels, Inputs<T> of, const Worker& worker, int n, int chunk,
               const Piece& piece, bool add) {
    const int begin = plan.chunks.first(chunk), count = plan.chunks.size(chunk);
    locate(plan.grid, n, begin, count, worker.pixels);
    std::fill_n(worker.zeros, plan.grid.source.c, 0.0f);
    const T* dy = of.dy + (std::int64_t{n} * plan.chunks.total + begin) * plan.outputs + piece.k;
    kernels.pack_tiles(dy, plan.outputs, piece.outputs, count, worker.dy);
    if (piece.dbias) kernels.sum_rows(dy, plan.outputs, piece.outputs, count, add, piece.dbias + piece.k);
    ConvPackedProduct p{};
    p.a = worker.dy;
    p.rows = piece.outputs, p.depth = count;
    p.add = add;
    p.sum = piece.dw + std::int64_t{piece.k} * plan.grid.depth(), p.stride = plan.grid.depth();
    for (int block = piece.first; block < piece.last; ++block) multiply_block(plan, kernels, of.x, worker, block, p);
}

/// All pixels of a piece of dw, in order.
template <class T>
void add_piece(const Plan& plan, const ConvKernels<T>& kernels, Inputs<T> of, const Worker& worker, std::int64_t item,
               float* dw, float* dbias) {
    const int part = int(item / plan.blocks.count()), block = int(item % plan.blocks.count());
    const Piece piece{plan.parts.first(part),      plan.parts.size(part), block, block + 1, dw,
                      block == 0 ? dbias : nullptr};
    for (int n = 0; n < plan.grid.source.n; ++n)
        for (int chunk = 0; chunk < plan.chunks.count(); ++chunk)
            add_chunk(plan, kernels, of, worker, n, chunk, piece, true);
}

/// Stores a part's sums over one group's pixels.
template <class T>
void sum_group(const Plan& plan, const ConvKernels<T>& kernels, Inputs<T> of, const Worker& worker, std::int64_t group,
               const Piece& piece) {
    const int n = int(group / plan.groups_of_image()), first = int(group % plan.groups_of_image()) * chunks_of_group;
    const int last = std::min(first + chunks_of_group, plan.chunks.count());
    for (int chunk = first; chunk < last; ++chunk) add_chunk(plan, kernels, of, worker, n, chunk, piece, chunk > first);
}

}  // namespace

namespace cpu {

template <class T>
void conv_backward_weight(Stream stream, View<const T> x, View<const T> dy, Conv how, View<float> dw, float* dbias,
                          std::byte* workspace) {
    const ConvKernels<T>& kernels = conv_kernels<T>(stream.pool->isa());
    const int threads = stream.pool->threads();
    const Plan plan(forward_grid(x.shape, dw.shape, how), kernels.rows, kernels.lanes, std::is_same_v<T, float>,
                    threads);
    const Inputs<T> of{x.data, dy.data};
    Carve carve(workspace);
    float* sums = plan.sums(carve, threads);
    std::byte* workers = workspace + carve.used();
    const auto worker = [&](int which) {
        Carve mine(workers + which * plan.worker_bytes());
        return plan.worker(mine);
    };
    const std::int64_t parts = plan.parts.count();
    if (!plan.grouped) {
        stream.pool->for_each(parts * plan.blocks.count(), [&](std::int64_t item, int which) {
            add_piece(plan, kernels, of, worker(which), item, dw.data, dbias);
        });
        return;
    }
    const int at_once = plan.groups_at_once(threads);
    for (std::int64_t first = 0; first < plan.groups(); first += at_once) {
        const int count = int(std::min(plan.groups() - first, std::int64_t{at_once}));
        stream.pool->for_each(count * parts, [&](std::int64_t i, int which) {
            const int part = int(i % parts);
            float* to = sums + i / parts * plan.group_sums();
            sum_group(plan, kernels, of, worker(which), first + i / parts,
                      Piece{plan.parts.first(part), plan.parts.size(part), 0, plan.blocks.count(), to,
                            dbias ? to + plan.weights() : nullptr});
        });
        constexpr std::int64_t grain = 8192;  // weights: a few microseconds of additions
        stream.pool->for_range(plan.weights(), grain, [&](std::int64_t begin, std::int64_t end, int) {
            kernels.add_parts(sums + begin, plan.group_sums(), count, end - begin, dw.data + begin);
        });
        if (dbias) kernels.add_parts(sums + plan.weights(), plan.group_sums(), count, plan.outputs, dbias);
    }
}

std::int64_t conv_backward_weight_workspace(Stream stream, Shape x, Shape w, Conv how) {
    const ConvKernels<float>& kernels = conv_kernels<float>(stream.pool->isa());
    const int threads = stream.pool->threads();
    std::int64_t most = 0;
    for (bool is_float : {false, true}) {
        const Plan plan(forward_grid(x, w, how), kernels.rows, kernels.lanes, is_float, threads);
        Carve count(nullptr);
        plan.sums(count, threads);
        most = std::max(most, count.used() + plan.worker_bytes() * threads);
    }
    return most;
}

template void conv_backward_weight(Stream, View<const float>, View<const float>, Conv, View<float>, float*, std::byte*);
template void conv_backward_weight(Stream, View<const bf16>, View<const bf16>, Conv, View<float>, float*, std::byte*);

}  // namespace cpu
}  // namespace star
