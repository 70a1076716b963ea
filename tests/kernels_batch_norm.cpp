// Batch normalisation against double precision: its three modes, both directions, large means, any thread count.
#include "kernels/batch_norm.h"
#include "tests/reference/batch_norm_bounds.h"

using namespace star;
using namespace star::reference;

namespace {

template <class T>
struct Engine {  // one forward and backward, everything kept
    Array<T> x, residual, dy, y, dx, dresidual;
    Array<float> gamma, beta, running_mean, running_variance, saved, dgamma, dbeta;
    Array<float> old_mean, old_variance;

    Engine(const BatchNormSetup& s, int threads)
        : x(random_array<T>(s.shape, 11, s.sigma, s.mean)),
          residual(random_array<T>(s.shape, 12)),
          dy(random_array<T>(s.shape, 13)),
          y(s.shape),
          dx(s.shape),
          dresidual(s.shape),
          gamma(random_array<float>({1, 1, 1, s.shape.c}, 14)),
          beta(random_array<float>({1, 1, 1, s.shape.c}, 15)),
          running_mean(random_array<float>({1, 1, 1, s.shape.c}, 16, 0.5, s.mean)),
          running_variance(random_array<float>({1, 1, 1, s.shape.c}, 17, 0.05, 2)),
          saved({2, 1, 1, s.shape.c}),
          dgamma({1, 1, 1, s.shape.c}, std::vector<float>(std::size_t(s.shape.c), 0.0f)),
          dbeta(dgamma),
          old_mean(running_mean),
          old_variance(running_variance) {
        Desk desk(threads);
        const Engine before = *this;
        const View<const T> r = s.with_residual ? read_only(residual.view()) : View<const T>{};
        batch_norm_forward<T>(desk.stream, x.view(),
                              {gamma.data(), beta.data(), running_mean.data(), running_variance.data()}, s.how, r,
                              y.view(), saved.view(), desk.arena);
        const Array<T> y0 = y;
        batch_norm_backward<T>(desk.stream, x.view(), y.view(), dy.view(), saved.view(), gamma.data(), s.how, dx.view(),
                               s.with_residual ? dresidual.view() : View<T>{}, dgamma.data(), dbeta.data(), desk.arena);
        CHECK(x == before.x);
        CHECK(dy == before.dy);
        CHECK(y == y0);
        CHECK(gamma == before.gamma);
        CHECK(dresidual.intact());
        CHECK((dgamma.intact() && dbeta.intact() && running_mean.intact() && running_variance.intact()));
    }
    Engine(const Engine&) = default;
};

template <class T>
void check_case(const BatchNormSetup& s) {
    check_batch_norm<T>(s, Engine<T>(s, 2));
}

}  // namespace

TEST_CASE("batch norm: the reference's gradient is that of its forward") {
    for (const bool frozen : {false, true}) {
        BatchNormCase k{{1, 3, 2, 2}, 1e-3, frozen, false, {}, {}, {1.3, -0.7}, {0.2, 0.1}, {0.1, -0.2}, {0.9, 1.4}};
        Random r(5, 5);
        std::vector<double> dy(12);
        for (int i = 0; i < 12; ++i) k.x.push_back(r.normal()), dy[std::size_t(i)] = r.normal();
        const auto loss = [&](const BatchNormCase& at) {
            const BatchNormResult f = batch_norm(at);
            double sum = 0;
            for (std::size_t i = 0; i < dy.size(); ++i) sum += dy[i] * f.y[i];
            return sum;
        };
        const BatchNormGradient g = batch_norm_gradient(k, dy, std::vector<bool>(12, true));
        const auto by = [&](std::vector<double> BatchNormCase::*member) {
            return [&loss, k, member](const std::vector<double>& v) {
                BatchNormCase moved = k;
                moved.*member = v;
                return loss(moved);
            };
        };
        CHECK(gradient_error(by(&BatchNormCase::x), k.x, g.dx) < 1e-7);  // step^2 times a third derivative of order one
        CHECK(gradient_error(by(&BatchNormCase::gamma), k.gamma, g.dgamma) < 1e-7);
        CHECK(gradient_error(by(&BatchNormCase::beta), k.beta, g.dbeta) < 1e-7);
    }
}

TEST_CASE("batch norm lies within its bound in every mode") {
    for (const Shape& shape : shapes)
        for (const bool frozen : {false, true})
            for (const bool rest : {false, true}) {
                const BatchNormSetup s{shape, {1e-5f, 0.1f, frozen, rest}, rest};
                check_case<float>(s);
                check_case<bf16>(s);
            }
    check_case<float>({{2, 67, 61, 8}, {1e-5f, 0.1f, false, true}, true});   // many runs
    check_case<float>({{1, 9, 9, 2048}, {1e-5f, 0.1f, false, true}, true});  // short runs
}

TEST_CASE("the variance survives a mean ten thousand times larger") {
    check_case<float>({{1, 40, 41, 8}, {1e-5f, 0.1f, false, false}, false, 1e4, 1});
}

TEST_CASE("batch norm: any thread count gives the same bits") {
    const BatchNormSetup s{{2, 37, 31, 24}, {1e-5f, 0.1f, false, true}, true};
    const Engine<float> one(s, 1), four(s, 4);
    CHECK(one.y == four.y);
    CHECK(one.dx == four.dx);
    CHECK(one.dgamma == four.dgamma);
    CHECK(one.saved == four.saved);
    CHECK(one.running_variance == four.running_variance);
}

