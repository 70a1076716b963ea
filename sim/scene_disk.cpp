// Places by rejection, magnitudes by inversion.
#include "sim/scene_disk.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"
#include "sim/scene_streams.h"

namespace star {
void check_disk(const Disk& d) {
    in_range("density", d.density, 0, 1000);
    in_range("gradient_x", d.gradient_x, -1, 1);
    in_range("gradient_y", d.gradient_y, -1, 1);
}

Disk m31_disk(double density, double limit, double magnitude_shift) {
    in_range("limit", limit, 25, 40);
    in_range("magnitude_shift", magnitude_shift, -10, 10);
    // log10 of stars per magnitude.
    const std::vector<std::pair<double, double>> shape{{22.5, -2.5}, {24.5, -1.4}, {25.6, -0.55},
                                                       {26.2, 0.2},  {26.8, 0.1},  {std::max(27.5, limit + 3), 0.1}};
    std::vector<LuminosityFunction::Knot> knots;
    for (const auto& [mag, log_density] : shape) knots.push_back({mag + magnitude_shift, log_density});
    Disk d;
    d.luminosity = LuminosityFunction(knots);
    d.density = density * d.luminosity.total() / d.luminosity.count(27.4 + magnitude_shift);
    return d;
}

std::vector<Star> make_disk(const Disk& d, const Exposure& exposure, const FieldSpec& field) {
    check_disk(d);
    check_exposure(exposure);
    check_field(field, "disk");
    const auto [width, height, margin, seed, index] = field;
    const double w = width + 2 * margin, h = height + 2 * margin;
    const double most = 1 + 0.5 * (std::fabs(d.gradient_x) * w + std::fabs(d.gradient_y) * h);
    const double mean = d.density * most * w * h;
    if (!(mean <= double(1 << 26))) fail(Fault::usage, "disk: ", mean, " stars, more than ", 1 << 26);
    Random r(scene_seed(seed, SceneDraw::disk, index), 0);
    std::vector<Star> out;
    for (double n = r.poisson(mean); n > 0; --n) {
        const double x = r.uniform(-margin, width + margin), y = r.uniform(-margin, height + margin);
        const double u = r.uniform(), mag = d.luminosity.quantile(r.uniform());
        if (u * most >= 1 + d.gradient_x * (x - 0.5 * width) + d.gradient_y * (y - 0.5 * height)) continue;
        out.push_back({x, y, mag, electrons(mag, exposure), -1});
    }
    return out;
}

}  // namespace star
