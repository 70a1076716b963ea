// Integrals of exponentials, and their inverse.
#include "sim/scene_luminosity.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/check.h"

namespace star {
namespace {

// The integral of 10^(a + b t) over t from 0 to x.
double integral(double a, double b, double x) {
    const double k = b * std::numbers::ln10;
    return std::pow(10, a) * (std::fabs(k * x) < 1e-12 ? x : std::expm1(k * x) / k);
}

}  // namespace

LuminosityFunction::LuminosityFunction(std::vector<Knot> knots) : knots_(std::move(knots)), cumulative_{0} {
    if (knots_.size() < 2) fail(Fault::usage, "luminosity function: ", knots_.size(), " knots; two are needed");
    for (std::size_t i = 0; i < knots_.size(); ++i) {
        const Knot& k = knots_[i];
        if (!(std::fabs(k.mag) <= 100 && std::fabs(k.log_density) <= 30))
            fail(Fault::usage, "luminosity function: a knot at ", k.mag, ", ", k.log_density);
        if (i == 0) continue;
        const Knot& before = knots_[i - 1];
        if (!(k.mag > before.mag)) fail(Fault::usage, "luminosity function: magnitudes must rise, ", k.mag, " doesn't");
        const double width = k.mag - before.mag, slope = (k.log_density - before.log_density) / width;
        cumulative_.push_back(cumulative_.back() + integral(before.log_density, slope, width));
    }
}

double LuminosityFunction::count(double mag) const {
    if (!(mag > brightest())) return 0;
    if (mag >= faintest()) return total();
    const auto at =
        std::upper_bound(knots_.begin(), knots_.end(), mag, [](double m, const Knot& k) { return m < k.mag; });
    const Knot &a = at[-1], &b = at[0];
    return cumulative_[std::size_t(at - knots_.begin()) - 1] +
           integral(a.log_density, (b.log_density - a.log_density) / (b.mag - a.mag), mag - a.mag);
}

double LuminosityFunction::quantile(double u) const {
    const double wanted = std::clamp(u, 0.0, 1.0) * total();
    const auto at = std::min(std::upper_bound(cumulative_.begin(), cumulative_.end(), wanted), cumulative_.end() - 1);
    const auto i = std::size_t(at - cumulative_.begin());
    const Knot &a = knots_[i - 1], &b = knots_[i];
    const double k = (b.log_density - a.log_density) / (b.mag - a.mag) * std::numbers::ln10;
    const double rest = (wanted - cumulative_[i - 1]) / std::pow(10, a.log_density);
    const double t = std::fabs(k * rest) < 1e-12 ? rest : std::log1p(k * rest) / k;
    return std::clamp(a.mag + t, a.mag, b.mag);
}

}  // namespace star
