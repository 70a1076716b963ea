// Box loss against double precision: loss, gradient, both betas, every level, padding, any thread count.
#include "kernels/box_loss.h"
#include "tests/reference/array.h"
#include "tests/reference/box_loss.h"
#include "tests/reference/match.h"

using namespace star;
using namespace star::reference;

namespace {

template <class T>
struct Case {
    AnchorGrid grid = small_grid();
    int level;
    Array<T> deltas;
    Array<int> match, positives;
    Array<Box> truth{{1, 1, 1, 40}};

    Case(int level, int images, int channels)
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
    void run(Desk& desk, BoxLoss how, View<T> gradient, float* loss) const {
        box_loss<T>(desk.stream, deltas.view(), grid, level, match.view(), truth.view(), positives.view(), how,
                    gradient, loss, desk.arena);
    }
};

template <class T>
void check_case(Case<T> k, BoxLoss how) {
    CAPTURE(k.level);
    CAPTURE(how.beta);
    Desk desk;
    const Array<T> before = k.deltas;
    const Shape s = k.deltas.shape();
    Array<T> gradient(s);
    Array<float> loss({1, 1, 1, 1}), again({1, 1, 1, 1});
    k.run(desk, how, gradient.view(), loss.data());
    CHECK(k.deltas == before);
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
    k.run(desk, how, k.deltas.view(), again.data());
    CHECK(k.deltas == gradient);
    CHECK(again == loss);
}

}  // namespace

TEST_CASE("box loss: the reference's derivative is that of its loss") {
    for (const double beta : {0.0, 0.111, 1.0})
        for (const double d : {-2.0, -0.5, -0.05, 0.03, 0.3, 4.0}) {
            const double h = 1e-6;
            const double difference = (smooth_l1(d + h, beta).loss - smooth_l1(d - h, beta).loss) / (2 * h);
            CHECK(std::fabs(difference - smooth_l1(d, beta).slope) < 1e-9);  // quadratic: rounding, 1e-16 * 4 / h
        }
    CHECK(smooth_l1(0, 0).slope == 0);
}

TEST_CASE("box loss and gradient lie within their bounds") {
    for (const BoxLoss how : {BoxLoss{}, BoxLoss{0, 2.5f}, BoxLoss{1, 0.5f}})
        for (const int level : {0, 1, 2}) {
            check_case(Case<float>(level, 3, 16), how);
            check_case(Case<float>(level, 1, 12), how);
            check_case(Case<bf16>(level, 2, 16), how);
        }
}

TEST_CASE("plain L1 has no slope where the box is exact") {
    AnchorGrid grid{1, 1, 1, {}};
    grid.level[0] = {1, 1, 8, 8, 0, {{0, 0, 8, 8}}};
    const Array<Box> truth({1, 1, 1, 1}, {{0, 0, 8, 8}});
    const Array<float> deltas({1, 1, 1, 8}, std::vector<float>(8, 0.0f));
    const Array<int> match({1, 1, 1, 1}, {0}), positives({1, 1, 1, 1}, {1});
    Array<float> gradient({1, 1, 1, 8}), loss({1, 1, 1, 1});
    Desk desk;
    box_loss<float>(desk.stream, deltas.view(), grid, 0, match.view(), truth.view(), positives.view(), {0, 1},
                    gradient.view(), loss.data(), desk.arena);
    for (int i = 0; i < 8; ++i) CHECK(gradient[i] == 0);
    CHECK(loss[0] == 0);
}

TEST_CASE("box loss: any thread count gives the same bits; rehearsal; errors") {
    const Case<float> k(0, 3, 16);
    Array<float> gradient(k.deltas.shape()), other(k.deltas.shape()), small({3, 13, 19, 16}), loss({1, 1, 1, 1}),
        other_loss({1, 1, 1, 1});
    Desk one(1), four(4);
    k.run(one, {}, gradient.view(), loss.data());
    k.run(four, {}, other.view(), other_loss.data());
    CHECK(gradient == other);
    CHECK(loss == other_loss);
    CHECK(rehearses([&](Stream stream, Arena& arena) {
        box_loss<float>(stream, k.deltas.view(), k.grid, 0, k.match.view(), k.truth.view(), k.positives.view(), {},
                        gradient.view(), loss.data(), arena);
    }));
    CHECK_THROWS_AS(k.run(one, {}, small.view(), loss.data()), Error);
    CHECK_THROWS_AS(k.run(one, {-1, 1}, gradient.view(), loss.data()), Error);
    Case<float> wrong = k;
    wrong.level = 1;
    CHECK_THROWS_AS(wrong.run(one, {}, gradient.view(), loss.data()), Error);
    wrong.level = 3;
    CHECK_THROWS_AS(wrong.run(one, {}, gradient.view(), loss.data()), Error);
}
