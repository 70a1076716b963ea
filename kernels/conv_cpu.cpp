// The CPU's convolution and its input gradient: one implicit matrix product, blocked as Goto and van de Geijn (2008)
// do. The right matrix (weights) is packed once per call; the left one (pixels under the filter) is fetched block by
// block.
#include "kernels/conv_plan.h"
#include "kernels/elementwise.h"

namespace star {
namespace {

// 16 panels of weights, a depth block of each, take 512 KB: half of a second-level cache of 1 MB.
constexpr ConvItems most_of_grid{12, 16};

/// One thread's memory.
struct Worker {
    ConvPixel* pixels;
    std::int64_t *out_at, *sum_at;
    float *block, *sums;
};

struct Plan {
    ConvGrid grid;
    ConvParts blocks;   // of the depth
    ConvPanels panels;  // of the output's channels
    int rows, lanes;
    ConvItems items;
    int columns;        // of one item's sums
    int tiles_fetched;  // at once

    template <class T>
    Plan(const ConvGrid& grid, const ConvKernels<T>& kernels, int threads)
        : grid(grid),
          blocks(grid.depth(), conv_depth),
          panels(grid.out.c, kernels.lanes),
          rows(kernels.rows),
          lanes(kernels.lanes),
          items(conv_items(ceil_div(grid.pixels(), std::int64_t{rows}), panels.count(), most_of_grid, true, threads)),
          columns(items.columns * panels.wide),
          tiles_fetched(std::max(1, std::min(items.rows, conv_depth / std::max(1, blocks.part)))) {}

