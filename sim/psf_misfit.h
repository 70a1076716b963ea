// How well a PSF fits the stars of an image: how much broader they are, and what its own uncertainty comes to.
#pragma once
#include <cmath>

#include "sim/psf_map.h"
#include "sim/psf_measure.h"

namespace star {

struct PsfMisfit {
    int stars = 0;       ///< that could tell
    double error = NAN;  ///< of the model, per pixel; NaN: fewer than ten stars (for a blur five) could tell
    double limit = NAN;  ///< the least error that they could have told
};

/// Of each isolated star (measure_psf's first step; within 4 FWHM), fitted for place, flux and sky: m = (sum r^2 -
/// (1 - 4/n) sum v) / sum (flux e)^2 over the n pixels within 1.5 FWHM, r what the fit leaves, v the noise, with the
/// standard error s = sqrt(2 sum v^2) / sum (flux e)^2. What has m > 1/4 is no star, but where that is most of them.
/// Stars tell whose s is at most three times the fifth least. The answer is the root of the tenth part's m + 1.28 s
/// (what noise alone puts at 0): a blend fits worse than its PSF does, never better but by noise. 0 where it is less
/// than limit^2 = 3.5 s / sqrt(stars), s their median. electrons_per_unit: for the stars' own photon noise; 0: unknown,
/// and part of the misfit, as a fit's variance lacks it, too. In drizzled images v is what neighbours differ by, a
/// little low. Deterministic, single-threaded.
PsfMisfit psf_misfit(const MeasuredImage& image, double saturate, double electrons_per_unit, const PsfMap& psf);

/// The Gaussian that the stars were seen through and the PSF wasn't: jitter, seeing, a detector's charge diffusion.
struct PsfBlur {
    double sigma = 0;          ///< px along each axis, of 0.05 to half the FWHM; 0: none makes the PSF fit better
    PsfMisfit sharp, blurred;  ///< of the PSF without and with it
};

/// The blur that makes the mean m of the better half of the stars least (blends are the other half), to 0.02 px: stars
/// as above, but within 2.5 FWHM, since a neighbour's light isn't what a blur would take away. None is taken that
/// doesn't lower an error above `usual` by a fifth, significant or not. About a dozen times psf_misfit's work, and as
/// often every PSF of the map is blurred; none is tried for which they'd take more than 1 GB.
PsfBlur psf_blur(const MeasuredImage& image, double saturate, double electrons_per_unit, const PsfMap& psf,
                 double usual);

}  // namespace star
