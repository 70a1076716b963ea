// A few stars fitted together: places, fluxes and the sky they stand on.
#pragma once
#include <span>
#include <vector>

#include "kernels/fit_stars.h"
#include "sim/fisher_stamp.h"
#include "sim/fit_matrix.h"

namespace star {

/// A rectangle of an image as a fit sees it; everything row-major, h rows of w.
struct FitPixels : FitRectangle {
    std::vector<double> light;     ///< image units: the image without sky and without the stars that aren't fitted
    std::vector<double> variance;  ///< of independent pixels (before any drizzle), image units^2; positive, finite
    std::vector<double> weight;    ///< 1 / variance, or 0 where the fit doesn't look: `light` there may be anything

    void resize(int width, int height);  ///< light and weight 0, variance 1
};

/// Weighted least squares of light = sky + sum of flux e(x - star) (e: sim/psf.h), by Levenberg-Marquardt with
/// Marquardt's scaling and the PSF spline's own derivatives. Weights are the caller's and fixed: with weights from the
/// model (not from the noisy pixels) the fixed point solves the Poisson likelihood's equations and is unbiased.
/// A star is cut to FisherStamp's square around it. Holds scratch memory: one per thread. Deterministic on one
/// instruction set; between them results agree but for rounding.
class GroupFit {
public:
    explicit GroupFit(Isa isa) : stamps_of_(fisher_kernels(isa)), sums_of_(fit_kernels(isa)) {}
    GroupFit(const FisherStamp& stamp, const GroupLimits& limits, Isa isa) : GroupFit(isa) { use(stamp, limits); }

    /// From now on with these; keeps a reference to the stamp.
    void use(const FisherStamp& stamp, const GroupLimits& limits) { stamp_ = &stamp, limits_ = limits; }

    /// `stars`: starting values, replaced by the fit. Any number of them, none included; no pixel with weight leaves
    /// them as they are, unconverged. drawn: `light` lacks their light, which is put back first.
    GroupResult fit(const FitPixels& pixels, std::span<FitStar> stars, bool drawn = false);

    /// Standard errors of the first out.size() stars of those that fit() has just solved for, at the result and the
    /// same pixels: the square roots of the diagonal of H^-1 M H^-1, H = J^T W J. J: derivatives; W: weights; M = J^T W
    /// C W J for the covariance C of the pixels. kernel = {1}: C = 1/W, and M is H. Else C = K D K^T, noise of
    /// independent pixels of `variance` passed through `kernel` along both axes (sim/detector_noise.h, drizzle_kernel),
    /// cut at the rectangle's edges, which should lie half a kernel outside the pixels with weight.
    void errors(const FitPixels& pixels, std::span<const FitStar> stars, std::span<const double> kernel,
                std::span<FitErrors> out);

    /// light += factor * the stars, each cut to its stamp.
    void add(FitPixels& pixels, std::span<const FitStar> stars, double factor);

private:
    // Of the pixels' rectangle: [x0, x1) x [y0, y1).
    struct Window {
        int x0, x1, y0, y1;
    };
    static Window weighty(const FitPixels& pixels);
    int planes() const { return limits_.moves ? 3 : 1; }  // of a star
    void fill(const FitPixels& pixels, std::span<const FitStar> stars, const Window& window, int planes);
    void subtract(const FitPixels& pixels, std::span<const FitStar> stars, double sky);
    double chi2(const FitPixels& pixels);
    void normal_equations(const FitPixels& pixels, bool same_stamps);
    bool step(const FitPixels& pixels, std::span<FitStar> stars, double& lambda, GroupResult& result);

    const FisherKernels& stamps_of_;
    const FitKernels& sums_of_;
    const FisherStamp* stamp_ = nullptr;
    GroupLimits limits_;
    Window window_{};         // holds all pixels with weight
    bool at_result_ = false;  // whether the stamps are those of the result
    std::vector<FitStar> start_, trial_;
    // pull_: weight times residual. weighed_, diagonal_: scratch.
    std::vector<double> light_, stamps_, residual_, pull_, ones_, gradient_, solution_, blurred_, weighed_, diagonal_;
    std::vector<FitPatch> patches_, seen_;
    SymmetricMatrix normal_, factor_, noise_;
};

}  // namespace star
