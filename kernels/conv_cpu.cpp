// The CPU's convolution and its input gradient: one implicit matrix product, blocked as Goto and van de Geijn (2008)
// do. The right matrix (weights) is packed once per call. The left one (pixels under the filter) is read where it lies,
// through a pointer per pixel and tap (Dukhan 2019); what isn't float, or has too few channels for that, is copied
// block by block.
#include "kernels/conv_plan.h"
#include "kernels/conv_tiles.h"

namespace star {
namespace {

constexpr int least_channels = 8;  // in memory for a pixel to be read where it lies: its pointers must pay

/// One thread's memory.
struct Worker {
    ConvPixel* pixels;
    std::int64_t *out_at, *sum_at;
    const float** at;
    float *zeros, *block, *sums;
};

struct Plan {
    ConvGrid grid;
    bool direct;  // the source is read where it lies
    ConvBlocks blocks;
    ConvPanels panels;  // of the output's channels
    int groups;         // of panels: so many items for the same pixels

    Plan(const ConvGrid& grid, int lanes, bool is_float, int threads)
        : grid(grid),
          direct(is_float && grid.source.c >= least_channels),
          blocks(direct ? ConvBlocks(grid.taps_h * grid.taps_w, grid.source.c) : ConvBlocks(1, grid.depth())),
          panels(grid.out.c, lanes),
          groups(conv_groups(rows(), panels.count(), threads)) {}

