// Levenberg-Marquardt for a group of stars, and the errors of its result.
#include "sim/fit_group.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"

namespace star {
namespace {

constexpr double first_lambda = 1e-3, most_lambda = 1e6;

// The stamp's rectangle of a star, cut to the pixels.
FitPatch patch_of(const FitStar& s, int radius, const FitPixels& p, const double* stamp) {
    const int side = 2 * radius + 1;
    const int left = int(std::floor(s.x)) - radius - p.column, bottom = int(std::floor(s.y)) - radius - p.row;
    FitPatch patch;
    patch.x0 = std::clamp(left, 0, p.w), patch.y0 = std::clamp(bottom, 0, p.h);
    patch.w = std::clamp(left + side, 0, p.w) - patch.x0, patch.h = std::clamp(bottom + side, 0, p.h) - patch.y0;
    patch.plane = side, patch.line = 3 * side;
    patch.first = stamp + std::ptrdiff_t(patch.y0 - bottom) * patch.line + (patch.x0 - left);
    return patch;
}

// A star that no double-to-int conversion stands, or so far away that its stamp can't meet the pixels, has none.
bool near(const FitStar& s, int radius, const FitPixels& p) {
    return s.x > p.column - radius - 1.0 && s.x < p.column + p.w + radius + 1.0 && s.y > p.row - radius - 1.0 &&
           s.y < p.row + p.h + radius + 1.0;
}

}  // namespace

void FitPixels::resize(int width, int height) {
    w = width, h = height;
    const std::size_t size = std::size_t(w) * std::size_t(h);
    light.assign(size, 0), weight.assign(size, 0), variance.assign(size, 1);
}

// Stamps of derivatives by x, y and flux, and the sky's plane of ones, as patches.
void GroupFit::fill(const FitPixels& p, std::span<const FitStar> stars) {
    const int radius = stamp_.radius();
    const std::size_t side = std::size_t(stamp_.side()), size = 3 * side * side;
    stamps_.resize(size * stars.size());
    patches_.clear();
    for (std::size_t i = 0; i < stars.size(); ++i) {
        double* stamp = stamps_.data() + i * size;
        if (!near(stars[i], radius, p)) {
            std::fill_n(stamp, size, 0.0);
            patches_.push_back({0, 0, 0, 0, stamp, 3, std::ptrdiff_t(side), 3 * std::ptrdiff_t(side)});
            continue;
        }
        stamp_.fill(stars[i].x, stars[i].y, stamp);
        const double by_place = limits_.moves ? stars[i].flux : 0;
        for (std::size_t row = 0; row < side; ++row)
            for (std::size_t k = 0; k < 2 * side; ++k) stamp[3 * side * row + k] *= by_place;
        patches_.push_back(patch_of(stars[i], radius, p, stamp));
    }
    ones_.assign(std::size_t(p.w) * std::size_t(p.h), 1.0);
    patches_.push_back({0, 0, p.w, p.h, ones_.data(), 1, 0, p.w});
}

double GroupFit::evaluate(const FitPixels& p, std::span<const FitStar> stars, double sky) {
    fill(p, stars);
    residual_ = p.light;
    for (double& r : residual_) r -= sky;
    for (std::size_t i = 0; i < stars.size(); ++i) {
        const FitPatch& a = patches_[i];
        for (int y = 0; y < a.h; ++y) {
            const double* e = a.first + 2 * a.plane + y * a.line;
            double* r = residual_.data() + std::ptrdiff_t(a.y0 + y) * p.w + a.x0;
            for (int x = 0; x < a.w; ++x) r[x] -= stars[i].flux * e[x];
        }
    }
    double chi2 = 0;
    for (std::size_t i = 0; i < residual_.size(); ++i)
        if (p.weight[i] > 0) chi2 += p.weight[i] * residual_[i] * residual_[i];
    return chi2;
}

void GroupFit::normal_equations(const FitPixels& p) {
    overlap_matrix(patches_, p.weight.data(), p.w, normal_);
    gradient_.clear();
    for (const FitPatch& a : patches_)
        for (int k = 0; k < a.planes; ++k) {
            double sum = 0;
            for (int y = 0; y < a.h; ++y) {
                const double* f = a.first + k * a.plane + y * a.line;
                const std::size_t from = std::size_t(a.y0 + y) * std::size_t(p.w) + std::size_t(a.x0);
                for (int x = 0; x < a.w; ++x) {
                    const double w = p.weight[from + std::size_t(x)];
                    if (w > 0) sum += w * f[x] * residual_[from + std::size_t(x)];
                }
            }
            gradient_.push_back(sum);
        }
}

// One damped step. False if there is none to make: converged, or no smaller step helps.
bool GroupFit::step(const FitPixels& p, std::span<FitStar> stars, double& lambda, GroupResult& result) {
    factor_ = normal_;
    for (int k = 0; k < factor_.n; ++k) factor_(k, k) *= 1 + lambda;
    cholesky(factor_);
    solution_ = gradient_;
    solve_cholesky(factor_, solution_);
    double promised = 0;  // of chi^2: b^T delta, exact for a linear model and no damping
    for (std::size_t k = 0; k < solution_.size(); ++k) promised += gradient_[k] * solution_[k];
    if (lambda < 1 && promised <= limits_.tolerance + limits_.relative * result.chi2) {
        result.converged = true;
        return false;
    }
    const auto moved = [&](double from, double by, double start) {
        return std::clamp(from + std::clamp(by, -limits_.step, limits_.step), start - limits_.leash,
                          start + limits_.leash);
    };
    trial_.assign(stars.begin(), stars.end());
    for (std::size_t i = 0; i < stars.size(); ++i) {
        trial_[i].x = moved(stars[i].x, solution_[3 * i], start_[i].x);
        trial_[i].y = moved(stars[i].y, solution_[3 * i + 1], start_[i].y);
        trial_[i].flux += solution_[3 * i + 2];
    }
    const double sky = result.sky + solution_.back(), chi2 = evaluate(p, trial_, sky);
    ++result.iterations;
    if (!(chi2 <= result.chi2)) {
        lambda = std::max(lambda, first_lambda) * 10;
        return lambda <= most_lambda;
    }
    const double gain = result.chi2 - chi2;
    std::copy(trial_.begin(), trial_.end(), stars.begin());
    result.sky = sky, result.chi2 = chi2;
    lambda = lambda > 1e-6 ? lambda / 10 : 0;
    normal_equations(p);
    // A step held back by its leash gains less than promised, again and again.
    if (gain <= 0.1 * limits_.tolerance && lambda < 1) {
        result.converged = true;
        return false;
    }
    return true;
}

GroupResult GroupFit::fit(const FitPixels& p, std::span<FitStar> stars) {
    GroupResult result;
    for (double w : p.weight) result.pixels += w > 0;
    for (const FitStar& s : stars)
        require(std::isfinite(s.x) && std::isfinite(s.y) && std::isfinite(s.flux), "fit: a star at ", s.x, ", ", s.y,
                " of flux ", s.flux);
    start_.assign(stars.begin(), stars.end());
    result.chi2 = evaluate(p, stars, 0);
    normal_equations(p);
    if (!result.pixels) return result;
    double lambda = first_lambda;
    for (result.iterations = 1; result.iterations < limits_.iterations;)
        if (!step(p, stars, lambda, result)) break;
    return result;
}

void GroupFit::add(FitPixels& p, std::span<const FitStar> stars, double factor) {
    fill(p, stars);
    for (std::size_t i = 0; i < stars.size(); ++i) {
        const FitPatch& a = patches_[i];
        for (int y = 0; y < a.h; ++y) {
            const double* e = a.first + 2 * a.plane + y * a.line;
            double* to = p.light.data() + std::ptrdiff_t(a.y0 + y) * p.w + a.x0;
            for (int x = 0; x < a.w; ++x) to[x] += factor * stars[i].flux * e[x];
        }
    }
}

}  // namespace star
