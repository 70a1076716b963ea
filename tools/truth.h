// The truth of a simulated field as FITS tables, and back.
#pragma once
#include <string>

#include "io/fits_table.h"
#include "sim/detector_noise.h"
#include "sim/scene_galaxies.h"
#include "sim/truth.h"

namespace star {

/// UNITS: a row per blending unit: place, box, class and its chances. STARS: a row per star, those that
/// count first, unit by unit: place, magnitude (of `exposure`), flux in electrons, signal-to-noise, unit. Coordinates
/// in FITS pixels: the centre of the first is 1.
Table truth_units(const Truth& truth);
Table truth_stars(const Truth& truth, const Exposure& exposure);
/// GALAXIES: a row per galaxy, truth of the class `extended`.
Table truth_galaxies(const std::vector<Galaxy>& galaxies);

/// What `starblend simulate` wrote; TruthStar::source is the row. Throws Error (Fault::input) naming file and column.
Truth read_truth(const std::string& file);

}  // namespace star