    std::int64_t rows() const { return ceil_div(grid.pixels(), std::int64_t{conv_item_pixels}); }
    std::int64_t items() const { return rows() * groups; }
    float* weights(Carve& from) const { return from.take<float>(std::int64_t{grid.depth()} * panels.padded); }
    Worker worker(Carve& from) const {
        return {from.take<ConvPixel>(conv_item_pixels),
                from.take<std::int64_t>(conv_item_pixels),
                from.take<std::int64_t>(conv_item_pixels),
                from.take<const float*>(std::int64_t{conv_item_pixels} * std::max(1, blocks.taps.part)),
                from.take<float>(direct ? grid.source.c : 0),
                from.take<float>(direct ? 0 : conv_item_pixels * conv_block_stride),
                from.take<float>(direct ? 0 : conv_item_pixels * panels.padded)};
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
        to.sum_at[m] = std::int64_t{m} * plan.panels.padded;
        if (++j == g.grid_w) {
            j = 0;
            if (++i == g.grid_h) i = 0, ++n;
        }
    }
}

template <class T>
struct Outputs {
    ConvEnd<T> end;
    bool relu;
    T* data;
};

/// Makes the left matrix of one block for `count` pixels.
template <class T>
void set_left(const Plan& plan, const ConvKernels<T>& kernels, const T* source, int block, int count,
              const Worker& worker, ConvProduct<T>& p) {
    p.at = worker.at;
    p.segments = plan.blocks.segments(block), p.length = plan.blocks.length(block);
    if constexpr (std::is_same_v<T, float>)
        if (plan.direct) {
            const ConvPixels pixels{source, worker.zeros, worker.pixels, count};
            for (int s = 0; s < p.segments; ++s)
                point(plan.grid, pixels, plan.blocks.tap(block) + s, plan.blocks.channel(block), worker.at + s * count);
            return;
        }
    const ConvGrid& g = plan.grid;
    const ConvSource<T> from{source, g.source.size(), g.source.h, g.source.w, g.source.c, g.taps_w};
    kernels.fetch(from, worker.pixels, count, plan.blocks.first(block), plan.blocks.size(block), worker.block);
    for (int m = 0; m < count; ++m) worker.at[m] = worker.block + m * conv_block_stride;
}

/// One item: all of the depth for some pixels and some panels.
template <class T>
void convolve_item(const Plan& plan, const ConvKernels<T>& kernels, const T* source, const float* weights,
                   const Outputs<T>& out, const Worker& worker, std::int64_t item) {
    const std::int64_t first = item / plan.groups * conv_item_pixels;
    const int count = int(std::min<std::int64_t>(plan.grid.pixels() - first, conv_item_pixels));
    const int group = int(item % plan.groups), panels = plan.panels.count();
    const int begin = panels * group / plan.groups, last = panels * (group + 1) / plan.groups - 1;
    const int column = begin * plan.panels.wide;
    locate(plan, first, count, worker);
    if (plan.direct) std::fill_n(worker.zeros, plan.grid.source.c, 0.0f);
    ConvProduct<T> p{};
    p.rows = count;
    p.columns = last * plan.panels.wide + plan.panels.valid(last) - column;
    p.out_at = worker.out_at;
    if constexpr (std::is_same_v<T, float>)
        p.sum = out.data + column, p.sum_at = worker.out_at;
    else
        p.sum = worker.sums + column, p.sum_at = worker.sum_at;
    p.bias = out.end.bias ? out.end.bias + column : nullptr;
    p.residual = out.end.residual.data ? out.end.residual.data + column : nullptr;
    p.relu = out.relu;
    for (int b = 0; b < plan.blocks.count(); ++b) {
        set_left(plan, kernels, source, b, count, worker, p);
        p.b = weights + std::int64_t{plan.blocks.first(b)} * plan.panels.padded +
              std::int64_t{column} * plan.blocks.size(b);
        p.add = b > 0;
        p.out = b + 1 == plan.blocks.count() ? out.data + column : nullptr;
        kernels.multiply(p);
    }
    if (out.end.moments) {  // of what is still in the cache
        const std::int64_t channels = plan.grid.out.c;
        kernels.moments(p.out + first * channels, channels, count, p.columns,
                        out.end.moments + first / conv_item_pixels * 3 * channels + column, channels);
    }
}

/// pack(block, panel, to) fills one panel of one depth block.
template <class T, class Pack>
void convolve(Stream stream, const ConvGrid& grid, const T* source, Pack pack, const Outputs<T>& out,
              std::byte* workspace) {
    if (grid.pixels() == 0) return;
    const ConvKernels<T>& kernels = conv_kernels<T>(stream.pool->isa());
    const Plan plan(grid, kernels.lanes, std::is_same_v<T, float>, stream.pool->threads());
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
    stream.pool->for_each(plan.items(), [&](std::int64_t item, int worker) {
        Carve mine(workers + worker * one.used());
        convolve_item(plan, kernels, source, weights, out, plan.worker(mine), item);
    });
}

std::int64_t workspace_of(Stream stream, const ConvGrid& grid) {
    if (grid.pixels() == 0) return 0;
    const int lanes = conv_kernels<float>(stream.pool->isa()).lanes, threads = stream.pool->threads();
    return std::max(Plan(grid, lanes, true, threads).bytes(threads), Plan(grid, lanes, false, threads).bytes(threads));
}

}  // namespace

namespace cpu {

template <class T>
void conv_forward(Stream stream, View<const T> x, View<const T> w, ConvEnd<T> end, Conv how, View<T> y,
                  std::byte* workspace) {
    const ConvGrid grid = forward_grid(x.shape, w.shape, how);
    if constexpr (std::is_same_v<T, bf16>)
        if (conv_tiles_serve(stream.pool->isa(), grid))
            return conv_forward_tiles(stream, grid, x.data, w.data, end, how.relu, y.data, workspace);
    const auto pack = [&](const ConvKernels<T>& kernels, const Plan& plan, int block, int panel, float* to) {
        const std::int64_t depth = plan.grid.depth();
        kernels.pack_columns(w.data + std::int64_t{panel} * plan.panels.wide * depth + plan.blocks.first(block), depth,
                             plan.panels.valid(panel), plan.blocks.size(block), to, plan.panels.width(panel));
    };
    convolve(stream, grid, x.data, pack, Outputs<T>{end, how.relu, y.data}, workspace);
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
                     Outputs<T>{{}, false, dx.data}, workspace);
        }
}

std::int64_t conv_forward_workspace(Stream stream, Shape x, Shape w, Conv how) {
    const ConvGrid grid = forward_grid(x, w, how);
    const std::int64_t products = workspace_of(stream, grid);
    return conv_tiles_serve(stream.pool->isa(), grid) ? std::max(products, conv_forward_tiles_workspace(stream, grid))
                                                      : products;
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
