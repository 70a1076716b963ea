// Distributions over the counter-based generator.
#include "kernels/random.h"

#include <cmath>
#include <numbers>

namespace star {
namespace {

double log_factorial(double k) {
    int sign;  // lgamma() would write a global
    return lgamma_r(k + 1, &sign);
}

}  // namespace

double Random::normal() {
    const double r = std::sqrt(-2 * std::log(uniform()));
    return r * std::cos(2 * std::numbers::pi * uniform());
}

double Random::poisson(double mean) {
    if (!(mean > 0)) return 0;
    if (mean < 10) {  // Knuth: count uniforms until their product falls below exp(-mean)
        const double limit = std::exp(-mean);
        double product = uniform();
        int k = 0;
        for (; product > limit; ++k) product *= uniform();
        return k;
    }
    // Transformed rejection with squeeze (Hörmann 1993, algorithm PTRS)
    const double slam = std::sqrt(mean), loglam = std::log(mean);
    const double b = 0.931 + 2.53 * slam, a = -0.059 + 0.02483 * b;
    const double inv_alpha = 1.1239 + 1.1328 / (b - 3.4), vr = 0.9277 - 3.6224 / (b - 2);
    for (;;) {
        const double u = uniform() - 0.5, v = uniform(), us = 0.5 - std::fabs(u);
        const double k = std::floor((2 * a / us + b) * u + mean + 0.43);
        if (us >= 0.07 && v <= vr) return k;
        if (k < 0 || (us < 0.013 && v > us)) continue;
        if (std::log(v) + std::log(inv_alpha) - std::log(a / (us * us) + b) <= -mean + k * loglam - log_factorial(k))
            return k;
    }
}

}  // namespace star
