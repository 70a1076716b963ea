// One star, two stars, ... and which number explains the light.
#include "sim/fit_choice.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"

namespace star {
namespace {

constexpr double least_chance = 1e-3;
constexpr double split = 0.25;  // FWHM from the old place to each of the two

// Light without sky and these stars.
std::vector<double> residuals(GroupFit& fit, const UnitLight& u, const Attempt& a) {
    FitPixels rest = u.pixels;
    fit.add(rest, a.stars, -1);
    for (double& v : rest.light) v -= a.result.sky;
    return std::move(rest.light);
}

// The star at a pixel's centre in the box that a matched filter finds most significant in `light`.
FitStar highest_peak(const UnitLight& u, const MatchedFilter& filter, const std::vector<double>& light) {
    const FitPixels& p = u.pixels;
    const int radius = filter.radius;
    FitStar best{u.box.x(), u.box.y(), 0};
    double highest = 0;
    for (int y = 0; y < p.h; ++y)
        for (int x = 0; x < p.w; ++x) {
            const double px = p.column + x + 0.5, py = p.row + y + 0.5;
            if (px < u.box.x0 || px > u.box.x1 || py < u.box.y0 || py > u.box.y1) continue;
            double sum = 0, norm = 0;
            for (int v = std::max(0, y - radius); v <= std::min(p.h - 1, y + radius); ++v) {
                const double* row = filter.row(v - y) + radius - x;
                for (int t = std::max(0, x - radius); t <= std::min(p.w - 1, x + radius); ++t) {
                    const std::size_t i = std::size_t(v) * std::size_t(p.w) + std::size_t(t);
                    const double e = row[t];
                    if (p.weight[i] > 0) sum += p.weight[i] * e * light[i], norm += p.weight[i] * e * e;
                }
            }
            if (norm > 0 && sum / std::sqrt(norm) > highest) {
                highest = sum / std::sqrt(norm);
                best = {px, py, sum / norm};
            }
        }
    return best;
}

// What a star's surroundings within 1.5 FWHM leave: chi^2, and the second moments of the light times e.
struct Leftover {
    double chi2 = 0, along = 0, across = 0;
};

Leftover leftover(const UnitLight& u, const std::vector<double>& light, const FitStar& s) {
    const FitPixels& p = u.pixels;
    const double reach = 1.5 * u.fwhm;
    Leftover l;
    for (int y = 0; y < p.h; ++y)
        for (int x = 0; x < p.w; ++x) {
            const double dx = p.column + x + 0.5 - s.x, dy = p.row + y + 0.5 - s.y;
            const std::size_t i = std::size_t(y) * std::size_t(p.w) + std::size_t(x);
            if (dx * dx + dy * dy > reach * reach || !(p.weight[i] > 0)) continue;
            const double r = light[i];
            l.chi2 += p.weight[i] * r * r;
            l.along += r * (dx * dx - dy * dy), l.across += 2 * r * dx * dy;
        }
    return l;
}

std::vector<FitStar> with_split(const UnitLight& u, const std::vector<double>& light, std::vector<FitStar> stars) {
    std::size_t worst = 0;
    Leftover most = leftover(u, light, stars[0]);
    for (std::size_t i = 1; i < stars.size(); ++i)
        if (const Leftover l = leftover(u, light, stars[i]); l.chi2 > most.chi2) most = l, worst = i;
    const double angle = 0.5 * std::atan2(most.across, most.along), by = split * u.fwhm;
    FitStar& s = stars[worst];
    const FitStar other{s.x - by * std::cos(angle), s.y - by * std::sin(angle), 0.4 * s.flux};
    s = {s.x + by * std::cos(angle), s.y + by * std::sin(angle), 0.6 * s.flux};
    stars.push_back(other);
    return stars;
}

bool sensible(const UnitLight& u, const Attempt& a) {
    const double over = 0.5 * u.fwhm;
    return std::all_of(a.stars.begin(), a.stars.end(), [&](const FitStar& s) {
        return s.flux > 0 && s.x > u.box.x0 - over && s.x < u.box.x1 + over && s.y > u.box.y0 - over &&
               s.y < u.box.y1 + over;
    });
}

double merit(const UnitLight& u, const Attempt& a) {
    double sum = 0;
    for (double c : u.chance) sum += c;
    const std::size_t k = a.stars.size();
    const double chance = sum > 0 ? u.chance[k - 1] / sum : 1.0 / double(u.chance.size());
    return -a.result.chi2 / 2 - 1.5 * double(k) * std::log(std::max(a.result.pixels, 2)) +
           std::log(std::max(chance, least_chance));
}

}  // namespace

StarChoice::StarChoice(UnitLight unit)
    : unit_(std::move(unit)),
      filter_(unit_.psf, int(std::ceil(unit_.fwhm))),
      likeliest_(int(std::max_element(unit_.chance.begin(), unit_.chance.end()) - unit_.chance.begin()) + 1) {
    for (double c : unit_.chance) require(c >= 0 && std::isfinite(c), "choice: a chance of ", c);
    const FitStar first = highest_peak(unit_, filter_, unit_.pixels.light);
    if (first.flux > 0) wanted_.push_back({{first}, {}});
}

void StarChoice::go_on(GroupFit& fit) {
    const Attempt now = wanted_.back().result.chi2 <= wanted_.front().result.chi2 ? wanted_.back() : wanted_.front();
    wanted_.clear();
    if (const double m = merit(unit_, now); sensible(unit_, now) && m > merit_) merit_ = m, best_ = now;
    const int k = int(now.stars.size());
    if (k == int(unit_.chance.size()) || k > std::max(likeliest_, int(best_.stars.size()))) return;
    const std::vector<double> light = residuals(fit, unit_, now);
    wanted_.push_back({with_split(unit_, light, now.stars), {}});
    const FitStar peak = highest_peak(unit_, filter_, light);
    if (!(peak.flux > 0)) return;
    wanted_.push_back({now.stars, {}});
    wanted_.back().stars.push_back(peak);
}

}  // namespace star
