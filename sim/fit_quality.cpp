// Sums over a star's pixels.
#include "sim/fit_quality.h"

#include <cmath>

namespace star {
namespace {

constexpr double reach_fwhm = 1.5;

StarQuality quality(const FitScene& scene, const FieldStar& s) {
    const double reach = reach_fwhm * scene.fwhm();
    const int W = scene.image().width, H = scene.image().height;
    const LocalPsf psf = scene.psf().at(s.at.x, s.at.y);
    double all = 0, good = 0, chi2 = 0, own = 0, total = 0, ee = 0, eew = 0, own_w = 0, total_w = 0, rt = 0, tt = 0;
    int n = 0;
    const int x0 = int(std::ceil(s.at.x - reach - 0.5)), x1 = int(std::floor(s.at.x + reach - 0.5));
    const int y0 = int(std::ceil(s.at.y - reach - 0.5)), y1 = int(std::floor(s.at.y + reach - 0.5));
    for (int y = y0; y <= y1; ++y)
        for (int x = x0; x <= x1; ++x) {
            const double dx = x + 0.5 - s.at.x, dy = y + 0.5 - s.at.y;
            if (dx * dx + dy * dy > reach * reach) continue;
            const double e = psf.at(dx, dy);
            all += e;
            if (x < 0 || y < 0 || x >= W || y >= H) continue;
            const std::size_t i = std::size_t(y) * std::size_t(W) + std::size_t(x);
            if (!scene.usable(i)) continue;
            double blurred = 0;
            for (int v = -1; v <= 1; ++v)
                for (int u = -1; u <= 1; ++u) blurred += (2 - u * u) * (2 - v * v) * psf.at(dx + u, dy + v) / 16.0;
            const double t = e - blurred, w = 1 / scene.variance(i), r = scene.residual(i) - s.sky, m = scene.model(i);
            ++n, good += e, chi2 += w * r * r;
            own += e * e * s.at.flux, total += e * m, ee += e * e, eew += w * e * e;
            own_w += w * e * e * s.at.flux, total_w += w * e * m;
            rt += w * r * t, tt += w * t * t;
        }
    if (!n) return {NAN, 0, NAN, NAN, NAN, NAN, NAN};
    const double crowd = own_w > 0 && total_w > own_w ? 2.5 * std::log10(total_w / own_w) : own_w > 0 ? 0 : NAN;
    return {chi2 / n / scene.pixel_variance(),
            all > 0 ? good / all : 0,
            total != 0 ? own / total : NAN,
            ee > 0 ? (total - own) / ee : NAN,
            crowd,
            s.at.flux != 0 && tt > 0 ? rt / (s.at.flux * tt) : NAN,
            s.at.flux * std::sqrt(eew)};
}

}  // namespace

std::vector<StarQuality> star_quality(const FitScene& scene, std::span<const FieldStar> stars) {
    std::vector<StarQuality> list(stars.size());
    scene.pool().for_range(std::int64_t(stars.size()), 64, [&](std::int64_t first, std::int64_t last, int) {
        for (auto i = std::size_t(first); i < std::size_t(last); ++i) list[i] = quality(scene, stars[i]);
    });
    return list;
}

}  // namespace star
