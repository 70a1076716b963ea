// The truth of a simulated field as FITS tables, and back.
#pragma once
#include <string>

#include "io/fits_table.h"
#include "sim/mock.h"

namespace star {

/// TRUTH_UNITS (a row per blending unit: place, box, class) and TRUTH_STARS (a row per star: place, magnitude, flux in
/// electrons, unit). Coordinates in FITS pixels: the centre of the first is 1.
Table truth_units(const MockField& field);
Table truth_stars(const MockField& field);

/// What `starblend simulate` wrote. Throws Error (Fault::input) naming file and column.
MockField read_truth(const std::string& file);

}  // namespace star
