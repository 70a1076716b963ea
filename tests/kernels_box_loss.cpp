// Box loss against double precision: loss, gradient, both betas, every level, padding, any thread count.
#include "tests/reference/box_loss_bounds.h"

using namespace star;
using namespace star::reference;

namespace {

template <class T>
struct Case : BoxLossCase<T> {
    using BoxLossCase<T>::BoxLossCase;
    void run(Desk& desk, BoxLoss how, View<T> gradient, float* loss) const {
        box_loss<T>(desk.stream, this->deltas.view(), this->grid, this->level, this->match.view(), this->truth.view(),
                    this->positives.view(), how, gradient, loss, desk.arena);
    }
};

template <class T>
void check_case(Case<T> k, BoxLoss how) {
    Desk desk;
    const Array<T> before = k.deltas;
    const Shape s = k.deltas.shape();
    Array<T> gradient(s);
    Array<float> loss({1, 1, 1, 1}), again({1, 1, 1, 1});
    k.run(desk, how, gradient.view(), loss.data());
    CHECK(k.deltas == before);
    check_box_loss(k, how, gradient, loss);
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
