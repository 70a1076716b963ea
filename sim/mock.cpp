// Base stars and growth.
#include "sim/mock.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/check.h"
#include "sim/scatter.h"
#include "sim/streams.h"
#include "sim/truth_geometry.h"

namespace star {
namespace {

/// Eq. 1, by inverting its cumulative distribution on [low, high].
double luminosity(double slope, double low, double high, double u) {
    const double b = slope * std::numbers::ln10;  // N ~ exp(b m)
    const double span = b * (high - low);
    return std::fabs(span) < 1e-9 ? low + u * (high - low) : low + std::log1p(u * std::expm1(span)) / b;
}

int draw_count(const ClassMix& mix, double u) {
    double total = 0, sum = 0;
    for (double w : mix) total += w;
    int last = 0;
    for (int i = 0; i < 5; ++i) {
        if (mix[std::size_t(i)] > 0) last = i + 1;
        if ((sum += mix[std::size_t(i)]) > u * total) return i + 1;
    }
    return last;
}

/// Eq. 2: the star that grows from `previous` in a unit whose brightest is `base`.
Star grow(const Mock& o, const Psf& psf, const Exposure& exposure, const Star& base, const Star& previous,
          Random& random) {
    Star s{0, 0, 0, 0, base.unit};
    s.mag = random.uniform(previous.mag, std::max(previous.mag, std::min(base.mag + o.contrast, o.mag_limit)));
    s.flux = electrons(s.mag, exposure);
    const double distance = random.uniform(o.dist_min, std::max(o.dist_min, dist_max(psf, previous.flux, s.flux)));
    const double angle = 2 * std::numbers::pi * random.uniform();
    s.x = previous.x + distance * std::cos(angle);
    s.y = previous.y + distance * std::sin(angle);
    return s;
}

}  // namespace

void check_mock(const Mock& o) {
    double total = 0;
    for (double w : o.mix) in_range("mix", w, 0, 1e6), total += w;
    if (!(total > 0)) fail(Fault::usage, "mix: all five weights are 0");
    in_range("slope", o.slope, -5, 5);
    in_range("mag_min", o.mag_min, -30, 60);
    in_range("mag_max", o.mag_max, o.mag_min, 60);
    in_range("mag_limit", o.mag_limit, o.mag_max, 60);
    in_range("contrast", o.contrast, 0, 10);
    in_range("min_separation", o.min_separation, 0, 1000);
    in_range("density_min", o.density_min, 0, as_many_as_fit);
    if (std::isinf(o.density_min) != std::isinf(o.density_max))
        fail(Fault::usage, "density_min and density_max: a range needs both; without either, as many as fit");
    in_range("density_max", o.density_max, o.density_min, as_many_as_fit);
    if (std::isinf(o.density_max) && o.min_separation < 0.5)
        fail(Fault::usage, "min_separation = ", o.min_separation, ": \"as many as fit\" needs at least 0.5");
    in_range("dist_min", o.dist_min, 0, 100);
    in_range("faint_density", o.faint_density, 0, 100);
    in_range("faint_min", o.faint_min, -30, 60);
    in_range("faint_limit", o.faint_limit, o.faint_min, 60);
}

std::vector<Star> make_mock(const Mock& o, const Psf& psf, const Exposure& exposure, const FieldSpec& field) {
    check_mock(o);
    check_exposure(exposure);
    check_field(field, "mock");
    const auto [width, height, margin, seed, index] = field;
    const double x0 = -margin, y0 = -margin, x1 = width + margin, y1 = height + margin, area = (x1 - x0) * (y1 - y0);

    Random places(seed_of(seed, Draw::places, index), 0), members(seed_of(seed, Draw::members, index), 0);
    double count = as_many_as_fit;
    if (!std::isinf(o.density_max)) count = places.poisson(places.uniform(o.density_min, o.density_max) * area);

    std::vector<Star> stars;
    int units = 0;
    for (const Place& p : scatter(x0, y0, x1, y1, o.min_separation, count, places)) {
        Star base{p.x, p.y, luminosity(o.slope, o.mag_min, o.mag_max, members.uniform()), 0, units++};
        base.flux = electrons(base.mag, exposure);
        stars.push_back(base);
        for (int more = draw_count(o.mix, members.uniform()) - 1; more > 0; --more)
            stars.push_back(grow(o, psf, exposure, base, stars.back(), members));
    }

    Random crowd(seed_of(seed, Draw::crowd, index), 0);
    const double faint = crowd.poisson(o.faint_density * area);
    for (const Place& p : scatter(x0, y0, x1, y1, 0, faint, crowd)) {
        const double mag = luminosity(o.slope, o.faint_min, o.faint_limit, crowd.uniform());
        stars.push_back({p.x, p.y, mag, electrons(mag, exposure), -1});
    }
    return stars;
}

}  // namespace star
