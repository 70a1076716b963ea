// The CPU's weight gradient: dw (K by R*S*C) as a product of dy (transposed) and the pixels under the filter, summed
// over chunks of one image's pixels. Large images with few weights are shared out by pixels, in groups whose sums are
// added to dw in order; otherwise each item of work owns a piece of dw.
#include "kernels/conv_plan.h"

namespace star {
namespace {

// A piece of dw of 18 tiles by 8 panels takes 256 KB, and so does a chunk of dy or of the pixels under 8 panels:
// together they stay in the second-level cache.
constexpr ConvItems most_of_weights{18, 8};
constexpr int chunks_of_group = 4;
constexpr std::int64_t most_grouped_weights = 128 << 10;  // elements of dw of which each group has its own sum

struct Worker {
    ConvPixel* pixels;
    std::int64_t* sum_at;
    float *panels, *dy;
};

struct Plan {
    ConvGrid grid;
    int outputs;        // K
    ConvPanels panels;  // of the weights of one output channel
    ConvParts chunks;   // of one image's output pixels
    int rows;
    bool grouped;  // depends on one image's shape alone, as it decides the order of sums
    ConvItems items;

    template <class T>
    Plan(const ConvGrid& grid, const ConvKernels<T>& kernels, int threads)
        : grid(grid),
          outputs(grid.out.c),
          panels(grid.depth(), kernels.lanes),
          chunks(grid.grid_h * grid.grid_w, conv_depth),
          rows(kernels.rows),
          grouped(weights() <= most_grouped_weights),
          items(grouped ? ConvItems{ceil_div(outputs, rows), std::min(panels.count(), most_of_weights.columns)}
                        : conv_items(ceil_div(outputs, rows), panels.count(), most_of_weights, false, threads)) {}

    std::int64_t weights() const { return std::int64_t{outputs} * panels.columns; }
    int item_outputs() const { return items.rows * rows; }
    /// Sums of weights and biases of one group, and of so many groups at a time.
    std::int64_t group_sums() const { return weights() + outputs; }
    int groups_of_image() const { return ceil_div(chunks.count(), chunks_of_group); }
    std::int64_t groups() const { return std::int64_t{grid.source.n} * groups_of_image(); }
    int groups_at_once(int threads) const { return grouped ? int(std::min(groups(), std::int64_t{4} * threads)) : 0; }
    /// Few groups are cut further, by panels, so that every thread has work.
    int pieces_of_group(int threads) const {
        return threads == 1 ? 1 : std::min(panels.count(), ceil_div(4 * threads, groups_at_once(threads)));
    }

