// Sums over a star's pixels.
#include "sim/fit_quality.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "sim/fisher_simd.h"

namespace star {
namespace {

constexpr double reach_fwhm = 1.5;

// e in a square of pixels.
class Square {
public:
    explicit Square(const FisherKernels& kernels) : kernels_(kernels) {}

    // columns [x0, x1], rows [y0, y1] of a star at (x, y); 0 beyond the PSF's table.
    void draw(const LocalPsf& psf, double x, double y, int x0, int x1, int y0, int y1) {
        x0_ = x0, y0_ = y0, line_ = x1 - x0 + 1;
        e_.assign(std::size_t(line_) * std::size_t(y1 - y0 + 1), 0.0);
        const int column = int(std::floor(x)), row = int(std::floor(y));
        for (const LocalPsf::Part& p : psf.parts()) {
            const int reach = p.psf->reach();
            const int left = std::max(x0, column - reach), right = std::min(x1, column + reach);
            const int low = std::max(y0, row - reach), high = std::min(y1, row + reach);
            if (left > right || low > high) continue;
            const Psf::Phase px = p.psf->phase_x(x - column - 0.5), py = p.psf->phase_y(y - row - 0.5);
            FisherTaps taps{};
            for (int i = 0; i < 4; ++i) {
                taps.at_x[i] = px.at[i], taps.x[i] = px.weight[i];
                taps.at_y[i] = py.at[i], taps.y[i] = py.weight[i];
            }
            const int w = right - left + 1, h = high - low + 1;
            part_.resize(std::size_t(w) * std::size_t(h));
            const int first = (low - row) * p.psf->stride() + left - column;
            kernels_.light({&taps, p.psf->coefficients() + first, p.psf->stride(), h, w, 1, part_.data(), w, 0});
            for (int m = 0; m < h; ++m)
                for (int n = 0; n < w; ++n)
                    e_[at(left + n, low + m)] += p.weight * part_[std::size_t(m) * std::size_t(w) + std::size_t(n)];
        }
    }
    double operator()(int x, int y) const { return e_[at(x, y)]; }
    // Blurred with (1 2 1)/4 along both axes.
    double blurred(int x, int y) const {
        const double* e = e_.data() + at(x, y);
        const auto row = [](const double* c) { return c[-1] + 2 * c[0] + c[1]; };
        return (row(e - line_) + 2 * row(e) + row(e + line_)) / 16;
    }

private:
    std::size_t at(int x, int y) const { return std::size_t(y - y0_) * std::size_t(line_) + std::size_t(x - x0_); }

    const FisherKernels& kernels_;
    int x0_ = 0, y0_ = 0, line_ = 0;
    std::vector<double> e_, part_;
};

StarQuality quality(const FitScene& scene, const FieldStar& s, Square& light) {
    const double reach = reach_fwhm * scene.fwhm();
    const int W = scene.image().width, H = scene.image().height;
    const int x0 = int(std::ceil(s.at.x - reach - 0.5)), x1 = int(std::floor(s.at.x + reach - 0.5));
    const int y0 = int(std::ceil(s.at.y - reach - 0.5)), y1 = int(std::floor(s.at.y + reach - 0.5));
    light.draw(scene.psf().at(s.at.x, s.at.y), s.at.x, s.at.y, x0 - 1, x1 + 1, y0 - 1, y1 + 1);
    double all = 0, good = 0, chi2 = 0, own = 0, total = 0, ee = 0, eew = 0, own_w = 0, total_w = 0, rt = 0, tt = 0;
    int n = 0;
    for (int y = y0; y <= y1; ++y)
        for (int x = x0; x <= x1; ++x) {
            const double dx = x + 0.5 - s.at.x, dy = y + 0.5 - s.at.y;
            if (dx * dx + dy * dy > reach * reach) continue;
            const double e = light(x, y);
            all += e;
            if (x < 0 || y < 0 || x >= W || y >= H) continue;
            const std::size_t i = std::size_t(y) * std::size_t(W) + std::size_t(x);
            if (!scene.usable(i)) continue;
            const double t = e - light.blurred(x, y), w = 1 / scene.variance(i), r = scene.residual(i) - s.sky,
                         m = scene.model(i);
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
        Square light(fisher_kernels(scene.pool().isa()));
        for (auto i = std::size_t(first); i < std::size_t(last); ++i) list[i] = quality(scene, stars[i], light);
    });
    return list;
}

}  // namespace star
