// The truth of a simulated field as FITS tables, and back.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

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

inline constexpr int most_fields = 1'000'000;  ///< of one run of simulate, and of a cube
inline constexpr std::int64_t most_field = std::int64_t{1} << 53;  ///< FITS's numbers are read as doubles

/// The same with a first column FIELD: which of a cube's fields the rows belong to, up to most_field.
Table with_field(Table table, std::int64_t field);

/// What `starblend simulate` wrote; TruthStar::source is the row. Throws Error (Fault::input) naming file and column,
/// and for a cube, which holds the truth of many fields.
Truth read_truth(const std::string& file);
/// Of each of a cube's planes; of another file, its one.
std::vector<Truth> read_truths(const std::string& file);

}  // namespace star
