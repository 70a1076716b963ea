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

/// Of each isolated star (measure_psf's first step; within 4 FWHM), fitted for place, flux and sky: the root of
/// sum (r^2 - v) / sum (flux e)^2 over the pixels within 1.5 FWHM, r what the fit leaves, v the noise; at least 0. The
/// answer is that of the best tenth of the stars: a star that is a blend fits worse than its PSF does, never better.
/// electrons_per_unit: for the stars' own photon noise; 0: unknown, and counted as misfit. Deterministic, single-threaded.
PsfMisfit psf_misfit(const MeasuredImage& image, double saturate, double electrons_per_unit, const PsfMap& psf);

}  // namespace star
