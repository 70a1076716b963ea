// A PSF measured from the stars of an image: the effective PSF of Anderson and King (2000, PASP 112, 1360).
#pragma once
#include <cstdint>
#include <limits>
#include <span>

#include "sim/psf.h"

namespace star {

struct PsfMeasure {
    int oversampling = 4;                                       ///< samples of the PSF per pixel, 3...8
    int radius = 12;                                            ///< px, half-width of the PSF, 4...50
    int min_stars = 10;                                         ///< fewer are an Error, 3...
    int max_stars = 200;                                        ///< the brightest are taken, min_stars...
    double saturate = std::numeric_limits<double>::infinity();  ///< a star with a pixel there or above is left out
};

/// Pixels as they are, sky included; w columns, h rows. A pixel that isn't finite, or whose mask is not 0, is unusable.
struct MeasuredImage {
    std::span<const float> pixels;
    std::span<const std::uint8_t> mask;  ///< empty: none
    int w = 0, h = 0;
};

struct PsfMeasurement {
    Psf psf;              ///< over its own sum: what lies beyond `radius` isn't known, so energy() is 1
    int peaks = 0;        ///< local maxima above 20 sigma
    int saturated = 0;    ///< of these: saturated or on unusable pixels
    int crowded = 0;      ///< of the others: not alone, or too near the image's edge
    int used = 0;         ///< stars that made the PSF
    int rejected = 0;     ///< stars whose shape differs too much from the others': blends, galaxies, cosmic rays
    double sigma = 0;     ///< noise of a pixel, from differences between neighbours
    double residual = 0;  ///< rms over the pixels within 3 px of the used stars of (image - sky - model) / its peak
    double expected = 0;  ///< the same if it were sigma alone
};

/// 1. Stars: local maxima (5 x 5) more than 20 sigma above the sky (median of a ring outside `radius`), unsaturated,
/// with
///    no other maximum above a tenth of theirs within `radius`, nor above ten times theirs within twice that.
/// 2. Twelve times: every star's flux, and in the last four rounds its position, is fitted to the current PSF within 3
///    px (before, the position is the centroid in a window of 5 px that moves with the star: fitted to a PSF that is
///    still too smooth, positions lean towards pixel centres, and PSF and positions then agree in their error); its
///    pixels' residuals, in units of its flux, go to the PSF's nodes within 0.19 px along each axis; a node is moved by
///    the mean of its residuals, weighted by flux^2 / (sigma^2 + (2 % of the model)^2), after clipping at three times
///    their median deviation; the PSF is smoothed by local 5 x 5 polynomials, of fourth degree within 4 px of the
///    centre and of second degree outside (from the fifth round on, within 4 px, only what the round added: the blur of
///    the earlier smoothing is then worked off); moved, so that its flux centroid within 3 px is at the centre;
///    normalised. In the end the star is put at the centroid of all its light.
/// 3. Stars whose residual is twice the median star's, and more than noise explains, are left out from the fifth round
/// on. Biases: at a FWHM of 1.4 px, which pixels hardly sample, the width comes out 1 to 2 % too large; what two stars
/// closer than 3 px share isn't seen in step 1 and only partly in step 3; the sky's ring holds some of the PSF's own
/// wings. Throws Error (Fault::input) if too few stars remain, saying why the others didn't serve, and Fault::usage for
/// options out of range. Deterministic, single-threaded.
PsfMeasurement measure_psf(const MeasuredImage& image, const PsfMeasure& how);

}  // namespace star