TEST_CASE("batch norm in place, gradients added, padded channels stay zero") {
    Desk desk;
    const Shape shape{1, 5, 4, 8};
    const BatchNormSetup s{shape, {1e-5f, 0.1f, false, true}, true};
    const Engine<float> e(s, 2);
    Array<float> y = e.x, saved({2, 1, 1, 8}), mean = e.old_mean, variance = e.old_variance;
    Array<float> gamma = e.gamma, beta = e.beta;
    batch_norm_forward<float>(desk.stream, y.view(), {gamma.data(), beta.data(), mean.data(), variance.data()}, s.how,
                              e.residual.view(), y.view(), saved.view(), desk.arena);
    CHECK(y == e.y);
    Array<float> dy = e.dy, dx(shape), dgamma = e.dgamma, dbeta = e.dbeta;
    batch_norm_backward<float>(desk.stream, e.x.view(), e.y.view(), dy.view(), saved.view(), gamma.data(), s.how,
                               dx.view(), dy.view(), dgamma.data(), dbeta.data(), desk.arena);
    CHECK(dy == e.dresidual);
    CHECK(dx == e.dx);
    for (int c = 0; c < 8; ++c) CHECK(dgamma[c] == e.dgamma[c] + e.dgamma[c]);
    for (int c = 0; c < 8; ++c) CHECK(dbeta[c] == e.dbeta[c] + e.dbeta[c]);

    Array<float> x = e.x;
    gamma[7] = beta[7] = 0;
    for (std::int64_t i = 7; i < x.size(); i += 8) x[i] = 0;
    batch_norm_forward<float>(desk.stream, x.view(), {gamma.data(), beta.data(), mean.data(), variance.data()}, s.how,
                              {}, y.view(), saved.view(), desk.arena);
    for (std::int64_t i = 7; i < x.size(); i += 8) CHECK(y[i] == 0);
}

TEST_CASE("batch norm folded into weights") {
    Desk desk;
    const Shape shape{24, 3, 3, 8};
    const Array<float> w = random_array<float>(shape, 1);
    Array<float> gamma = random_array<float>({1, 1, 1, 24}, 2), beta = random_array<float>({1, 1, 1, 24}, 3),
                 mean = random_array<float>({1, 1, 1, 24}, 4), variance = random_array<float>({1, 1, 1, 24}, 5, 0.1, 2);
    Array<float> folded(shape), bias({1, 1, 1, 24});
    Array<bf16> rounded(shape);
    const BatchNormParams p{gamma.data(), beta.data(), mean.data(), variance.data()};
    batch_norm_fold<float>(desk.stream, w.view(), p, 1e-5f, folded.view(), bias.data());
    batch_norm_fold<bf16>(desk.stream, w.view(), p, 1e-5f, rounded.view(), bias.data());
    Bounds fw(shape.size()), rw(shape.size()), fb(24);
    for (std::size_t i = 0; i < fw.value.size(); ++i) {
        const std::int64_t k = std::int64_t(i) / 72;
        const double factor = gamma[k] / std::sqrt(double(variance[k]) + double(1e-5f));
        fw.value[i] = rw.value[i] = w[std::int64_t(i)] * factor;
        fw.bound[i] = 4 * 0x1p-24 * std::fabs(fw.value[i]);
        rw.bound[i] = 1.01 * roundoff<bf16> * std::fabs(fw.value[i]);
        fb.value[std::size_t(k)] = beta[k] - mean[k] * factor;
        fb.bound[std::size_t(k)] = 8 * 0x1p-24 * (std::fabs(double(beta[k])) + std::fabs(mean[k] * factor));
    }
    CHECK(all_within(fw, folded));
    CHECK(all_within(rw, rounded));
    CHECK(all_within(fb, bias));
}

TEST_CASE("batch norm: rehearsal takes what the real call takes; wrong shapes are errors") {
    const Shape shape{2, 9, 5, 24};
    Array<float> x = random_array<float>(shape, 1), y(shape), saved({2, 1, 1, 24}),
                 p = random_array<float>({1, 1, 4, 24}, 2);
    const BatchNormParams params{p.data(), p.data() + 24, p.data() + 48, p.data() + 72};
    CHECK(rehearses([&](Stream stream, Arena& arena) {
        batch_norm_forward<float>(stream, x.view(), params, {}, {}, y.view(), saved.view(), arena);
    }));
    CHECK(rehearses([&](Stream stream, Arena& arena) {
        batch_norm_backward<float>(stream, x.view(), y.view(), x.view(), saved.view(), p.data(), {}, y.view(), {},
                                   p.data(), p.data(), arena);
    }));
    Desk desk;
    Array<float> small({1, 9, 5, 24});
    CHECK_THROWS_AS(
        batch_norm_forward<float>(desk.stream, x.view(), params, {}, {}, small.view(), saved.view(), desk.arena),
        Error);
    CHECK_THROWS_AS(
        batch_norm_forward<float>(desk.stream, x.view(), params, {}, small.view(), y.view(), saved.view(), desk.arena),
        Error);
    CHECK_THROWS_AS(batch_norm_forward<float>(desk.stream, x.view(), params, {}, {}, y.view(), p.view(), desk.arena),
                    Error);
    CHECK_THROWS_AS(batch_norm_fold<float>(desk.stream, x.view(), params, 1e-5f, small.view(), p.data()), Error);
    CHECK_THROWS_AS(batch_norm_backward<float>(desk.stream, x.view(), y.view(), small.view(), saved.view(), p.data(),
                                               {}, y.view(), {}, p.data(), p.data(), desk.arena),
                    Error);
}
