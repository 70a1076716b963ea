// Directions, lengths, charges.
#include "sim/scene_cosmic_rays.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/check.h"
#include "sim/scene_streams.h"

namespace star {
void check_cosmic_rays(const CosmicRays& c) {
    in_range("rate", c.rate, 0, 1e6);
    in_range("pixel_um", c.pixel_um, 0.1, 1000);
    in_range("thickness_um", c.thickness_um, 0.1, 1e4);
    in_range("charge_per_um", c.charge_per_um, 0, 1e4);
    in_range("straggling", c.straggling, 0, 2);
    in_range("longest_px", c.longest_px, 1, 1e4);
}

std::vector<Track> make_cosmic_rays(const CosmicRays& c, double exptime_s, int width, int height, std::uint64_t seed,
                                    std::uint64_t index) {
    check_cosmic_rays(c);
    require(width > 0 && height > 0 && exptime_s >= 0, "cosmic rays: a field of ", width, "x", height, ", ", exptime_s,
            " s");
    const double margin = 0.5 * c.longest_px, w = width + c.longest_px, h = height + c.longest_px;
    const double mean = c.rate * exptime_s * w * h * c.pixel_um * c.pixel_um * 1e-8;  // um^2 to cm^2
    if (!(mean <= double(1 << 26))) fail(Fault::usage, "cosmic rays: ", mean, " tracks, more than ", 1 << 26);
    Random r(scene_seed(seed, SceneDraw::cosmic_rays, index), 0);
    std::vector<Track> out;
    for (double n = r.poisson(mean); n > 0; --n) {
        const double x = r.uniform(-margin, width + margin), y = r.uniform(-margin, height + margin);
        const double cosine = std::sqrt(r.uniform()), azimuth = 2 * std::numbers::pi * r.uniform();
        const double path = c.thickness_um / cosine;
        const double length = path * std::sqrt(1 - cosine * cosine) / c.pixel_um;
        const double cut = std::min(1.0, c.longest_px / std::max(length, 1e-300));
        const double dx = 0.5 * cut * length * std::cos(azimuth), dy = 0.5 * cut * length * std::sin(azimuth);
        const double charge = cut * path * c.charge_per_um * std::exp(c.straggling * r.normal());
        out.push_back({x - dx, y - dy, x + dx, y + dy, charge});
    }
    return out;
}

void add_tracks(std::span<const Track> tracks, View<float> image) {
    const int w = image.shape.w, h = image.shape.h;
    require(image.shape == Shape{1, h, w, 1}, "tracks: an image of several planes");
    for (const Track& t : tracks) {
        const double length = std::hypot(t.x1 - t.x0, t.y1 - t.y0);
        require(std::isfinite(length) && length < 1e6 && std::isfinite(t.electrons), "tracks: one of ", length, " px");
        const int steps = std::max(1, int(std::ceil(8 * length)));
        for (int i = 0; i < steps; ++i) {
            const double f = (i + 0.5) / steps;
            const double x = std::floor(t.x0 + f * (t.x1 - t.x0)), y = std::floor(t.y0 + f * (t.y1 - t.y0));
            if (x >= 0 && y >= 0 && x < w && y < h)
                image.data[std::int64_t(y) * w + std::int64_t(x)] += float(t.electrons / steps);
        }
    }
}

}  // namespace star
