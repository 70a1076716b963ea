// One star after the other.
#include "sim/psf_misfit.h"

#include <algorithm>
#include <vector>

#include "sim/fit_group.h"
#include "sim/psf_measure_stars.h"

namespace star {
namespace {

constexpr int least_stars = 5, most_stars = 200;
constexpr double sees = 2.5, judged = 1.5, alone = 4;  // FWHM
constexpr double stamp_loss = 1e-4;
constexpr int fitted = 4;                                       // numbers of a star
constexpr double telling = 3, tenth = 1.28, significant = 3.5;  // in standard errors

struct Judged {
    double misfit, error;  // of the light, squared
};

// The pixels around a star that lie on the image, without its sky.
FitPixels around(const MeasuredImage& image, const IsolatedStar& s, int reach) {
    FitPixels p;
    p.column = std::max(0, s.column - reach), p.row = std::max(0, s.row - reach);
    p.resize(std::min(image.w, s.column + reach + 1) - p.column, std::min(image.h, s.row + reach + 1) - p.row);
    for (int y = 0; y < p.h; ++y)
        for (int x = 0; x < p.w; ++x)
            p.light[std::size_t(y) * std::size_t(p.w) + std::size_t(x)] =
                double(image.pixels[std::size_t(p.row + y) * std::size_t(image.w) + std::size_t(p.column + x)]) - s.sky;
    return p;
}

// Calls with index, distance and e of every usable pixel within `reach` of the star.
template <class Call>
void for_pixels(const MeasuredImage& image, const FitPixels& p, const FitStar& s, const LocalPsf& psf, double reach,
                Call&& call) {
    for (int y = 0; y < p.h; ++y)
        for (int x = 0; x < p.w; ++x) {
            const double dx = p.column + x + 0.5 - s.x, dy = p.row + y + 0.5 - s.y;
            if (dx * dx + dy * dy <= reach * reach && usable(image, p.column + x, p.row + y))
                call(std::size_t(y) * std::size_t(p.w) + std::size_t(x), double(psf.at(dx, dy)));
        }
}

}  // namespace

PsfMisfit psf_misfit(const MeasuredImage& image, double saturate, double electrons_per_unit, const PsfMap& psf) {
    const double fwhm = psf.middle().fwhm();
    PsfMeasure how;
    how.radius = std::clamp(int(std::ceil(alone * fwhm)), 8, 50);
    how.max_stars = most_stars, how.saturate = saturate;
    const StarSelection selection = select_stars(image, how);
    FisherStamp stamp(psf.middle(), stamp_loss);
    std::vector<Judged> judged_stars;
    for (const IsolatedStar& isolated : selection.stars) {
        FitPixels p = around(image, isolated, int(std::ceil(sees * fwhm)) + 2);
        FitStar star{isolated.x + 0.5, isolated.y + 0.5, isolated.flux};
        const LocalPsf local = psf.at(star.x, star.y);
        stamp.move_to(local);
        const auto variance = [&](double e) {
            const double light = std::max(0.0, star.flux * e);
            return selection.sigma * selection.sigma + (electrons_per_unit > 0 ? light / electrons_per_unit : 0);
        };
        GroupFit fit(stamp, {});
        GroupResult result;
        for (int round = 0; round < 2; ++round) {  // the second with the first one's weights
            std::fill(p.weight.begin(), p.weight.end(), 0.0);
            for_pixels(image, p, star, local, sees * fwhm,
                       [&](std::size_t i, double e) { p.weight[i] = 1 / variance(e); });
            result = fit.fit(p, {&star, 1});
        }
        if (!result.converged || !(star.flux > 0)) continue;
        double squares = 0, noise = 0, noise2 = 0, light = 0;
        int n = 0;
        for_pixels(image, p, star, local, judged * fwhm, [&](std::size_t i, double e) {
            const double own = star.flux * e, r = p.light[i] - result.sky - own, v = variance(e);
            squares += r * r, noise += v, noise2 += v * v, light += own * own, ++n;
        });
        if (n > fitted && light > 0)
            judged_stars.push_back(
                {(squares - (1 - double(fitted) / n) * noise) / light, std::sqrt(2 * noise2) / light});
    }
    std::sort(judged_stars.begin(), judged_stars.end(),
              [](const Judged& a, const Judged& b) { return a.error < b.error; });
    if (int(judged_stars.size()) < least_stars) return {int(judged_stars.size()), NAN};
    const double most = telling * judged_stars[least_stars - 1].error;
    std::erase_if(judged_stars, [&](const Judged& j) { return j.error > most; });
    const double usual = judged_stars[judged_stars.size() / 2].error;
    std::vector<double> misfits;
    for (const Judged& j : judged_stars) misfits.push_back(j.misfit + tenth * j.error);
    const auto best = misfits.begin() + std::ptrdiff_t(misfits.size() / 10);
    std::nth_element(misfits.begin(), best, misfits.end());
    const bool real = *best > significant * usual / std::sqrt(double(misfits.size()));
    return {int(misfits.size()), real ? std::sqrt(*best) : 0};
}

}  // namespace star
