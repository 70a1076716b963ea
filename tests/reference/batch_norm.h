// Batch normalisation in double precision: the definition in plain loops, with bounds for the engine's float sums.
#pragma once
#include "tests/reference/array.h"

namespace star::reference {

struct BatchNormCase {
    Shape shape;
    double epsilon = 1e-5;
    bool frozen = false, relu = false;
    std::vector<double> x, residual, gamma, beta, mean,
        variance;  // residual may be empty; mean, variance: the running ones
};

struct BatchNormResult {
    std::vector<double> y, mean, variance, inv_std;  // those used
};

inline BatchNormResult batch_norm(const BatchNormCase& k) {
    const std::size_t channels = std::size_t(k.shape.c), rows = k.x.size() / channels;
    BatchNormResult out{std::vector<double>(k.x.size()), k.mean, k.variance, std::vector<double>(channels)};
    for (std::size_t c = 0; c < channels; ++c) {
        if (!k.frozen) {
            double sum = 0, square = 0;
            for (std::size_t r = 0; r < rows; ++r) sum += k.x[r * channels + c];
            out.mean[c] = sum / double(rows);
            for (std::size_t r = 0; r < rows; ++r) square += std::pow(k.x[r * channels + c] - out.mean[c], 2);
            out.variance[c] = square / double(rows);
        }
        out.inv_std[c] = 1 / std::sqrt(out.variance[c] + k.epsilon);
        for (std::size_t r = 0; r < rows; ++r) {
            const std::size_t i = r * channels + c;
            const double v = k.gamma[c] * (k.x[i] - out.mean[c]) * out.inv_std[c] + k.beta[c] +
                             (k.residual.empty() ? 0 : k.residual[i]);
            out.y[i] = k.relu && v <= 0 ? 0 : v;
        }
    }
    return out;
}

struct BatchNormGradient {
    std::vector<double> dx, dresidual, dgamma, dbeta;
};

/// The gradients of dot(dy, y). `mask` is 1 where the ReLU passes: taken from the engine's own y, so that a rounding at
/// zero is no difference.
inline BatchNormGradient batch_norm_gradient(const BatchNormCase& k, const std::vector<double>& dy,
                                             const std::vector<bool>& mask) {
    const std::size_t channels = std::size_t(k.shape.c), rows = k.x.size() / channels;
    const BatchNormResult f = batch_norm(k);
    BatchNormGradient g{std::vector<double>(k.x.size()), std::vector<double>(k.x.size()), std::vector<double>(channels),
                        std::vector<double>(channels)};
    for (std::size_t c = 0; c < channels; ++c) {
        for (std::size_t r = 0; r < rows; ++r) {
            const std::size_t i = r * channels + c;
            g.dresidual[i] = mask[i] ? dy[i] : 0;
            g.dbeta[c] += g.dresidual[i];
            g.dgamma[c] += g.dresidual[i] * (k.x[i] - f.mean[c]) * f.inv_std[c];
        }
        for (std::size_t r = 0; r < rows; ++r) {
            const std::size_t i = r * channels + c;
            const double n = double(rows), normal = (k.x[i] - f.mean[c]) * f.inv_std[c];
            const double common = k.frozen ? 0 : g.dbeta[c] / n + normal * g.dgamma[c] / n;
            g.dx[i] = k.gamma[c] * f.inv_std[c] * (g.dresidual[i] - common);
        }
    }
    return g;
}

}  // namespace star::reference
