// Any program's catalogue as rows to score.
#pragma once
#include <string>
#include <vector>

#include "tools/catalogue_columns.h"
#include "tools/score.h"

namespace star {

struct FoundList {
    std::vector<Found> rows;
    bool boxes = false;  ///< else the boxes have no area, and only centres can be matched
    std::string words;   ///< which columns were taken, for the reader
};

/// Reads any table (catalogue_columns.h).
///   boxes: XMIN_IMAGE..., of SExtractor the first and the last pixel, else edges as a catalogue of ours has them.
///   score: score, else snr, else a flux, else minus a magnitude, else all rows are equal.
///   stars: nstars, else 1; more than 5 count as 5.
/// Throws Error (Fault::input) naming the file and the column or row: no place, a place or box that isn't finite, a
/// column that the user names and that isn't there.
FoundList read_foreign(const std::string& file, const CatalogueColumns& columns);

/// Whether a file is FITS with a BLENDS table: a catalogue of ours.
bool is_blends(const std::string& file);

}  // namespace star
