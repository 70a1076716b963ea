// Focal loss in double precision: one term, its derivative, and bounds of the engine's float arithmetic.
#pragma once
#include <cmath>

namespace star::reference {

struct FocalTerm {
    double loss, slope;
};

/// -weight (1 - p)^gamma log p with p = sigmoid(z), and its derivative by z.
inline FocalTerm focal_term(double z, double weight, double gamma) {
    const double log_p = z < 0 ? z - std::log1p(std::exp(z)) : -std::log1p(std::exp(-z));
    const double p = 1 / (1 + std::exp(-z)), q = 1 / (1 + std::exp(z));
    const double power = std::pow(q, gamma);
    return {-weight * power * log_p, weight * power * (gamma * p * log_p - q)};
}

/// How far a float evaluation of the two may be off. exp, log1p, pow: 2 ulp each (glibc and CUDA state at most that for
/// exp and log1p; pow of a q that is off by r is off by gamma r), sums and products one rounding each. The two terms of
/// the slope have the same sign, so that nothing cancels. u = 2^-24.
inline FocalTerm focal_bound(double z, double weight, double gamma) {
    const FocalTerm t = focal_term(z, weight, gamma);
    const double relative = (8 * gamma + 24) * 0x1p-24;
    // z itself enters exp exactly; tiny numbers lose digits below the smallest normal float
    return {relative * std::fabs(t.loss) + 0x1p-140, relative * std::fabs(t.slope) + 0x1p-140};
}

}  // namespace star::reference
