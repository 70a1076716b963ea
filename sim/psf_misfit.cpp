// One star after the other.
#include "sim/psf_misfit.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <vector>

#include "sim/fit_group.h"
#include "sim/psf_measure_stars.h"

namespace star {
namespace {

constexpr int least_stars = 5, most_stars = 200;
constexpr int least_for_misfit = 10;             // of fewer in a crowded field not one may be alone
constexpr double sees = 2.5, judged = 1.5;       // FWHM
constexpr double alone = 4, nearly_alone = 2.5;  // FWHM without a rival: for a misfit, for a blur
constexpr double stamp_loss = 1e-4;
constexpr double starlike = 0.5;                                // misfit; more is a cosmic ray, a hot pixel, a galaxy
constexpr int fitted = 4;                                       // numbers of a star
constexpr double telling = 3, tenth = 1.28, significant = 3.5;  // in standard errors
constexpr double least_blur = 0.05, most_blur = 0.5;            // FWHM
constexpr double precision = 0.02;                              // px
constexpr double improvement = 0.8;                             // of the misfit, that a blur must bring

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

// The image's stars, whatever PSF they are fitted with.
struct Witnesses {
    const MeasuredImage& image;
    double electrons_per_unit, fwhm;  // px: of what is looked at, whatever the PSF
    StarSelection selection;

    // Stars that are alone within so many FWHM.
    Witnesses(const MeasuredImage& of, double saturate, double per_unit, const PsfMap& psf, double within)
        : image(of), electrons_per_unit(per_unit), fwhm(psf.middle().fwhm()) {
        PsfMeasure how;
        how.radius = std::clamp(int(std::ceil(within * fwhm)), 6, 50);
        how.max_stars = most_stars, how.saturate = saturate;
        selection = select_stars(image, how);
    }

