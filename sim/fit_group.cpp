// Levenberg-Marquardt for a group of stars, and the errors of its result.
#include "sim/fit_group.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"
#include "kernels/fit_rules.h"

namespace star {
void FitPixels::resize(int width, int height) {
    w = width, h = height;
    const std::size_t size = std::size_t(w) * std::size_t(h);
    light.assign(size, 0), weight.assign(size, 0), variance.assign(size, 1);
}

GroupFit::Window GroupFit::weighty(const FitPixels& p) {
    Window w{p.w, 0, p.h, 0};
    for (int y = 0; y < p.h; ++y)
        for (int x = 0; x < p.w; ++x)
            if (p.weight[std::size_t(y) * std::size_t(p.w) + std::size_t(x)] > 0) {
                w.x0 = std::min(w.x0, x), w.x1 = std::max(w.x1, x + 1);
                w.y0 = std::min(w.y0, y), w.y1 = y + 1;
            }
    return w.x0 < w.x1 ? w : Window{};
}

// Stamps of derivatives by x, y and flux (or by flux alone), and the sky's plane of ones, as patches, as far as they
// lie in the window.
void GroupFit::fill(const FitPixels& p, std::span<const FitStar> stars, const Window& window, int planes) {
    const int radius = stamp_->radius();
    const std::size_t room = std::size_t(planes) * std::size_t(stamp_->side()) * std::size_t(stamp_->side());
    stamps_.resize(std::max(stamps_.size(), room * stars.size()));
    patches_.clear();
    for (std::size_t i = 0; i < stars.size(); ++i) {
        const FitStar& s = stars[i];
        const fit_rules::Square a = fit_rules::square_of(s.x, s.y, radius, p);
        const int x0 = std::max(a.x0, window.x0), x1 = std::min(a.x1, window.x1);
        const int y0 = std::max(a.y0, window.y0), y1 = std::min(a.y1, window.y1);
        patches_.push_back({0, 0, 0, 0, stamps_.data(), planes, 0, 0});
        if (x0 >= x1 || y0 >= y1) continue;  // perhaps no pixel of an image's
        const FisherTaps taps = stamp_->taps(s.x, s.y);
        FisherPart part = stamp_->part(taps, x0 - a.left, y0 - a.bottom);
        part.columns = x1 - x0, part.rows = y1 - y0, part.by_place = s.flux;
        part.out = stamps_.data() + i * room;
        part.line = part.columns, part.plane = std::ptrdiff_t(part.columns) * part.rows;
        (planes == 3 ? stamps_of_.slopes : stamps_of_.light)(part);
        patches_.back() = {x0, y0, part.columns, part.rows, part.out, planes, part.plane, part.line};
    }
    ones_.resize(std::max(ones_.size(), std::size_t(p.w)), 1.0);
    patches_.push_back({window.x0, window.y0, window.x1 - window.x0, window.y1 - window.y0, ones_.data(), 1, 0, 0});
}

// What these stars, as they were filled last, and the sky leave of the light.
void GroupFit::subtract(const FitPixels& p, std::span<const FitStar> stars, double sky) {
    for (std::size_t i = 0; i < light_.size(); ++i) residual_[i] = light_[i] - sky;
    for (std::size_t i = 0; i < stars.size(); ++i) sums_of_.add(patches_[i], -stars[i].flux, residual_.data(), p.w);
}

// Chi^2 of the residual; with it the pull.
double GroupFit::chi2(const FitPixels& p) {
    for (std::size_t i = 0; i < light_.size(); ++i) pull_[i] = p.weight[i] * residual_[i];
    double sum = 0;
    sums_of_.meet({pull_.data(), residual_.data(), 1, 1, 0, 0, 0, 0, 1, int(light_.size())}, &sum);
    return sum;
}

void GroupFit::normal_equations(const FitPixels& p, bool same_stamps) {
    if (!same_stamps) overlap_matrix(sums_of_, patches_, p.weight.data(), p.w, weighed_, normal_);
    overlap_image(sums_of_, patches_, pull_.data(), p.w, gradient_);
}

// One damped step. False if there is none to make: converged, or no smaller step helps.
bool GroupFit::step(const FitPixels& p, std::span<FitStar> stars, double& lambda, GroupResult& result) {
    factor_ = normal_;
    for (int k = 0; k < factor_.n; ++k) factor_(k, k) *= 1 + lambda;
    cholesky(sums_of_, factor_, diagonal_);
    solution_ = gradient_;
    sums_of_.solve(factor_.at.data(), factor_.n, 0, solution_.data());
    double promised = 0;
    for (std::size_t k = 0; k < solution_.size(); ++k) promised += gradient_[k] * solution_[k];
    result.converged = fit_rules::settled(limits_, promised, result.chi2, lambda);
    if (result.converged) return false;
    trial_.assign(stars.begin(), stars.end());
    for (std::size_t i = 0; i < stars.size(); ++i) {
        const double* by = solution_.data() + std::size_t(planes()) * i;
        trial_[i].flux += by[planes() - 1];
        if (!limits_.moves) continue;
        trial_[i].x = fit_rules::moved(limits_, stars[i].x, by[0], start_[i].x);
        trial_[i].y = fit_rules::moved(limits_, stars[i].y, by[1], start_[i].y);
    }
    if (limits_.moves) fill(p, trial_, window_, 3);
    const double sky = result.sky + solution_.back();
    subtract(p, trial_, sky);
    const double left = chi2(p);
    ++result.iterations;
    const fit_rules::Verdict verdict = fit_rules::judge(limits_, result.chi2, left, lambda);
    result.converged = verdict.converged;
    at_result_ = verdict.taken || !limits_.moves;
    if (verdict.taken) {
        std::copy(trial_.begin(), trial_.end(), stars.begin());
        result.sky = sky, result.chi2 = left;
        normal_equations(p, !limits_.moves);
    }
    return verdict.goes_on;
}

GroupResult GroupFit::fit(const FitPixels& p, std::span<FitStar> stars, bool drawn) {
    GroupResult result;
    for (double w : p.weight) result.pixels += w > 0;
    for (const FitStar& s : stars)
        require(std::isfinite(s.x) && std::isfinite(s.y) && std::isfinite(s.flux), "fit: a star at ", s.x, ", ", s.y,
                " of flux ", s.flux);
    start_.assign(stars.begin(), stars.end());
    window_ = weighty(p);
    fill(p, stars, window_, planes());
    at_result_ = true;
    light_.resize(p.light.size());
    for (std::size_t i = 0; i < light_.size(); ++i) light_[i] = p.weight[i] > 0 ? p.light[i] : 0;
    residual_.resize(light_.size()), pull_.resize(light_.size());
    if (drawn) {
        residual_ = light_;
        for (std::size_t i = 0; i < stars.size(); ++i) sums_of_.add(patches_[i], stars[i].flux, light_.data(), p.w);
    } else {
        subtract(p, stars, 0);
    }
    result.chi2 = chi2(p);
    normal_equations(p, false);
    if (!result.pixels) return result;
    double lambda = fit_rules::first_lambda;
    for (result.iterations = 1; result.iterations < limits_.iterations;)
        if (!step(p, stars, lambda, result)) break;
    return result;
}

void GroupFit::add(FitPixels& p, std::span<const FitStar> stars, double factor) {
    fill(p, stars, {0, p.w, 0, p.h}, 1);
    at_result_ = false;
    for (std::size_t i = 0; i < stars.size(); ++i)
        sums_of_.add(patches_[i], factor * stars[i].flux, p.light.data(), p.w);
}

}  // namespace star
