// Smooth-L1 box loss on the CPU: cells in fixed runs, each with its own partial sum.
#include "kernels/box_loss.h"

#include <algorithm>
#include <cmath>

#include "kernels/dispatch.h"

namespace star {
namespace {

constexpr std::int64_t most_runs = box_loss_runs;

constexpr std::int64_t cells_per_run(Shape s) {
    return std::max<std::int64_t>(ceil_div(std::int64_t{s.n} * s.h * s.w, most_runs), 1);
}

struct Term {
    float loss, slope;
};

Term smooth_l1(float d, float beta) {
    const float size = std::fabs(d);
    if (size < beta) return {0.5f * d * d / beta, d / beta};
    return {size - 0.5f * beta, d == 0 ? 0.0f : std::copysign(1.0f, d) + 0 * d};  // 0 * d: NaN stays NaN
}

}  // namespace

namespace cpu {

template <class T>
void box_loss(Stream stream, View<const T> deltas, AnchorGrid grid, int level_index, View<const int> match,
              View<const Box> truth, View<const int> positives, BoxLoss how, View<T> ddeltas, float* loss,
              double* partial) {
    const Shape s = deltas.shape;
    const AnchorLevel& level = grid.level[level_index];
    const std::int64_t cells = std::int64_t{s.h} * s.w, all = s.n * cells, run = cells_per_run(s);
    stream.pool->for_range(all, run, [&](std::int64_t first, std::int64_t last, int) {
        double sum = 0;
        for (std::int64_t i = first; i < last; ++i) {
            const std::int64_t n = i / cells;
            const int cell = int(i % cells);
            const float scale = how.weight / (float(s.n) * float(std::max(positives.data[n], 1)));
            const int* const unit = match.data + n * grid.total + level.first + std::int64_t{cell} * grid.per_cell;
            const T* const from = deltas.data + i * s.c;
            T* const to = ddeltas.data + i * s.c;
            for (int a = 0; a < grid.per_cell; ++a) {
                if (unit[a] < 0) {
                    std::fill_n(to + 4 * a, 4, T{});
                    continue;
                }
                const Delta t = encode(truth.data[unit[a]], anchor_box(level, cell / s.w, cell % s.w, a));
                const float target[4] = {t.x, t.y, t.w, t.h};
                for (int k = 0; k < 4; ++k) {
                    const Term term = smooth_l1(widen(from[4 * a + k]) - target[k], how.beta);
                    to[4 * a + k] = narrow<T>(scale * term.slope);
                    sum += double(scale) * term.loss;
                }
            }
            std::fill(to + 4 * grid.per_cell, to + s.c, T{});
        }
        partial[first / run] = sum;
    });
    double total = 0;
    for (std::int64_t i = 0; i < ceil_div(all, run); ++i) total += partial[i];
    *loss = float(total);
}

}  // namespace cpu

template <class T>
void box_loss(Stream stream, View<const T> deltas, const AnchorGrid& grid, int level, View<const int> match,
              View<const Box> truth, View<const int> positives, BoxLoss how, View<T> ddeltas, float* loss,
              Arena& scratch) {
    const Shape s = deltas.shape;
    require(level >= 0 && level < grid.levels && grid.levels <= max_levels, "box_loss: level ", level, " of ",
            grid.levels);
    require(s == ddeltas.shape && s.size() > 0 && s.h == grid.level[level].h && s.w == grid.level[level].w &&
                s.c >= 4 * grid.per_cell && match.shape == Shape{s.n, 1, 1, grid.total} && positives.size() == s.n,
            "box_loss: shapes disagree");
    require(how.beta >= 0, "box_loss: beta ", how.beta);
    const Arena::Scope scope(scratch);
    const auto partial = scratch.take<double>(most_runs);
    on<cpu::box_loss<T>, cuda::box_loss<T>>(stream, deltas, grid, level, match, truth, positives, how, ddeltas, loss,
                                            partial.data);
}

template void box_loss(Stream, View<const float>, const AnchorGrid&, int, View<const int>, View<const Box>,
                       View<const int>, BoxLoss, View<float>, float*, Arena&);
template void box_loss(Stream, View<const bf16>, const AnchorGrid&, int, View<const int>, View<const Box>,
                       View<const int>, BoxLoss, View<bf16>, float*, Arena&);

}  // namespace star
