// Batch normalisation against double precision: its three modes, both directions, large means, any thread count.
#include "kernels/batch_norm.h"
#include "tests/reference/batch_norm.h"

using namespace star;
using namespace star::reference;

namespace {

struct Setup {
    Shape shape;
    BatchNorm how;
    bool with_residual = false;
    double mean = 0.3, sigma = 1.7;  // of x
};

template <class T>
struct Engine {  // one forward and backward, everything kept
    Array<T> x, residual, dy, y, dx, dresidual;
    Array<float> gamma, beta, running_mean, running_variance, saved, dgamma, dbeta;
    Array<float> old_mean, old_variance;

    Engine(const Setup& s, int threads)
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

BatchNormCase reference_case(const Setup& s, const auto& e) {
    return {s.shape,
            s.how.epsilon,
            s.how.frozen,
            s.how.relu,
            widened(e.x),
            s.with_residual ? widened(e.residual) : std::vector<double>{},
            widened(e.gamma),
            widened(e.beta),
            widened(e.old_mean),
            widened(e.old_variance)};
}

// With u = 2^-24 and rows summed in runs of at most 256: a run's sums err by 256 u of the sum of magnitudes (Higham
// 2002, eq. 4.4), which the second look reduces to errors of x - mean; a run mean is off by at most 256 u of the mean
// |x|, so magnitudes below are those of |x - mean| + 256 u |x|. 300 leaves room for the few other operations.
constexpr double sum_error = 300 * 0x1p-24;

template <class T>
void check_case(const Setup& s) {
    CAPTURE(s.shape.h);
    CAPTURE(s.shape.w);
    CAPTURE(s.shape.c);
    CAPTURE(s.how.frozen);
    CAPTURE(s.how.relu);
    const Engine<T> e(s, 2);
    const BatchNormCase k = reference_case(s, e);
    const BatchNormResult f = batch_norm(k);
    const std::size_t channels = std::size_t(s.shape.c), rows = k.x.size() / channels;
    Bounds y(s.shape.size()), saved(2 * s.shape.c), mean(s.shape.c), variance(s.shape.c);
    std::vector<double> relative(channels);  // error of inv_std, relative
    for (std::size_t c = 0; c < channels; ++c) {
        double deviation = 0, size = 0;
        for (std::size_t r = 0; r < rows; ++r)
            deviation += std::fabs(k.x[r * channels + c] - f.mean[c]), size += std::fabs(k.x[r * channels + c]);
        deviation /= double(rows), size /= double(rows);
        const double spread = deviation + 256 * 0x1p-24 * size;  // magnitude of what is summed after the shift
        saved.value[c] = f.mean[c], saved.value[channels + c] = f.inv_std[c];
        saved.bound[c] = k.frozen ? 0 : sum_error * spread + 0x1p-23 * std::fabs(f.mean[c]);
        const double variance_error = k.frozen ? 0
                                               : sum_error * (f.variance[c] + 2 * spread * spread) +
                                                     std::pow(256 * 0x1p-24 * size, 2) * sum_error;
        relative[c] = 0.5 * variance_error / (f.variance[c] + k.epsilon) + 3 * 0x1p-24;
        saved.bound[channels + c] = relative[c] * f.inv_std[c];
        const double momentum = s.how.momentum, n = double(rows);
        mean.value[c] = k.frozen ? k.mean[c] : (1 - momentum) * k.mean[c] + momentum * f.mean[c];
        mean.bound[c] =
            momentum * saved.bound[c] + (k.frozen ? 0 : 4 * 0x1p-24 * (std::fabs(k.mean[c]) + std::fabs(f.mean[c])));
        const double unbiased = rows > 1 ? f.variance[c] * n / (n - 1) : 0;
        variance.value[c] = k.frozen ? k.variance[c] : (1 - momentum) * k.variance[c] + momentum * unbiased;
        variance.bound[c] = k.frozen ? 0 : 2 * momentum * variance_error + 4 * 0x1p-24 * (k.variance[c] + unbiased);
        for (std::size_t r = 0; r < rows; ++r) {
            const std::size_t i = r * channels + c;
            const double scaled = std::fabs(k.gamma[c] * f.inv_std[c]), d = std::fabs(k.x[i] - f.mean[c]);
            y.value[i] = f.y[i];
            y.bound[i] = scaled * (saved.bound[c] + 0x1p-23 * (std::fabs(k.x[i]) + std::fabs(f.mean[c])) +
                                   d * (relative[c] + 8 * 0x1p-24)) +
                         4 * 0x1p-24 * (std::fabs(k.beta[c]) + std::fabs(k.residual.empty() ? 0 : k.residual[i])) +
                         1.01 * roundoff<T> * std::fabs(f.y[i]) + roundoff<T> * scaled * saved.bound[c];
        }
    }
    CHECK(all_within(y, e.y));
    CHECK(all_within(saved, e.saved));
    CHECK(all_within(mean, e.running_mean));
    CHECK(all_within(variance, e.running_variance));

    std::vector<bool> mask(k.x.size());
    for (std::size_t i = 0; i < mask.size(); ++i) mask[i] = !k.relu || widen(e.y[std::int64_t(i)]) > 0;
    const BatchNormGradient g = batch_norm_gradient(k, widened(e.dy), mask);
    Bounds dx(s.shape.size()), dgamma(s.shape.c), dbeta(s.shape.c);
    for (std::size_t c = 0; c < channels; ++c) {
        double size = 0, product = 0;  // sums of magnitudes
        for (std::size_t r = 0; r < rows; ++r) {
            const std::size_t i = r * channels + c;
            const double d = std::fabs(k.x[i] - f.mean[c]);
            size += std::fabs(g.dresidual[i]);
            product +=
                std::fabs(g.dresidual[i]) * f.inv_std[c] *
                (d * (sum_error + relative[c]) + saved.bound[c] + 0x1p-24 * (std::fabs(k.x[i]) + std::fabs(f.mean[c])));
        }
        dbeta.value[c] = g.dbeta[c], dbeta.bound[c] = sum_error * size;
        dgamma.value[c] = g.dgamma[c], dgamma.bound[c] = product + 4 * 0x1p-24 * std::fabs(g.dgamma[c]);
        for (std::size_t r = 0; r < rows; ++r) {
            const std::size_t i = r * channels + c;
            const double normal = (k.x[i] - f.mean[c]) * f.inv_std[c], n = double(rows);
            const double normal_error =
                std::fabs(normal) * (2 * relative[c] + 8 * 0x1p-24) +
                f.inv_std[c] * (saved.bound[c] + 0x1p-24 * (std::fabs(k.x[i]) + std::fabs(f.mean[c])));
            const double terms = std::fabs(g.dresidual[i]) +
                                 (k.frozen ? 0 : (std::fabs(g.dbeta[c]) + std::fabs(normal * g.dgamma[c])) / n);
            const double sums = k.frozen ? 0
                                         : (dbeta.bound[c] + std::fabs(normal) * dgamma.bound[c] +
                                            normal_error * (std::fabs(g.dgamma[c]) + dgamma.bound[c])) /
                                               n;
            dx.value[i] = g.dx[i];
            dx.bound[i] = std::fabs(k.gamma[c]) * f.inv_std[c] * (sums + terms * (relative[c] + 8 * 0x1p-24));
            dx.bound[i] += roundoff<T> * (std::fabs(g.dx[i]) + dx.bound[i]);
        }
    }
    CHECK(all_within(dx, e.dx));
    CHECK(all_within(dgamma, e.dgamma));
    CHECK(all_within(dbeta, e.dbeta));
    if (s.with_residual) {
        int wrong = 0;
        for (std::int64_t i = 0; i < s.shape.size(); ++i) wrong += widen(e.dresidual[i]) != g.dresidual[std::size_t(i)];
        CHECK(wrong == 0);
    }
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
                const Setup s{shape, {1e-5f, 0.1f, frozen, rest}, rest};
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
    const Setup s{{2, 37, 31, 24}, {1e-5f, 0.1f, false, true}, true};
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
    const Setup s{shape, {1e-5f, 0.1f, false, true}, true};
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
