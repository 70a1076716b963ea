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
    Blur(const FitPixels& p, std::span<const double> kernel) : p_(p), kernel_(kernel), reach_(int(kernel.size()) / 2) {}

    FitPatch grown(const FitPatch& a) const {
        FitPatch g = a;
        g.x0 = std::max(0, a.x0 - reach_), g.y0 = std::max(0, a.y0 - reach_);
        g.w = a.w && a.h ? std::min(p_.w, a.x0 + a.w + reach_) - g.x0 : 0;
        g.h = a.w && a.h ? std::min(p_.h, a.y0 + a.h + reach_) - g.y0 : 0;
        g.line = g.w, g.plane = std::ptrdiff_t(g.w) * g.h;
        return g;
    }

    void operator()(const FitPatch& a, int plane, const FitPatch& g, double* to) {
        across_.assign(std::size_t(a.h) * std::size_t(g.w), 0.0);
        for (int y = 0; y < a.h; ++y) {
            const double* f = a.first + plane * a.plane + y * a.line;
            const double* w = p_.weight.data() + std::ptrdiff_t(a.y0 + y) * p_.w + a.x0;
            double* row = across_.data() + std::ptrdiff_t(y) * g.w;
            for (int x = 0; x < a.w; ++x) {
                if (!(w[x] > 0)) continue;
                const int centre = a.x0 + x - g.x0;
                for (int k = std::max(-reach_, -centre); k <= std::min(reach_, g.w - 1 - centre); ++k)
                    row[centre + k] += kernel_[std::size_t(k + reach_)] * w[x] * f[x];
            }
        }
        std::fill_n(to, std::size_t(g.w) * std::size_t(g.h), 0.0);
        for (int y = 0; y < a.h; ++y) {
            const int centre = a.y0 + y - g.y0;
            for (int k = std::max(-reach_, -centre); k <= std::min(reach_, g.h - 1 - centre); ++k)
                for (int x = 0; x < g.w; ++x)
                    to[std::ptrdiff_t(centre + k) * g.w + x] +=
                        kernel_[std::size_t(k + reach_)] * across_[std::size_t(y) * std::size_t(g.w) + std::size_t(x)];
        }
    }

private:
    const FitPixels& p_;
    std::span<const double> kernel_;
    int reach_;
    std::vector<double> across_;
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
        Blur blur(p, kernel);
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