    int item_pixels() const { return items.rows * rows; }
    float* weights(Carve& from) const { return from.take<float>(std::int64_t{grid.depth()} * panels.padded); }
    Worker worker(Carve& from) const {
        const int pixels = item_pixels();
        return {from.take<ConvPixel>(pixels), from.take<std::int64_t>(pixels), from.take<std::int64_t>(pixels),
                from.take<float>(std::int64_t{rows} * tiles_fetched * conv_block_stride),
                from.take<float>(std::int64_t{pixels} * columns)};
    }
    std::int64_t bytes(int threads) const {
        Carve count(nullptr);
        weights(count);
        for (int t = 0; t < threads; ++t) worker(count);
        return count.used();
    }
};

/// Where the pixels [first, first + count) of the grid read and write.
void locate(const Plan& plan, std::int64_t first, int count, const Worker& to) {
    const ConvGrid& g = plan.grid;
    int j = int(first % g.grid_w), i = int(first / g.grid_w % g.grid_h);
    std::int64_t n = first / g.grid_w / g.grid_h;
    for (int m = 0; m < count; ++m) {
        to.pixels[m] = {n * g.source.h * g.source.w * g.source.c, i * g.step_in + g.offset_h,
                        j * g.step_in + g.offset_w};
        to.out_at[m] = ((n * g.out.h + g.start_h + std::int64_t{i} * g.step_out) * g.out.w + g.start_w +
                        std::int64_t{j} * g.step_out) *
                       g.out.c;
        to.sum_at[m] = std::int64_t{m} * plan.columns;
        if (++j == g.grid_w) {
            j = 0;
            if (++i == g.grid_h) i = 0, ++n;
        }
    }
}

template <class T>
struct Outputs {
    const float* bias;
    bool relu;
    T* data;
};

/// One item: all of the depth for some pixels and some panels.
template <class T>
void convolve_item(const Plan& plan, const ConvKernels<T>& kernels, const T* source, const float* weights,
                   Outputs<T> out, const Worker& worker, std::int64_t item) {
    const ConvGrid& g = plan.grid;
    const int groups = ceil_div(plan.panels.count(), plan.items.columns);
    const std::int64_t first = item / groups * plan.item_pixels();
    const int count = int(g.pixels() - first < plan.item_pixels() ? g.pixels() - first : plan.item_pixels());
    const int column = int(item % groups) * plan.columns;
    locate(plan, first, count, worker);
    const ConvSource<T> from{source, g.source.size(), g.source.h, g.source.w, g.source.c, g.taps_w};
    ConvProduct<T> p{};
    p.a = worker.block;
    p.columns = plan.panels.columns - column < plan.columns ? plan.panels.columns - column : plan.columns;
    if constexpr (std::is_same_v<T, float>)
        p.sum = out.data + column;
    else
        p.sum = worker.sums;
    p.bias = out.bias ? out.bias + column : nullptr;
    p.relu = out.relu;
    const int parts =
        ceil_div(count, plan.rows * plan.tiles_fetched);  // equal ones: no row is computed that isn't wanted
    for (int b = 0; b < plan.blocks.count(); ++b) {
        p.depth = plan.blocks.size(b);
        p.b = weights + std::int64_t{plan.blocks.first(b)} * plan.panels.padded + std::int64_t{column} * p.depth;
        p.add = b > 0;
        const bool finished = b + 1 == plan.blocks.count();
        p.out = finished ? out.data + column : nullptr;
        // A tile's pixels (of a shallow sum: several tiles') stay in the first-level cache while they pass all panels.
        for (int part = 0; part < parts; ++part) {
            const int begin = int(std::int64_t{count} * part / parts),
                      end = int(std::int64_t{count} * (part + 1) / parts);
            kernels.fetch(from, worker.pixels + begin, end - begin, plan.blocks.first(b), p.depth, worker.block,
                          conv_block_stride, conv_block_stride);
            p.rows = end - begin;
            p.out_at = worker.out_at + begin;
            p.sum_at = (std::is_same_v<T, float> ? worker.out_at : worker.sum_at) + begin;
            kernels.multiply(p);
        }
    }
}

/// pack(block, panel, to) fills one panel of one depth block.
template <class T, class Pack>
void convolve(Stream stream, const ConvGrid& grid, const T* source, Pack pack, Outputs<T> out, std::byte* workspace) {
    if (grid.pixels() == 0) return;
    const ConvKernels<T>& kernels = conv_kernels<T>(stream.pool->isa());
    const Plan plan(grid, kernels, stream.pool->threads());
    Carve carve(workspace);
    float* weights = plan.weights(carve);
    std::byte* workers = workspace + carve.used();
    Carve one(nullptr);
    plan.worker(one);
    const int panels = plan.panels.count();
    stream.pool->for_each(std::int64_t{panels} * plan.blocks.count(), [&](std::int64_t i, int) {
        const int block = int(i / panels), panel = int(i % panels);
        pack(kernels, plan, block, panel,
             weights + std::int64_t{plan.blocks.first(block)} * plan.panels.padded +
                 std::int64_t{panel} * plan.panels.wide * plan.blocks.size(block));
    });
    const std::int64_t items =
        ceil_div(grid.pixels(), std::int64_t{plan.item_pixels()}) * ceil_div(panels, plan.items.columns);
    stream.pool->for_each(items, [&](std::int64_t item, int worker) {
        Carve mine(workers + worker * one.used());
        convolve_item(plan, kernels, source, weights, out, plan.worker(mine), item);
    });
}

std::int64_t workspace_of(Stream stream, const ConvGrid& grid) {
    if (grid.pixels() == 0) return 0;
    return Plan(grid, conv_kernels<float>(stream.pool->isa()), stream.pool->threads()).bytes(stream.pool->threads());
}

}  // namespace

namespace cpu {

template <class T>
void conv_forward(Stream stream, View<const T> x, View<const T> w, ConvEnd<T> end, Conv how, View<T> y,
                  std::byte* workspace) {
    const auto pack = [&](const ConvKernels<T>& kernels, const Plan& plan, int block, int panel, float* to) {
        const std::int64_t depth = plan.grid.depth();
        kernels.pack_columns(w.data + std::int64_t{panel} * plan.panels.wide * depth + plan.blocks.first(block), depth,
                             plan.panels.valid(panel), plan.blocks.size(block), to, plan.panels.width(panel));
    };
    const bool relu = how.relu && !end.residual.data;
    convolve(stream, forward_grid(x.shape, w.shape, how), x.data, pack, Outputs<T>{end.bias, relu, y.data}, workspace);
    // What follows reads y again, from a cache: the product bounds the time here.
    if (end.residual.data) add<T>(stream, y, end.residual, how.relu, y);
    if (end.moments) batch_norm_moments<T>(stream, y, conv_runs(y.shape), end.moments);
}

template <class T>
void conv_backward_input(Stream stream, View<const T> dy, View<const T> w, Conv how, View<T> dx, std::byte* workspace) {
    for (int phase_h = 0; phase_h < how.stride; ++phase_h)
        for (int phase_w = 0; phase_w < how.stride; ++phase_w) {
            const auto pack = [&](const ConvKernels<T>& kernels, const Plan& plan, int block, int panel, float* to) {
                const ConvGrid& g = plan.grid;
                const int k = g.source.c, width = plan.panels.width(panel), first = plan.blocks.first(block);
                const std::int64_t filter = View<const T>{w}.size() / k;
                for (int d = first, end = first + plan.blocks.size(block); d < end;) {
                    const int tap = d / k, begin = d % k, count = k - begin < end - d ? k - begin : end - d;
                    const int r = phase_h + how.stride * (g.taps_h - 1 - tap / g.taps_w);
                    const int s = phase_w + how.stride * (g.taps_w - 1 - tap % g.taps_w);
                    kernels.pack_rows(w.data + begin * filter + (std::int64_t{r} * w.shape.w + s) * w.shape.c +
                                          std::int64_t{panel} * plan.panels.wide,
                                      filter, plan.panels.valid(panel), count, to + std::int64_t{d - first} * width,
                                      width);
                    d += count;
                }
            };
            convolve(stream, backward_grid(dx.shape, w.shape, how, phase_h, phase_w), dy.data, pack,
                     Outputs<T>{nullptr, false, dx.data}, workspace);
        }
}

std::int64_t conv_forward_workspace(Stream stream, Shape x, Shape w, Conv how) {
    return workspace_of(stream, forward_grid(x, w, how));
}

std::int64_t conv_backward_input_workspace(Stream stream, Shape x, Shape w, Conv how) {
    std::int64_t most = 0;
    for (int phase_h = 0; phase_h < how.stride; ++phase_h)
        for (int phase_w = 0; phase_w < how.stride; ++phase_w)
            most = std::max(most, workspace_of(stream, backward_grid(x, w, how, phase_h, phase_w)));
    return most;
}

template void conv_forward(Stream, View<const float>, View<const float>, ConvEnd<float>, Conv, View<float>, std::byte*);
template void conv_forward(Stream, View<const bf16>, View<const bf16>, ConvEnd<bf16>, Conv, View<bf16>, std::byte*);
template void conv_backward_input(Stream, View<const float>, View<const float>, Conv, View<float>, std::byte*);
template void conv_backward_input(Stream, View<const bf16>, View<const bf16>, Conv, View<bf16>, std::byte*);

}  // namespace cpu
}  // namespace star
