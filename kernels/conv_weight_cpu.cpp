// The CPU's weight gradient: dw (K by R*S*C) as a product of dy (transposed) and the pixels under the filter, summed
// over chunks of one image's pixels, chunk after chunk and image after image. An item of work owns a piece of dw.
#include "kernels/conv_plan.h"

namespace star {
namespace {

// A piece of dw of 18 tiles by 8 panels takes 256 KB, and so does what a chunk needs of dy: both stay in the
// second-level cache.
constexpr ConvItems most_of_weights{18, 8};

struct Worker {
    ConvPixel* pixels;
    std::int64_t* sum_at;
    float *panel, *dy;
};

struct Plan {
    ConvGrid grid;
    int outputs;        // K
    ConvPanels panels;  // of the weights of one output channel
    ConvParts chunks;   // of one image's output pixels
    int rows;
    ConvItems items;

    template <class T>
    Plan(const ConvGrid& grid, const ConvKernels<T>& kernels, int threads)
        : grid(grid),
          outputs(grid.out.c),
          panels(grid.depth(), kernels.lanes),
          chunks(grid.grid_h * grid.grid_w, conv_depth),
          rows(kernels.rows),
          items(conv_items(ceil_div(outputs, rows), panels.count(), most_of_weights, false, threads)) {}

    int item_outputs() const { return items.rows * rows; }
    Worker worker(Carve& from) const {
        return {from.take<ConvPixel>(chunks.part), from.take<std::int64_t>(item_outputs()),
                from.take<float>(std::int64_t{chunks.part} * panels.wide),
                from.take<float>(std::int64_t{chunks.part} * item_outputs())};
    }
};

void locate(const ConvGrid& g, int n, int first, int count, ConvPixel* to) {
    int j = first % g.grid_w, i = first / g.grid_w;
    for (int m = 0; m < count; ++m) {
        to[m] = {std::int64_t{n} * g.source.h * g.source.w * g.source.c, i * g.step_in + g.offset_h,
                 j * g.step_in + g.offset_w};
        if (++j == g.grid_w) j = 0, ++i;
    }
}

template <class T>
struct Gradients {
    const T *x, *dy;
    float *dw, *dbias;
};

template <class T>
void item_of_weights(const Plan& plan, const ConvKernels<T>& kernels, Gradients<T> of, const Worker& worker,
                     std::int64_t item) {
    const ConvGrid& g = plan.grid;
    const int groups = ceil_div(plan.panels.count(), plan.items.columns);
    const int k = int(item / groups) * plan.item_outputs();
    const int outputs = plan.outputs - k < plan.item_outputs() ? plan.outputs - k : plan.item_outputs();
    const int first = int(item % groups) * plan.items.columns;
    const int last =
        first + plan.items.columns < plan.panels.count() ? first + plan.items.columns : plan.panels.count();
    for (int m = 0; m < outputs; ++m) worker.sum_at[m] = std::int64_t{m} * plan.panels.columns;
    const ConvSource<T> from{of.x, g.source.size(), g.source.h, g.source.w, g.source.c, g.taps_w};
    for (int n = 0; n < g.source.n; ++n)
        for (int chunk = 0; chunk < plan.chunks.count(); ++chunk) {
            const int begin = plan.chunks.first(chunk), count = plan.chunks.size(chunk);
            locate(g, n, begin, count, worker.pixels);
            const T* dy = of.dy + (std::int64_t{n} * plan.chunks.total + begin) * plan.outputs + k;
            ConvProduct<T> p{};
            p.transposed = true;
            if constexpr (std::is_same_v<T, float>) {
                p.a = dy, p.a_stride = plan.outputs;
            } else {
                kernels.pack_rows(dy, plan.outputs, outputs, count, worker.dy, outputs);
                p.a = worker.dy, p.a_stride = outputs;
            }
            if (of.dbias && first == 0) kernels.add_rows(p.a, p.a_stride, outputs, count, of.dbias + k);
            p.rows = outputs;
            p.depth = count;
            p.b = worker.panel;
            p.sum_at = worker.sum_at;
            p.add = true;
            for (int panel = first; panel < last; ++panel) {
                const int column = panel * plan.panels.wide;
                p.columns = plan.panels.valid(panel);
                p.sum = of.dw + std::int64_t{k} * plan.panels.columns + column;
                kernels.fetch(from, worker.pixels, count, column, p.columns, worker.panel, plan.panels.width(panel));
                kernels.multiply(p);
            }
        }
}

}  // namespace

namespace cpu {

template <class T>
void conv_backward_weight(Stream stream, View<const T> x, View<const T> dy, Conv how, View<float> dw, float* dbias,
                          std::byte* workspace) {
    const ConvKernels<T>& kernels = conv_kernels<T>(stream.pool->isa());
    const Plan plan(forward_grid(x.shape, dw.shape, how), kernels, stream.pool->threads());
    Carve one(nullptr);
    plan.worker(one);
    const std::int64_t items = std::int64_t{ceil_div(ceil_div(plan.outputs, plan.rows), plan.items.rows)} *
                               ceil_div(plan.panels.count(), plan.items.columns);
    stream.pool->for_each(items, [&](std::int64_t item, int worker) {
        Carve mine(workspace + worker * one.used());
        item_of_weights(plan, kernels, Gradients<T>{x.data, dy.data, dw.data, dbias}, plan.worker(mine), item);
    });
}

std::int64_t conv_backward_weight_workspace(Stream stream, Shape x, Shape w, Conv how) {
    const Plan plan(forward_grid(x, w, how), conv_kernels<float>(stream.pool->isa()), stream.pool->threads());
    Carve one(nullptr);
    plan.worker(one);
    return one.used() * stream.pool->threads();
}

template void conv_backward_weight(Stream, View<const float>, View<const float>, Conv, View<float>, float*, std::byte*);
template void conv_backward_weight(Stream, View<const bf16>, View<const bf16>, Conv, View<float>, float*, std::byte*);

}  // namespace cpu
}  // namespace star
