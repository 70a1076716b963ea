// Packs weights and pixels for the tiles. Depth is not blocked: sums stay in their tiles from first to last.
#include "kernels/conv_tiles.h"

#include <algorithm>
#include <cstring>

namespace star {
namespace {

constexpr int apart = 32;  // bf16 more than the depth from row to row: other sets of the first-level cache

struct Worker {
    std::int64_t* out_at;
    bf16* pixels;
};

struct Plan {
    ConvGrid grid;
    int steps, panels;  // of the depth; of the output's channels
    bool direct;        // a pixel's depth is its channels, side by side with the next pixel's, in whole tiles
    int groups;         // of pairs of panels: so many items for the same pixels

    Plan(const ConvGrid& g, int threads)
        : grid(g),
          steps(ceil_div(g.depth(), tile_depth)),
          panels(ceil_div(g.out.c, tile_side)),
          direct(g.taps_h * g.taps_w == 1 && g.step_in == 1 && g.offset_h == 0 && g.offset_w == 0 &&
                 g.source.c % tile_depth == 0),
          groups(conv_groups(rows(), ceil_div(panels, 2), threads)) {}
    std::int64_t rows() const { return ceil_div(grid.pixels(), std::int64_t{conv_item_pixels}); }
    std::int64_t panel_size() const { return std::int64_t{steps} * tile_side * tile_side; }  // floats
    std::int64_t stride() const { return std::int64_t{steps} * tile_depth + apart; }
    float* weights(Carve& from) const { return from.take<float>(panel_size() * panels); }
    Worker worker(Carve& from) const {
        return {from.take<std::int64_t>(conv_item_pixels), from.take<bf16>(conv_item_pixels * stride())};
    }
};

// What lies under the filter at each pixel, zeros outside the image and behind the last.
void fetch(const Plan& plan, const bf16* source, std::int64_t first, int count, bf16* to) {
    const ConvGrid& g = plan.grid;
    const std::int64_t c = g.source.c, run = g.taps_w * c, line = g.source.w * c, depth = g.depth();
    for (int m = 0; m < count; ++m, to += plan.stride()) {
        const std::int64_t pixel = first + m;
        const int column = int(pixel % g.grid_w) * g.step_in + g.offset_w;
        const int row = int(pixel / g.grid_w % g.grid_h) * g.step_in + g.offset_h;
        const bf16* const image = source + pixel / g.grid_w / g.grid_h * g.source.h * line;
        const std::int64_t low = std::clamp<std::int64_t>(-column * c, 0, run);
        const std::int64_t high = std::clamp<std::int64_t>((g.source.w - column) * c, low, run);
        for (int r = 0; r < g.taps_h; ++r) {
            bf16* const at = to + r * run;
            if (row + r < 0 || row + r >= g.source.h || high == low) {
                std::fill_n(at, run, bf16{});
                continue;
            }
            std::fill_n(at, low, bf16{});
            std::memcpy(at + low, image + (row + r) * line + column * c + low, sizeof(bf16) * std::size_t(high - low));
            std::fill_n(at + high, run - high, bf16{});
        }
        std::fill_n(to + depth, std::int64_t{plan.steps} * tile_depth - depth, bf16{});
    }
}

// A pair of bf16 moves as one float would.
const float* pairs(const bf16* p) { return reinterpret_cast<const float*>(p); }

void pack(const Plan& plan, const ConvKernels<float>& kernels, const bf16* w, int panel, float* to) {
    const int deep = plan.grid.depth() / 2, first = panel * tile_side;
    kernels.pack_columns(pairs(w) + std::int64_t{first} * deep, deep, std::min(tile_side, plan.grid.out.c - first),
                         deep, to, tile_side);
    std::fill(to + std::int64_t{deep} * tile_side, to + plan.panel_size(), 0.0f);
}

}  // namespace

bool conv_tiles_serve(Isa isa, const ConvGrid& grid) { return isa == Isa::amx && grid.depth() % 2 == 0; }

void conv_forward_tiles(Stream stream, const ConvGrid& grid, const bf16* x, const bf16* w, const ConvEnd<bf16>& end,
                        bool relu, bf16* y, std::byte* workspace) {
    const Plan plan(grid, stream.pool->threads());
    Carve carve(workspace);
    float* const weights = plan.weights(carve);
    std::byte* const workers = workspace + carve.used();
    Carve one(nullptr);
    plan.worker(one);
    const ConvKernels<float>& kernels = conv_kernels<float>(stream.pool->isa());
    stream.pool->for_each(
        plan.panels, [&](std::int64_t i, int) { pack(plan, kernels, w, int(i), weights + i * plan.panel_size()); });
    stream.pool->for_each(plan.rows() * plan.groups, [&](std::int64_t item, int worker) {
        Carve mine(workers + worker * one.used());
        const Worker memory = plan.worker(mine);
        const std::int64_t first = item / plan.groups * conv_item_pixels;
        const int count = int(std::min<std::int64_t>(grid.pixels() - first, conv_item_pixels));
        const int group = int(item % plan.groups), couples = ceil_div(plan.panels, 2);
        const int begin = couples * group / plan.groups * 2, last = couples * (group + 1) / plan.groups * 2;
        const std::int64_t channels = grid.out.c, column = std::int64_t{begin} * tile_side;
        for (int m = 0; m < count; ++m) memory.out_at[m] = (first + m) * channels + column;
        ConvTiles p{};
        p.rows = count, p.steps = plan.steps;
        p.columns = int(std::min<std::int64_t>(channels, std::int64_t{last} * tile_side) - column);
        if (plan.direct && count % (2 * tile_side) == 0) {
            p.a = x + first * grid.source.c, p.stride = grid.source.c;
        } else {
            fetch(plan, x, first, count, memory.pixels);
            p.a = memory.pixels, p.stride = plan.stride();
        }
        p.b = weights + begin * plan.panel_size();
        p.out = y, p.out_at = memory.out_at;
        p.bias = end.bias ? end.bias + column : nullptr;
        p.residual = end.residual.data;
        p.relu = relu;
        amx::conv_multiply(p);
        if (end.moments)
            conv_kernels<bf16>(stream.pool->isa())
                .moments(y + first * channels + column, channels, count, p.columns,
                         end.moments + first / conv_item_pixels * 3 * channels + column, channels);
    });
}

std::int64_t conv_forward_tiles_workspace(Stream stream, const ConvGrid& grid) {
    const Plan plan(grid, stream.pool->threads());
    Carve count(nullptr);
    plan.weights(count);
    for (int t = 0; t < stream.pool->threads(); ++t) plan.worker(count);
    return count.used();
}

}  // namespace star
