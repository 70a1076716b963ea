// Levenberg-Marquardt for a group of stars, and the errors of its result.
#include "sim/fit_group.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"
#include "kernels/fit_rules.h"

namespace star {
namespace {

// The stamp's rectangle of a star, cut to the pixels.
FitPatch patch_of(const FitStar& s, int radius, const FitPixels& p, const double* stamp) {
    const fit_rules::Square a = fit_rules::square_of(s.x, s.y, radius, p);
    const int side = 2 * radius + 1;
    FitPatch patch{a.x0, a.y0, a.w(), a.h(), stamp, 3, side, 3 * side};
    patch.first += std::ptrdiff_t(a.y0 - a.bottom) * patch.line + (a.x0 - a.left);
    return patch;
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
        patches_.push_back(patch_of(stars[i], radius, p, stamp));
        if (patches_.back().w == 0 || patches_.back().h == 0) continue;  // perhaps no pixel of an image's
        stamp_.fill(stars[i].x, stars[i].y, stamp);
        const double by_place = limits_.moves ? stars[i].flux : 0;
        for (std::size_t row = 0; row < side; ++row)
            for (std::size_t k = 0; k < 2 * side; ++k) stamp[3 * side * row + k] *= by_place;
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
    double promised = 0;
    for (std::size_t k = 0; k < solution_.size(); ++k) promised += gradient_[k] * solution_[k];
    result.converged = fit_rules::settled(limits_, promised, result.chi2, lambda);
    if (result.converged) return false;
    trial_.assign(stars.begin(), stars.end());
    for (std::size_t i = 0; i < stars.size(); ++i) {
        trial_[i].x = fit_rules::moved(limits_, stars[i].x, solution_[3 * i], start_[i].x);
        trial_[i].y = fit_rules::moved(limits_, stars[i].y, solution_[3 * i + 1], start_[i].y);
        trial_[i].flux += solution_[3 * i + 2];
    }
    const double sky = result.sky + solution_.back(), chi2 = evaluate(p, trial_, sky);
    ++result.iterations;
    const fit_rules::Verdict verdict = fit_rules::judge(limits_, result.chi2, chi2, lambda);
    result.converged = verdict.converged;
    if (verdict.taken) {
        std::copy(trial_.begin(), trial_.end(), stars.begin());
        result.sky = sky, result.chi2 = chi2;
        normal_equations(p);
    }
    return verdict.goes_on;
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
    double lambda = fit_rules::first_lambda;
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
