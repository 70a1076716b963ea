// Standard errors of a group fit, also where neighbouring pixels share their noise.
#include <algorithm>
#include <cmath>

#include "kernels/check.h"
#include "sim/fit_group.h"

namespace star {
namespace {

// weight * f of one plane of a patch, convolved with kernel x kernel, on the patch grown by the kernel's reach and cut
// to the pixels. The grown patch's planes lie one after the other in `to`.
class Blur {
public:
    Blur(const FitKernels& sums, const FitPixels& p, std::span<const double> kernel)
        : sums_(sums), p_(p), kernel_(kernel), reach_(int(kernel.size()) / 2) {}

    FitPatch grown(const FitPatch& a) const {
        FitPatch g = a;
        g.x0 = std::max(0, a.x0 - reach_), g.y0 = std::max(0, a.y0 - reach_);
        g.w = a.w && a.h ? std::min(p_.w, a.x0 + a.w + reach_) - g.x0 : 0;
        g.h = a.w && a.h ? std::min(p_.h, a.y0 + a.h + reach_) - g.y0 : 0;
        g.line = g.w, g.plane = std::ptrdiff_t(g.w) * g.h;
        return g;
    }

    void operator()(const FitPatch& a, int plane, const FitPatch& g, double* to) {
        weighed_.resize(std::size_t(a.w) * std::size_t(a.h));
        sums_.weigh({a.x0, a.y0, a.w, a.h, a.first + plane * a.plane, 1, 0, a.line}, p_.weight.data(), p_.w,
                    weighed_.data());
        const int taps = 2 * reach_ + 1, margin = 2 * reach_, left = a.x0 - g.x0, below = a.y0 - g.y0;
        row_.assign(std::size_t(a.w + 2 * margin), 0.0);
        across_.resize(std::size_t(a.h) * std::size_t(g.w));
        for (int y = 0; y < a.h; ++y) {
            std::copy_n(weighed_.data() + std::ptrdiff_t(y) * a.w, a.w, row_.data() + margin);
            sums_.blend(row_.data() + margin + reach_ - left, -1, kernel_.data(), taps,
                        across_.data() + std::ptrdiff_t(y) * g.w, g.w);
        }
        for (int y = 0; y < g.h; ++y) {
            const int last = y - below + reach_;  // row of `across_` that the kernel's first number meets
            const int from = std::max(0, last - (a.h - 1)), count = std::min(taps, last + 1) - from;
            sums_.blend(across_.data() + std::ptrdiff_t(last - from) * g.w, -g.w, kernel_.data() + from, count,
                        to + std::ptrdiff_t(y) * g.w, g.w);
        }
    }

private:
    const FitKernels& sums_;
    const FitPixels& p_;
    std::span<const double> kernel_;
    int reach_;
    std::vector<double> weighed_, row_, across_;
};

}  // namespace

void GroupFit::errors(const FitPixels& p, std::span<const FitStar> stars, std::span<const double> kernel,
                      std::span<FitErrors> out) {
    require(kernel.size() % 2 == 1 && out.size() <= stars.size(), "fit: ", out.size(), " errors of ", stars.size(),
            " stars, a kernel of ", kernel.size());
    factor_ = normal_;
    cholesky(sums_of_, factor_, diagonal_);
    const bool correlated = kernel.size() > 1;
    if (correlated) {
        if (!at_result_) fill(p, stars, window_, planes());
        at_result_ = true;
        Blur blur(sums_of_, p, kernel);
        seen_.clear();
        std::size_t size = 0;
        for (const FitPatch& a : patches_) {
            seen_.push_back(blur.grown(a));
            size += std::size_t(a.planes) * std::size_t(seen_.back().plane);
        }
        blurred_.resize(size);
        double* to = blurred_.data();
        for (std::size_t i = 0; i < patches_.size(); ++i) {
            seen_[i].first = to;
            for (int k = 0; k < patches_[i].planes; ++k, to += seen_[i].plane) blur(patches_[i], k, seen_[i], to);
        }
        overlap_matrix(sums_of_, seen_, p.variance.data(), p.w, weighed_, noise_);
    }
    const auto variance = [&](int k) -> double {
        if (!(normal_(k, k) > 0)) return NAN;
        solution_.assign(std::size_t(factor_.n), 0.0);
        solution_[std::size_t(k)] = 1;
        sums_of_.solve(factor_.at.data(), factor_.n, k, solution_.data());
        return correlated ? sums_of_.form(noise_.at.data(), noise_.n, solution_.data()) : solution_[std::size_t(k)];
    };
    for (std::size_t i = 0; i < out.size(); ++i) {
        const int k = planes() * int(i);
        out[i].flux = std::sqrt(variance(k + planes() - 1));
        out[i].x = limits_.moves ? std::sqrt(variance(k)) : NAN;
        out[i].y = limits_.moves ? std::sqrt(variance(k + 1)) : NAN;
    }
}

}  // namespace star