    std::optional<Judged> judge(const IsolatedStar& isolated, const PsfMap& psf, FisherStamp& stamp) const;
    // Keeps the stars that can tell; fewer than least_stars of them: none can.
    std::vector<Judged> choose(const PsfMap& psf);
    // Of each of those; what no longer fits at all is none.
    std::vector<Judged> judge(const PsfMap& psf) const;
};

std::optional<Judged> Witnesses::judge(const IsolatedStar& isolated, const PsfMap& psf, FisherStamp& stamp) const {
    FitPixels p = around(image, isolated, int(std::ceil(sees * fwhm)) + 2);
    FitStar star{isolated.x + 0.5, isolated.y + 0.5, isolated.flux};
    const LocalPsf local = psf.at(star.x, star.y);
    stamp.move_to(local);
    const auto variance = [&](double e) {
        const double light = std::max(0.0, star.flux * e);
        return selection.sigma * selection.sigma + (electrons_per_unit > 0 ? light / electrons_per_unit : 0);
    };
    GroupFit fit(stamp, {}, Isa::baseline);
    GroupResult result;
    for (int round = 0; round < 2; ++round) {  // the second with the first one's weights
        std::fill(p.weight.begin(), p.weight.end(), 0.0);
        for_pixels(image, p, star, local, sees * fwhm, [&](std::size_t i, double e) { p.weight[i] = 1 / variance(e); });
        result = fit.fit(p, {&star, 1});
    }
    if (!result.converged || !(star.flux > 0)) return std::nullopt;
    double squares = 0, noise = 0, noise2 = 0, light = 0;
    int n = 0;
    for_pixels(image, p, star, local, judged * fwhm, [&](std::size_t i, double e) {
        const double own = star.flux * e, r = p.light[i] - result.sky - own, v = variance(e);
        squares += r * r, noise += v, noise2 += v * v, light += own * own, ++n;
    });
    if (n <= fitted || !(light > 0)) return std::nullopt;
    return Judged{(squares - (1 - double(fitted) / n) * noise) / light, std::sqrt(2 * noise2) / light};
}

std::vector<Judged> Witnesses::choose(const PsfMap& psf) {
    struct Candidate {
        IsolatedStar star;
        Judged judged;
    };
    FisherStamp stamp(psf.middle(), stamp_loss);
    std::vector<Candidate> list;
    for (const IsolatedStar& isolated : selection.stars)
        if (const auto j = judge(isolated, psf, stamp)) list.push_back({isolated, *j});
    // Where most are unlike the PSF it isn't they that are no stars.
    const auto strange = [](const Candidate& c) { return c.judged.misfit >= starlike * starlike; };
    if (2 * std::size_t(std::count_if(list.begin(), list.end(), strange)) < list.size()) std::erase_if(list, strange);
    std::sort(list.begin(), list.end(),
              [](const Candidate& a, const Candidate& b) { return a.judged.error < b.judged.error; });
    if (int(list.size()) >= least_stars) {
        const double most = telling * list[least_stars - 1].judged.error;
        std::erase_if(list, [&](const Candidate& c) { return c.judged.error > most; });
    }
    std::vector<Judged> told;
    selection.stars.clear();
    for (const Candidate& c : list) selection.stars.push_back(c.star), told.push_back(c.judged);
    return told;
}

std::vector<Judged> Witnesses::judge(const PsfMap& psf) const {
    FisherStamp stamp(psf.middle(), stamp_loss);
    std::vector<Judged> list;
    for (const IsolatedStar& star : selection.stars) list.push_back(judge(star, psf, stamp).value_or(Judged{1, 0}));
    return list;
}

// What the best stars leave, of the light, squared: below 0 by noise.
double tenth_part(const std::vector<Judged>& stars) {
    std::vector<double> misfits;
    for (const Judged& j : stars) misfits.push_back(j.misfit + tenth * j.error);
    const auto best = misfits.begin() + std::ptrdiff_t(misfits.size() / 10);
    std::nth_element(misfits.begin(), best, misfits.end());
    return *best;
}

PsfMisfit misfit_of(const std::vector<Judged>& stars, int least) {
    const int n = int(stars.size());
    if (n < least) return {n};
    std::vector<double> errors;
    for (const Judged& j : stars) errors.push_back(j.error);
    const double told = significant * median(errors) / std::sqrt(double(n)), best = tenth_part(stars);
    return {n, best > told ? std::sqrt(best) : 0, std::sqrt(told)};
}

// The mean misfit of the better half.
double better_half(const std::vector<Judged>& stars) {
    std::vector<double> misfits;
    for (const Judged& j : stars) misfits.push_back(j.misfit);
    std::sort(misfits.begin(), misfits.end());
    const std::size_t half = (misfits.size() + 1) / 2;
    return std::accumulate(misfits.begin(), misfits.begin() + std::ptrdiff_t(half), 0.0) / double(half);
}

}  // namespace

PsfMisfit psf_misfit(const MeasuredImage& image, double saturate, double electrons_per_unit, const PsfMap& psf) {
    return misfit_of(Witnesses(image, saturate, electrons_per_unit, psf, alone).choose(psf), least_for_misfit);
}

PsfBlur psf_blur(const MeasuredImage& image, double saturate, double electrons_per_unit, const PsfMap& psf,
                 double usual) {
    Witnesses witnesses(image, saturate, electrons_per_unit, psf, nearly_alone);
    const std::vector<Judged> sharp = witnesses.choose(psf);
    PsfBlur none;
    none.sharp = none.blurred = misfit_of(sharp, least_stars);
    if (!(none.sharp.error > usual)) return none;
    // Golden section search in sigma^2, in which a misfit is a parabola.
    const auto left = [&](double square) { return better_half(witnesses.judge(psf.blurred(std::sqrt(square)))); };
    const double golden = 0.5 * (std::sqrt(5.0) - 1), least = std::max(least_blur * witnesses.fwhm, psf.least_blur());
    double low = least * least, high = std::pow(most_blur * witnesses.fwhm, 2);
    if (!(low < high)) return none;
    double a = high - golden * (high - low), b = low + golden * (high - low), at_a = left(a), at_b = left(b);
    while (std::sqrt(high) - std::sqrt(low) > precision) {
        if (at_a < at_b) {
            high = b, b = a, at_b = at_a;
            a = high - golden * (high - low), at_a = left(a);
        } else {
            low = a, a = b, at_a = at_b;
            b = low + golden * (high - low), at_b = left(b);
        }
    }
    PsfBlur found = none;
    found.sigma = std::sqrt(at_a < at_b ? a : b);
    const std::vector<Judged> blurred = witnesses.judge(psf.blurred(found.sigma));
    found.blurred = misfit_of(blurred, least_stars);
    return tenth_part(blurred) < improvement * improvement * tenth_part(sharp) ? found : none;
}

}  // namespace star
