// Counts, and Sersic's law on a grid.
#include "sim/scene_galaxies.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/check.h"
#include "sim/scene_streams.h"

namespace star {
void check_galaxies(const Galaxies& g) {
    in_range("pixel_scale", g.pixel_scale, 1e-3, 100);
    in_range("size_arcsec", g.size_arcsec, 1e-3, 100);
    in_range("size_mag", g.size_mag, -30, 60);
    in_range("size_slope", g.size_slope, -1, 1);
    in_range("size_scatter", g.size_scatter, 0, 1);
    in_range("bulges", g.bulges, 0, 1);
}

std::vector<Galaxy> make_galaxies(const Galaxies& g, const Exposure& exposure, const FieldSpec& field) {
    check_galaxies(g);
    check_exposure(exposure);
    check_field(field, "galaxies");
    const auto [width, height, margin, seed, index] = field;
    const double side = g.pixel_scale / 3600,
                 mean = g.counts.total() * side * side * (width + 2 * margin) * (height + 2 * margin);
    if (!(mean <= double(1 << 24))) fail(Fault::usage, "galaxies: ", mean, " of them, more than ", 1 << 24);
    Random r(scene_seed(seed, SceneDraw::galaxies, index), 0);
    std::vector<Galaxy> out;
    for (double n = r.poisson(mean); n > 0; --n) {
        Galaxy a{};
        a.x = r.uniform(-margin, width + margin), a.y = r.uniform(-margin, height + margin);
        a.mag = g.counts.quantile(r.uniform()), a.flux = electrons(a.mag, exposure);
        const double dex = g.size_slope * (a.mag - g.size_mag) + g.size_scatter * r.normal();
        a.half_light = g.size_arcsec / g.pixel_scale * std::pow(10, dex);
        a.sersic = r.uniform() < g.bulges ? 4 : 1;
        a.axis_ratio = r.uniform(0.2, 1), a.angle = std::numbers::pi * r.uniform();
        out.push_back(a);
    }
    return out;
}

std::vector<PointSource> galaxy_light(const Galaxy& g) {
    require(g.half_light > 0 && g.half_light < 1e6 && g.sersic >= 0.3 && g.sersic <= 10 && g.axis_ratio > 0 &&
                g.axis_ratio <= 1 && std::isfinite(g.x) && std::isfinite(g.y) && std::isfinite(g.flux) &&
                std::isfinite(g.angle),
            "galaxy: half-light radius ", g.half_light, " px, index ", g.sersic, ", axis ratio ", g.axis_ratio);
    const double n = g.sersic, b = 2 * n - 1.0 / 3 + 4 / (405 * n);
    const double reach = (n <= 2 ? 4 : 8) * g.half_light,
                 step = std::max(g.half_light < 4 ? 0.5 : 1.0, 2 * reach / 1024);
    const int half = std::max(1, int(std::ceil(reach / step)));
    const double c = std::cos(g.angle), s = std::sin(g.angle);
    std::vector<PointSource> out;
    double sum = 0;
    for (int j = -half; j <= half; ++j)
        for (int i = -half; i <= half; ++i) {
            // The cusp is steep only next to the centre.
            const int sub = std::max(std::abs(i), std::abs(j)) <= 2 ? 32 : 4;
            double light = 0;
            for (int v = 0; v < sub; ++v)
                for (int u = 0; u < sub; ++u) {
                    const double dx = step * (i + (u + 0.5) / sub - 0.5), dy = step * (j + (v + 0.5) / sub - 0.5);
                    const double r = std::hypot(dx * c + dy * s, (dy * c - dx * s) / g.axis_ratio);
                    if (r < reach) light += std::exp(-b * std::pow(r / g.half_light, 1 / n)) / (sub * sub);
                }
            if (!(light > 0)) continue;
            out.push_back({g.x + step * i, g.y + step * j, light});
            sum += light;
        }
    for (PointSource& p : out) p.flux *= g.flux / sum;
    return out;
}

}  // namespace star
