// Fits of a few stars each, many at once, to what a model leaves of an image: on a GPU what sim/fit_group.h does on a
// CPU.
#pragma once
#include <algorithm>
#include <cstdint>

#include "kernels/device.h"

namespace star {

struct FitStar {
    double x = 0, y = 0;  ///< px, pixel edges of the image
    double flux = 0;      ///< image units; may be negative in a fit
};

/// Standard errors of a FitStar; NaN for what wasn't fitted or what no pixel tells.
struct FitErrors {
    double x = 0, y = 0, flux = 0;
};

struct GroupLimits {
    int iterations = 20;      ///< evaluations of the model at most
    double step = 0.5;        ///< px along each axis that one iteration moves a star at most
    double leash = 2;         ///< px along each axis that a star may get from where it started
    double tolerance = 1e-3;  ///< converged when the next step would lower chi^2 by less than this ...
    double relative = 1e-7;   ///< ... or by this share of it (a PSF that doesn't fit leaves a large chi^2)
    bool moves = true;        ///< false: places stay, fluxes and sky are solved for
};

struct GroupResult {
    double sky = 0;   ///< image units per pixel above what was subtracted
    double chi2 = 0;  ///< sum of weight * residual^2
    int pixels = 0;   ///< with weight
    int iterations = 0;
    bool converged = false;
};

/// A part of an image.
struct FitRectangle {
    int column = 0, row = 0, w = 0, h = 0;  ///< px: its first pixel, its extent
};

/// An image, and the model that was drawn of it; height rows of width, in image units.
struct FitPlanes {
    int width = 0, height = 0;
    const float *pixels = nullptr, *sky = nullptr, *variance = nullptr, *model = nullptr;
    const std::uint8_t* usable = nullptr;  ///< 0: isn't looked at, and its numbers may be anything
    double electrons_per_unit = 0;         ///< of the model's own photon noise; 0: it has none
    double psf_error = 0;                  ///< (psf_error model)^2 is added to the variance

    /// What sky and model leave of a pixel.
    constexpr double residual(std::int64_t i) const { return double(pixels[i]) - sky[i] - model[i]; }
    /// Of an empty pixel, and what the model's light adds to it.
    constexpr double noise(std::int64_t i) const {
        const double light = std::max(0.0, double(model[i])), error = psf_error * light;
        const double photons = electrons_per_unit > 0 ? light / electrons_per_unit : 0;
        return variance[i] + photons + error * error;
    }
};

/// The tables of PSFs on one grid (Psf::coefficients), one behind the other.
struct FitPsfs {
    const float* tables = nullptr;
    int oversampling = 0, stride = 0, middle = 0;  ///< stride^2 numbers a plane; the star's own pixel in it
    int radius = 0;                                ///< px: stars are cut to squares of 2 radius + 1 around their pixel

    constexpr std::int64_t size() const { return std::int64_t{oversampling} * oversampling * stride * stride; }
};

/// Some stars and the pixels they are fitted to: those that are usable, in the rectangle, and no further than the
/// batch's reach from one of the piece's own stars. Its PSF is the sum of up to four of the tables.
struct FitPiece : FitRectangle {  ///< inside the image
    int first = 0;                ///< its stars are the batch's first ... first + stars - 1: up to most_fit_stars,
    int own = 0, stars = 0;       ///< of which `own` lead
    int parts = 0;                ///< of the PSF; several add up to 1 and are rounded to float in sum
    int table[4] = {};
    double weight[4] = {};
};
inline constexpr int most_fit_stars = 36, few_fit_stars = 12;

/// Pointers are to the device.
struct FitBatch {
    FitPlanes image;
    FitPsfs psfs;
    const double* kernel = nullptr;  ///< of the noise, kernel_size numbers along each axis (GroupFit::errors)
    int kernel_size = 1;
    double reach = 0;   ///< px; may be infinite
    bool drawn = true;  ///< the model has the pieces' stars as they are at the start
    const FitPiece* pieces = nullptr;
    int count = 0;                ///< of pieces
    FitStar* stars = nullptr;     ///< starting values; become the fit's
    FitErrors* errors = nullptr;  ///< of the pieces' own stars, NaN of the others; null: not wanted
    GroupResult* results = nullptr;
    GroupLimits limits;
};

/// The largest piece of a batch.
struct FitExtent {
    int pixels = 0, stars = 0;
    bool mixed = false;  ///< some piece's PSF has several parts
};

namespace cuda {

/// Each piece: light = what sky and model leave, plus its stars as they were `drawn`; then Levenberg-Marquardt as
/// GroupFit::fit does it (kernels/fit_rules.h: the same steps, tests and ends), and with `errors` what GroupFit::errors
/// says. Sums are in double. Stars are finite. A block per piece at a time; which block takes which piece doesn't
/// matter: sums have an order of their own, equal bits for any grid. Against the CPU's another one: results differ by
/// what rounding does to the normal equations' solution.
/// Overwritten: the pieces' stars, errors and results. Batches whose pieces have at most few_fit_stars stars run in a
/// smaller kernel, with bits of its own. Throws Error for extents that are out of range. Queued.
void fit_stars(Stream, const FitBatch&, const FitExtent& most, std::byte* workspace);

/// Bytes, 256-byte aligned; bounded however many pieces there are, but for one piece that alone needs more.
std::int64_t fit_stars_workspace(const FitBatch&, const FitExtent& most);

}  // namespace cuda
}  // namespace star
