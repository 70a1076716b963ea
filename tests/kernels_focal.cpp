// Focal loss against double precision: loss and gradient, ignored anchors, padding, extreme logits, any thread count.
#include "kernels/focal.h"
#include "kernels/match.h"
#include "tests/reference/array.h"
#include "tests/reference/focal.h"

using namespace star;
using namespace star::reference;

namespace {

template <class T>
struct Case {
    Shape shape;
    Focal how;
    Array<T> logits;
    std::vector<std::int8_t> labels;
    std::int64_t stride;
    Array<int> positives;

    Case(Shape s, Focal f, double sigma = 3)
        : shape(s),
          how(f),
          logits(random_array<T>(s, 41, sigma)),
          stride(std::int64_t{s.h} * s.w * f.per_cell + 5),
          positives({1, 1, 1, s.n}) {
        Random r(42, 1);
        labels.resize(std::size_t(stride * s.n));
        for (auto& l : labels) l = std::int8_t(r.below(how.classes + 2) - 2);
        for (int n = 0; n < s.n; ++n) positives[n] = n * 3;
    }
};

struct Output {
    std::vector<double> gradient;
    float loss;
};

template <class T>
void check_case(Case<T> k) {
    CAPTURE(k.shape.h);
    CAPTURE(k.how.gamma);
    CAPTURE(k.how.alpha);
    Desk desk;
    const Shape s = k.shape;
    const Array<T> before = k.logits;
    Array<T> gradient(s);
    Array<float> loss({1, 1, 1, 1});
    focal_loss<T>(desk.stream, k.logits.view(), k.labels.data(), k.stride, k.positives.view(), k.how, gradient.view(),
                  loss.data(), desk.arena);
    CHECK(k.logits == before);
    Bounds expected(s.size());
    Bounds total(1);
    for (std::int64_t i = 0; i < s.size(); ++i) {
        const std::int64_t c = i % s.c, cell = i / s.c % (std::int64_t{s.h} * s.w),
                           n = i / s.c / (std::int64_t{s.h} * s.w);
        const std::int64_t a = c / k.how.classes, klass = c % k.how.classes;
        if (a >= k.how.per_cell) continue;
        const int label = k.labels[std::size_t(n * k.stride + cell * k.how.per_cell + a)];
        if (label == label_ignored) continue;
        const double sign = label == klass ? 1 : -1;
        const double weight = k.how.alpha < 0 ? 1 : label == klass ? double(k.how.alpha) : 1 - double(k.how.alpha);
        const double scale = 1 / (double(s.n) * std::max(k.positives[n], 1));
        const FocalTerm t = focal_term(sign * widen(k.logits[i]), weight, k.how.gamma);
        const FocalTerm b = focal_bound(sign * widen(k.logits[i]), weight, k.how.gamma);
        expected.value[std::size_t(i)] = scale * sign * t.slope;
        expected.bound[std::size_t(i)] = scale * b.slope + (sizeof(T) == 2 ? rounding<T>(scale * t.slope * 1.001) : 0);
        total.value[0] += scale * t.loss;
        total.bound[0] += scale * b.loss;
    }
    total.bound[0] += 4 * 0x1p-24 * total.value[0];  // a partial sum's rounding, the total's, the scale's two
    CHECK(all_within(expected, gradient));
    CHECK(all_within(total, loss));
    Array<float> again({1, 1, 1, 1});
    focal_loss<T>(desk.stream, k.logits.view(), k.labels.data(), k.stride, k.positives.view(), k.how, k.logits.view(),
                  again.data(), desk.arena);
    CHECK(k.logits == gradient);
    CHECK(again == loss);
}

}  // namespace

TEST_CASE("focal: the reference's derivative is that of its loss") {
    for (const double gamma : {0.0, 0.5, 2.0, 5.0})
        for (const double z : {-20.0, -3.0, -0.1, 0.0, 0.7, 4.0, 15.0}) {
            const double h = 1e-5, t = focal_term(z, 0.25, gamma).slope;
            const double difference =
                (focal_term(z + h, 0.25, gamma).loss - focal_term(z - h, 0.25, gamma).loss) / (2 * h);
            CHECK(std::fabs(difference - t) < 1e-8);  // h^2 times a third derivative of order one, and 1e-16 * 20 / h
        }
}

TEST_CASE("focal loss and gradient lie within their bounds") {
    for (const Focal how : {Focal{}, Focal{0.25f, 2, 5, 3}, Focal{-1, 0, 1, 1}, Focal{0.75f, 1.5f, 2, 4},
                            Focal{0, 2, 3, 1}, Focal{0.5f, 0.3f, 7, 1}})
        for (Shape s : {Shape{1, 1, 1, 1}, Shape{2, 3, 5, 1}, Shape{3, 7, 11, 1}, Shape{1, 37, 31, 1}}) {
            s.c = padded_channels(how.classes * how.per_cell);
            check_case(Case<float>(s, how));
            check_case(Case<bf16>(s, how));
            check_case(Case<float>(s, how, 30));
        }
}

TEST_CASE("focal loss of the largest logits is finite") {
    Case<float> k({1, 1, 4, 8}, {0.25f, 2, 5, 1});
    for (std::int64_t i = 0; i < k.logits.size(); ++i) k.logits[i] = i % 2 ? 3e38f : -3e38f;
    Desk desk;
    Array<float> gradient(k.shape), loss({1, 1, 1, 1});
    for (auto& l : k.labels) l = label_background;
    for (std::int64_t i = 0; i < k.logits.size(); ++i) k.logits[i] = i % 2 ? 1e30f : -1e30f;
    focal_loss<float>(desk.stream, k.logits.view(), k.labels.data(), k.stride, k.positives.view(), k.how,
                      gradient.view(), loss.data(), desk.arena);
    CHECK(std::isfinite(loss[0]));
    for (std::int64_t i = 0; i < gradient.size(); ++i) CHECK(std::isfinite(gradient[i]));
}

TEST_CASE("focal: any thread count gives the same bits; rehearsal; errors") {
    Case<float> k({3, 29, 31, 16}, {0.25f, 2, 5, 3});
    Array<float> gradient(k.shape), other(k.shape), loss({1, 1, 1, 1}), other_loss({1, 1, 1, 1});
    const auto run = [&](Stream stream, Arena& arena, Array<float>& g, Array<float>& l, Focal how) {
        focal_loss<float>(stream, k.logits.view(), k.labels.data(), k.stride, k.positives.view(), how, g.view(),
                          l.data(), arena);
    };
    Desk one(1), four(4);
    run(one.stream, one.arena, gradient, loss, k.how);
    run(four.stream, four.arena, other, other_loss, k.how);
    CHECK(gradient == other);
    CHECK(loss == other_loss);
    CHECK(rehearses([&](Stream stream, Arena& arena) { run(stream, arena, gradient, loss, k.how); }));
    CHECK_THROWS_AS(run(one.stream, one.arena, gradient, loss, {0.25f, 2, 6, 3}), Error);
    CHECK_THROWS_AS(run(one.stream, one.arena, gradient, loss, {0.25f, 2, 0, 3}), Error);
    Array<float> small({3, 29, 30, 16});
    CHECK_THROWS_AS(run(one.stream, one.arena, small, loss, k.how), Error);
}
