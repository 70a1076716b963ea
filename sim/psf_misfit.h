// How well a PSF fits the stars of an image: what its own uncertainty comes to.
#pragma once
#include <cmath>

#include "sim/psf_map.h"
#include "sim/psf_measure.h"

namespace star {

struct PsfMisfit {
    int stars = 0;       ///< that could tell
    double error = NAN;  ///< of the model, per pixel; NaN: fewer than five stars could tell
};

/// Of each isolated star (measure_psf's first step; within 4 FWHM), fitted for place, flux and sky: m = (sum r^2 -
/// (1 - 4/n) sum v) / sum (flux e)^2 over the n pixels within 1.5 FWHM, r what the fit leaves, v the noise, with the
/// standard error s = sqrt(2 sum v^2) / sum (flux e)^2. Stars tell whose s is at most three times the fifth least. The
/// answer is the root of the tenth part's m + 1.28 s (what noise alone puts at 0): a blend fits worse than its PSF
/// does, never better but by noise. 0 where it is less than 3.5 s / sqrt(stars), s their median.
/// electrons_per_unit: for the stars' own photon noise; 0: unknown, and part of the misfit, as a fit's variance lacks
/// it, too. In drizzled images v is what neighbours differ by, a little low. Deterministic, single-threaded.
PsfMisfit psf_misfit(const MeasuredImage& image, double saturate, double electrons_per_unit, const PsfMap& psf);

}  // namespace star
