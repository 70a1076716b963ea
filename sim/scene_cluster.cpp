// King's profile, masses, magnitudes.
#include "sim/scene_cluster.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/check.h"
#include "sim/scene_streams.h"

namespace star {
namespace {

// m ~ m^slope on [low, high], by inversion.
double draw_mass(const Cluster& c, double u) {
    const double p = c.slope + 1;
    if (std::fabs(p) < 1e-9) return c.mass_min * std::pow(c.mass_max / c.mass_min, u);
    const double a = std::pow(c.mass_min, p), b = std::pow(c.mass_max, p);
    return std::clamp(std::pow(a + u * (b - a), 1 / p), c.mass_min, c.mass_max);
}

double mean_mass(const Cluster& c) {
    constexpr int steps = 4096;  // midpoints of the quantiles
    double sum = 0;
    for (int i = 0; i < steps; ++i) sum += draw_mass(c, (i + 0.5) / steps);
    return sum / steps;
}

// Beyond the last knots the relation goes on with its last slope.
double absolute(const std::vector<MassLuminosity>& l, double mass) {
    std::size_t i = 1;
    while (i + 1 < l.size() && mass > l[i].mass) ++i;
    const double t = std::log(mass / l[i - 1].mass) / std::log(l[i].mass / l[i - 1].mass);
    return l[i - 1].mag + t * (l[i].mag - l[i - 1].mag);
}

}  // namespace

KingProfile::KingProfile(double core, double concentration) : core_(core), tidal_(core * std::pow(10, concentration)) {
    if (!(core > 0 && std::isfinite(core))) fail(Fault::usage, "core radius = ", core, " must be above 0");
    in_range("concentration", concentration, 0.1, 4);
    total_ = area(tidal_);
}

double KingProfile::area(double r) const {
    const double x = (r / core_) * (r / core_), t = 1 + (tidal_ / core_) * (tidal_ / core_);
    return std::numbers::pi * core_ * core_ * (std::log1p(x) - 4 * (std::sqrt(1 + x) - 1) / std::sqrt(t) + x / t);
}

double KingProfile::density(double r) const {
    if (!(r < tidal_)) return 0;
    const double d =
        1 / std::sqrt(1 + (r / core_) * (r / core_)) - 1 / std::sqrt(1 + (tidal_ / core_) * (tidal_ / core_));
    return d * d / total_;
}

double KingProfile::enclosed(double r) const { return r <= 0 ? 0 : r >= tidal_ ? 1 : area(r) / total_; }

double KingProfile::quantile(double u) const {
    double low = 0, high = tidal_;
    for (int i = 0; i < 60; ++i) {  // to the last bits of a double
        const double middle = 0.5 * (low + high);
        (enclosed(middle) < u ? low : high) = middle;
    }
    return 0.5 * (low + high);
}

std::vector<MassLuminosity> power_law_luminosities() {
    const double bend = 3.9 + 2.5 * 4 * std::log10(0.8 / 0.43);
    return {{0.08, bend + 2.5 * 2.3 * std::log10(0.43 / 0.08)}, {0.43, bend}, {0.8, 3.9}};
}

void check_cluster(const Cluster& c) {
    in_range("stars", c.stars, 0, double(1 << 26));
    in_range("core_px", c.core_px, 0.1, 1e6);
    in_range("concentration", c.concentration, 0.1, 4);
    in_range("slope", c.slope, -10, 10);
    in_range("mass_min", c.mass_min, 0.01, 100);
    in_range("mass_max", c.mass_max, c.mass_min * 1.001, 100);
    in_range("segregation", c.segregation, 0, 1);
    in_range("distance_modulus", c.distance_modulus, -10, 60);
    in_range("binaries", c.binaries, 0, 1);
    in_range("q_min", c.q_min, 0.01, 1);
    in_range("giants", c.giants, 0, 1);
    in_range("giant_base", c.giant_base, -30, 30);
    in_range("giant_tip", c.giant_tip, -30, c.giant_base - 0.001);
    in_range("giant_slope", c.giant_slope, -5, 5);
    if (!(std::isfinite(c.x) && std::isfinite(c.y))) fail(Fault::usage, "cluster: its centre isn't finite");
    if (c.luminosity.size() < 2) fail(Fault::usage, "luminosity: two knots are needed");
    for (std::size_t i = 0; i < c.luminosity.size(); ++i) {
        in_range("luminosity's magnitude", c.luminosity[i].mag, -30, 60);
        in_range("luminosity's mass", c.luminosity[i].mass, i ? c.luminosity[i - 1].mass * 1.0001 : 0.001, 1000);
    }
    in_range("mass_min", c.mass_min, c.luminosity.front().mass, 100);
    in_range("mass_max", c.mass_max, 0, c.luminosity.back().mass);
}

Cluster ngc2298(double pixel_scale, double offset_arcmin) {
    Cluster c;
    c.core_px = 0.31 * 60 / pixel_scale, c.binaries = 0.05, c.giants = 0.01;
    c.stars = 8.5e4 / mean_mass(c);
    c.x = -offset_arcmin * 60 / pixel_scale;
    return c;
}

Cluster m31_cluster(double pixel_scale, double stars) {
    Cluster c;
    c.core_px = 0.22 / pixel_scale, c.concentration = 1.3, c.distance_modulus = 24.47;
    c.stars = stars;
    c.giants = 1, c.giant_tip = -1, c.giant_base = 6, c.giant_slope = 0.25;
    return c;
}

std::vector<Star> make_cluster(const Cluster& c, const Exposure& exposure, const FieldSpec& field) {
    check_cluster(c);
    check_exposure(exposure);
    check_field(field, "cluster");
    const auto [width, height, margin, seed, index] = field;
    const std::uint64_t key = scene_seed(seed, SceneDraw::cluster, index);
    const KingProfile profile(c.core_px, c.concentration);
    const LuminosityFunction giants({{c.giant_tip, 0}, {c.giant_base, c.giant_slope * (c.giant_base - c.giant_tip)}});
    const double mean = mean_mass(c);
    std::vector<Star> out;
    const double count = Random(key, ~std::uint64_t{0}).poisson(c.stars);
    for (std::uint64_t i = 0; i < std::uint64_t(count); ++i) {
        Random r(key, i);
        const double place = r.uniform(), angle = 2 * std::numbers::pi * r.uniform(), mass = draw_mass(c, r.uniform());
        double radius = 0;
        if (c.segregation == 0) {
            radius = profile.quantile(place);
        } else {
            const double core = c.core_px * std::pow(mass / mean, -c.segregation);
            radius = KingProfile(core, std::clamp(std::log10(profile.tidal() / core), 0.1, 4.0)).quantile(place);
        }
        const double x = 0.5 * width + c.x + radius * std::cos(angle),
                     y = 0.5 * height + c.y + radius * std::sin(angle);
        if (!(x >= -margin && y >= -margin && x < width + margin && y < height + margin)) continue;
        const auto add = [&](double m) {
            const double mag = m + c.distance_modulus;
            out.push_back({x, y, mag, electrons(mag, exposure), -1});
        };
        const double kind = r.uniform(), luminosity = r.uniform(), pair = r.uniform(), ratio = r.uniform(c.q_min, 1);
        add(kind < c.giants ? giants.quantile(luminosity) : absolute(c.luminosity, mass));
        if (pair < c.binaries) add(absolute(c.luminosity, mass * ratio));
    }
    return out;
}

}  // namespace star
