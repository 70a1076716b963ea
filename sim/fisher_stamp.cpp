// The PSF's spline and its derivatives over a stamp.
#include "sim/fisher_stamp.h"

#include <algorithm>
#include <cmath>

#include "kernels/psf_spline.h"

namespace star {

const FisherKernels& fisher_kernels(Isa isa) {
    return of_isa(isa, baseline::fisher_kernels, avx2::fisher_kernels, avx512::fisher_kernels);
}

namespace {

// Derivatives of the four B-spline weights by the star's offset.
void slopes(const Psf::Phase& phase, int oversampling, double* out) {
    const double f = spline_place(phase.weight[0], phase.weight[3]);
    for (int i = 0; i < 4; ++i) out[i] = spline_slope(f, i, oversampling);
}

}  // namespace

FisherStamp::FisherStamp(const Psf& psf, double lost) : psf_(psf), radius_(psf.reach()) {
    require(lost > 0 && lost < 1, "Fisher stamp: ", lost, " lost");
    std::vector<double> ring(std::size_t(psf.reach()) + 1);  // sum of e^2 over the squares' outlines
    for (int y = -psf.reach(); y <= psf.reach(); ++y)
        for (int x = -psf.reach(); x <= psf.reach(); ++x) {
            const double e = psf.at(x, y);
            ring[std::size_t(std::max(std::abs(x), std::abs(y)))] += e * e;
        }
    double total = 0, outside = 0;
    for (double v : ring) total += v;
    // One pixel more than the centred star needs: others reach further to one side.
    while (radius_ > 1 && (outside += ring[std::size_t(radius_)]) <= lost * total) --radius_;
    radius_ = std::min(radius_ + 1, psf.reach());

    std::vector<double> stamp(3 * std::size_t(side()) * std::size_t(side()));
    for (int py = 0; py < 8; ++py)
        for (int px = 0; px < 8; ++px) {
            fill(px / 8.0, py / 8.0, stamp.data());
            double sum = 0;
            for (int r = 0; r < side(); ++r)
                for (int c = 0; c < side(); ++c) {
                    const double e = stamp[std::size_t((3 * r + 2) * side() + c)];
                    sum += e * e;
                }
            sharpest_ = std::max(sharpest_, sum);
        }
}

void FisherStamp::move_to(const LocalPsf& psf) {
    const std::span<const LocalPsf::Part> parts = psf.parts();
    for (const LocalPsf::Part& p : parts)
        require(p.psf->half() == psf_.half() && p.psf->oversampling() == psf_.oversampling(),
                "Fisher stamp: moved to a PSF on another grid");
    if (parts.size() == 1) {
        psf_ = *parts[0].psf;
        mixed_.clear();
        return;
    }
    // A place between two nodes of the table may lie a pixel to either side of its own pixel, the spline one further.
    const int side = psf_.stride(), planes = psf_.oversampling() * psf_.oversampling();
    const int low = std::max(0, psf_.middle() - radius_ - 2), high = std::min(side, psf_.middle() + radius_ + 3);
    mixed_.resize(std::size_t(planes) * std::size_t(side) * std::size_t(side));
    std::vector<double> sums(std::size_t(high - low));
    for (int plane = 0; plane < planes; ++plane)
        for (int row = low; row < high; ++row) {
            const std::size_t from =
                (std::size_t(plane) * std::size_t(side) + std::size_t(row)) * std::size_t(side) + std::size_t(low);
            std::fill(sums.begin(), sums.end(), 0.0);
            for (const LocalPsf::Part& p : parts) {
                const float* const c = p.psf->coefficients() + from;
                for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += p.weight * double(c[i]);
            }
            for (std::size_t i = 0; i < sums.size(); ++i) mixed_[from + i] = float(sums[i]);
        }
}

FisherTaps FisherStamp::taps(double x, double y) const {
    const Psf::Phase px = psf_.phase_x(x - std::floor(x) - 0.5), py = psf_.phase_y(y - std::floor(y) - 0.5);
    FisherTaps t{};
    for (int i = 0; i < 4; ++i) {
        t.at_x[i] = px.at[i], t.x[i] = px.weight[i];
        t.at_y[i] = py.at[i], t.y[i] = py.weight[i];
    }
    slopes(px, psf_.oversampling(), t.dx);
    slopes(py, psf_.oversampling(), t.dy);
    return t;
}

FisherPart FisherStamp::part(const FisherTaps& taps, int column, int row) const {
    FisherPart p{};
    p.taps = &taps, p.table_stride = psf_.stride(), p.by_place = 1;
    p.table = coefficients() + (row - radius_) * psf_.stride() + column - radius_;
    return p;
}

// The same bits on every processor: verdicts of truth tables hang on them.
void FisherStamp::fill(double x, double y, double* out) const {
    const FisherTaps t = taps(x, y);
    FisherPart p = part(t, 0, 0);
    p.rows = p.columns = side();
    p.out = out, p.plane = side(), p.line = 3 * side();
    fisher_kernels(Isa::baseline).slopes(p);
}

}  // namespace star
