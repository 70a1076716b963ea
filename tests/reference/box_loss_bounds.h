// A box loss to run on any device, how far the result may be from its definition, and the comparison.
#pragma once
#include "kernels/box_loss.h"
#include "tests/reference/array.h"
#include "tests/reference/box_loss.h"
#include "tests/reference/match.h"

namespace star::reference {

template <class T>
struct BoxLossCase {
    AnchorGrid grid = small_grid();
    int level;
    Array<T> deltas;
    Array<int> match, positives;
    Array<Box> truth{{1, 1, 1, 40}};

    BoxLossCase(int level, int images, int channels)
        : level(level),
          deltas(random_array<T>({images, grid.level[level].h, grid.level[level].w, channels}, 51, 1)),
          match({images, 1, 1, grid.total}),
          positives({1, 1, 1, images}) {
        Random r(52, std::uint64_t(level));
        for (int i = 0; i < 40; ++i) {
            const float x = float(r.uniform(0, 70)), y = float(r.uniform(0, 60));
            truth[i] = {x, y, x + float(r.uniform(1, 20)), y + float(r.uniform(1, 20))};
        }
        for (std::int64_t i = 0; i < match.size(); ++i) match[i] = r.below(2) ? r.below(40) : -1 - r.below(2);
        for (int n = 0; n < images; ++n) positives[n] = 2 * n;
    }
};

template <class T>
void check_box_loss(const BoxLossCase<T>& k, BoxLoss how, const Array<T>& gradient, const Array<float>& loss) {
    CAPTURE(k.level);
    CAPTURE(how.beta);
    const Shape s = k.deltas.shape();
    Bounds expected(s.size()), total(1);
    const std::int64_t cells = std::int64_t{s.h} * s.w;
    int doubtful = 0;  // a difference so near 0 that the sign of L1 is open
    for (std::int64_t i = 0; i < s.size(); ++i) {
        const int a = int(i % s.c) / 4, coordinate = int(i % s.c) % 4;
        if (a >= k.grid.per_cell) continue;
        const std::int64_t cell = i / s.c % cells, n = i / s.c / cells;
        const int anchor = k.grid.level[k.level].first + int(cell) * k.grid.per_cell + a;
        const int unit = k.match[n * k.grid.total + anchor];
        if (unit < 0) continue;
        const Box box = anchor_box(k.grid, anchor), t = k.truth[unit];
        const double scale = how.weight / (double(s.n) * std::max(k.positives[n], 1));
        const double d = widen(k.deltas[i]) - target(t, box, coordinate);
        const double error = target_error(t, box, coordinate) + 0x1p-24 * std::fabs(d);
        const BoxTerm term = smooth_l1(d, how.beta);
        const double slope_error = how.beta > 0 ? error / how.beta : std::fabs(d) < error ? (++doubtful, 1.0) : 0;
        expected.value[std::size_t(i)] = scale * term.slope;
        expected.bound[std::size_t(i)] =
            scale * (slope_error + 6 * 0x1p-24) +
            (sizeof(T) == 2 ? rounding<T>(scale * 1.001 * (std::fabs(term.slope) + slope_error)) : 0);
        total.value[0] += scale * term.loss;
        total.bound[0] += scale * (error + 8 * 0x1p-24 * (term.loss + how.beta));
    }
    CHECK(doubtful < 3);
    total.bound[0] += 4 * 0x1p-24 * total.value[0];
    CHECK(all_within(expected, gradient));
    CHECK(all_within(total, loss));
}

}  // namespace star::reference
