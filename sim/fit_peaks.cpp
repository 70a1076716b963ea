// A star and a sky at every pixel.
#include "sim/fit_peaks.h"

#include <algorithm>
#include <cmath>

#include "sim/matched_filter.h"

namespace star {
namespace {

constexpr int cell = 64;  // px a side: one matched filter for all of it

// The matched filter of every cell; of the image, where its PSF is the same everywhere.
class Filters {
public:
    explicit Filters(const FitScene& scene)
        : varies_(scene.psf().varies()), columns_((scene.image().width + cell - 1) / cell) {
        const int reach = int(std::ceil(1.5 * scene.fwhm())), rows = (scene.image().height + cell - 1) / cell;
        for (int v = 0; v < (varies_ ? rows : 1); ++v)
            for (int u = 0; u < (varies_ ? columns_ : 1); ++u)
                list_.emplace_back(scene.psf().at((u + 0.5) * cell, (v + 0.5) * cell), reach);
    }
    const MatchedFilter& at(int x, int y) const {
        return list_[varies_ ? std::size_t(y / cell) * std::size_t(columns_) + std::size_t(x / cell) : 0];
    }

private:
    bool varies_;
    int columns_;
    std::vector<MatchedFilter> list_;
};

// Of every pixel: weight (0: unusable), and weight times residual and model.
struct Weighed {
    std::vector<float> weight, residual, model;

    explicit Weighed(const FitScene& scene) {
        const std::size_t size = scene.drawn().size();
        weight.assign(size, 0), residual.assign(size, 0), model.assign(size, 0);
        scene.pool().for_range(std::int64_t(size), 65536, [&](std::int64_t first, std::int64_t last, int) {
            for (auto i = std::size_t(first); i < std::size_t(last); ++i) {
                if (!scene.usable(i)) continue;
                const double w = 1 / scene.variance(i);
                weight[i] = float(w), residual[i] = float(w * scene.residual(i)), model[i] = float(w * scene.model(i));
            }
        });
    }
};

// Sums over a square of weight times 1, e, e^2, residual, e residual, model, e model.
struct Sums {
    double one = 0, e = 0, ee = 0, r = 0, er = 0, m = 0, em = 0;
};

Sums sums_at(const FitImage& image, const Weighed& all, const MatchedFilter& f, int cx, int cy) {
    Sums s;
    const int x0 = std::max(0, cx - f.radius), x1 = std::min(image.width - 1, cx + f.radius);
    for (int y = std::max(0, cy - f.radius); y <= std::min(image.height - 1, cy + f.radius); ++y) {
        const std::size_t line = std::size_t(y) * std::size_t(image.width);
        const double* row = f.row(y - cy) - cx + f.radius;
        for (int x = x0; x <= x1; ++x) {
            const std::size_t i = line + std::size_t(x);
            const double e = row[x], w = all.weight[i], r = all.residual[i], m = all.model[i];
            s.one += w, s.e += w * e, s.ee += w * e * e;
            s.r += r, s.er += e * r, s.m += m, s.em += e * m;
        }
    }
    return s;
}

}  // namespace

std::vector<FitStar> residual_peaks(const FitScene& scene, double snr, double psf_error) {
    const int W = scene.image().width, H = scene.image().height;
    const Filters filters(scene);
    const Weighed all(scene);

    const std::size_t size = std::size_t(W) * std::size_t(H);
    std::vector<float> significance(size, 0.0f), flux(size, 0.0f);
    scene.pool().for_each(H, [&](std::int64_t row, int) {
        for (int x = 0; x < W; ++x) {
            const std::size_t i = std::size_t(row) * std::size_t(W) + std::size_t(x);
            if (!scene.usable(i)) continue;
            const MatchedFilter& filter = filters.at(x, int(row));
            const Sums s = sums_at(scene.image(), all, filter, x, int(row));
            const double det = s.ee - s.e * s.e / s.one;  // information on the flux with the sky free
            if (!(det > 1e-9 * s.ee)) continue;
            const double f = (s.er - s.e * s.r / s.one) / det, sigma = 1 / std::sqrt(det);
            const double wing = std::max(0.0, (s.em - s.e * s.m / s.one) / det);
            if (!(f > snr * sigma + psf_error * std::max(wing, scene.model(i) / filter.peak))) continue;
            significance[i] = float(f / sigma), flux[i] = float(f);
        }
    });
    std::vector<FitStar> found;
    for (int y = 0; y < H; ++y)
        for (int x = 0; x < W; ++x) {
            const std::size_t i = std::size_t(y) * std::size_t(W) + std::size_t(x);
            if (!(significance[i] > 0)) continue;
            bool highest = true;
            for (int v = std::max(0, y - 1); v <= std::min(H - 1, y + 1); ++v)
                for (int u = std::max(0, x - 1); u <= std::min(W - 1, x + 1); ++u) {
                    const std::size_t j = std::size_t(v) * std::size_t(W) + std::size_t(u);
                    highest = highest && (j == i || significance[j] < significance[i] ||
                                          (significance[j] == significance[i] && j > i));
                }
            if (highest) found.push_back({x + 0.5, y + 0.5, flux[i]});
        }
    return found;
}

}  // namespace star
