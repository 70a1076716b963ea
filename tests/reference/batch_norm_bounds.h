// How far batch normalisation on any device may be from its definition, and the comparison.
#pragma once
#include "tests/reference/batch_norm.h"

namespace star::reference {

struct BatchNormSetup {
    Shape shape;
    BatchNorm how;
    bool with_residual = false;
    double mean = 0.3, sigma = 1.7;  // of x
};

inline BatchNormCase reference_case(const BatchNormSetup& s, const auto& e) {
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

/// Compares one forward and backward pass with the definition. `e` holds arrays x, residual, dy (the inputs), y, dx,
/// dresidual, gamma, beta, running_mean, running_variance, saved, dgamma, dbeta, and old_mean, old_variance from
/// before.
template <class T, class E>
void check_batch_norm(const BatchNormSetup& s, const E& e) {
    CAPTURE(s.shape.h);
    CAPTURE(s.shape.w);
    CAPTURE(s.shape.c);
    CAPTURE(s.how.frozen);
    CAPTURE(s.how.relu);
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

}  // namespace star::reference