    Worker worker(Carve& from) const {
        const std::int64_t pixels = chunks.part;
        return {from.take<ConvPixel>(pixels), from.take<std::int64_t>(item_outputs()),
                from.take<float>(pixels * panels.wide * items.columns), from.take<float>(pixels * item_outputs())};
    }
    std::int64_t worker_bytes() const {
        Carve one(nullptr);
        worker(one);
        return one.used();
    }
    float* sums(Carve& from, int threads) const { return from.take<float>(groups_at_once(threads) * group_sums()); }
};

/// A piece of dw: outputs [k, k + outputs), panels [first, last); dbias is null where another piece sums it.
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

/// Adds one chunk of pixels of image n to a piece of dw, or stores it there.
template <class T>
void add_chunk(const Plan& plan, const ConvKernels<T>& kernels, Inputs<T> of, const Worker& worker, int n, int chunk,
               const Piece& piece, bool add) {
    const ConvGrid& g = plan.grid;
    const int begin = plan.chunks.first(chunk), count = plan.chunks.size(chunk);
    locate(g, n, begin, count, worker.pixels);
    for (int m = 0; m < piece.outputs; ++m) worker.sum_at[m] = std::int64_t{m} * plan.panels.columns;
    const T* dy = of.dy + (std::int64_t{n} * plan.chunks.total + begin) * plan.outputs + piece.k;
    kernels.pack_tiles(dy, plan.outputs, piece.outputs, count, worker.dy);
    if (piece.dbias) kernels.sum_rows(dy, plan.outputs, piece.outputs, count, add, piece.dbias + piece.k);
    const ConvSource<T> from{of.x, g.source.size(), g.source.h, g.source.w, g.source.c, g.taps_w};
    ConvProduct<T> p{};
    p.a = worker.dy;
    p.transposed = true;
    p.b = worker.panels;
    p.rows = piece.outputs;
    p.depth = count;
    p.sum_at = worker.sum_at;
    p.add = add;
    for (int panel = piece.first; panel < piece.last; panel += plan.items.columns) {
        const int column = panel * plan.panels.wide, last = std::min(panel + plan.items.columns, piece.last) - 1;
        p.columns = last * plan.panels.wide + plan.panels.valid(last) - column;
        p.sum = piece.dw + std::int64_t{piece.k} * plan.panels.columns + column;
        kernels.fetch(from, worker.pixels, count, column, p.columns, worker.panels, plan.panels.wide,
                      plan.panels.width(last));
        kernels.multiply(p);
    }
}

/// All pixels of a piece of dw, in order.
template <class T>
void add_piece(const Plan& plan, const ConvKernels<T>& kernels, Inputs<T> of, const Worker& worker, std::int64_t item,
               float* dw, float* dbias) {
    const int groups = ceil_div(plan.panels.count(), plan.items.columns);
    const int k = int(item / groups) * plan.item_outputs(), first = int(item % groups) * plan.items.columns;
    const Piece piece{k,     std::min(plan.outputs - k, plan.item_outputs()),
                      first, std::min(first + plan.items.columns, plan.panels.count()),
                      dw,    first == 0 ? dbias : nullptr};
    for (int n = 0; n < plan.grid.source.n; ++n)
        for (int chunk = 0; chunk < plan.chunks.count(); ++chunk)
            add_chunk(plan, kernels, of, worker, n, chunk, piece, true);
}

/// Stores a piece of the sums over one group's pixels.
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
    const Plan plan(forward_grid(x.shape, dw.shape, how), kernels, threads);
    const Inputs<T> of{x.data, dy.data};
    Carve carve(workspace);
    float* sums = plan.sums(carve, threads);
    std::byte* workers = workspace + carve.used();
    const auto worker = [&](int which) {
        Carve mine(workers + which * plan.worker_bytes());
        return plan.worker(mine);
    };
    if (!plan.grouped) {
        const std::int64_t items = std::int64_t{ceil_div(ceil_div(plan.outputs, plan.rows), plan.items.rows)} *
                                   ceil_div(plan.panels.count(), plan.items.columns);
        stream.pool->for_each(items, [&](std::int64_t item, int which) {
            add_piece(plan, kernels, of, worker(which), item, dw.data, dbias);
        });
        return;
    }
    const int at_once = plan.groups_at_once(threads), pieces = plan.pieces_of_group(threads),
              panels = plan.panels.count();
    for (std::int64_t first = 0; first < plan.groups(); first += at_once) {
        const int count = int(std::min(plan.groups() - first, std::int64_t{at_once}));
        stream.pool->for_each(std::int64_t{count} * pieces, [&](std::int64_t i, int which) {
            const int piece = int(i % pieces);
            float* to = sums + i / pieces * plan.group_sums();
            sum_group(plan, kernels, of, worker(which), first + i / pieces,
                      Piece{0, plan.outputs, panels * piece / pieces, panels * (piece + 1) / pieces, to,
                            dbias && piece == 0 ? to + plan.weights() : nullptr});
        });
        constexpr std::int64_t grain = 8192;  // weights: a few microseconds of additions
        stream.pool->for_range(plan.weights(), grain, [&](std::int64_t begin, std::int64_t end, int) {
            kernels.add_parts(sums + begin, plan.group_sums(), count, end - begin, dw.data + begin);
        });
        if (dbias) kernels.add_parts(sums + plan.weights(), plan.group_sums(), count, plan.outputs, dbias);
    }
}

std::int64_t conv_backward_weight_workspace(Stream stream, Shape x, Shape w, Conv how) {
    const int threads = stream.pool->threads();
    const Plan plan(forward_grid(x, w, how), conv_kernels<float>(stream.pool->isa()), threads);
    Carve count(nullptr);
    plan.sums(count, threads);
    return count.used() + plan.worker_bytes() * threads;
}

template void conv_backward_weight(Stream, View<const float>, View<const float>, Conv, View<float>, float*, std::byte*);
template void conv_backward_weight(Stream, View<const bf16>, View<const bf16>, Conv, View<float>, float*, std::byte*);

}  // namespace cpu
}  // namespace star
