// Any program's catalogue as rows to score: which column is what, and where pixels begin.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "tools/score.h"

namespace star {

struct CatalogueColumns {
    /// What the user says: of "x", "y", "score", "mag", "nstars", "xmin", "ymin", "xmax", "ymax", the column's name.
    std::map<std::string, std::string> named;
    double first_pixel = not_known;  ///< coordinate of the first pixel's centre; NaN: by convention
    double box_radius = 0;           ///< px: half-width of the box given to rows that have none; 0: no box
};

/// "x=XWIN_IMAGE,score=SNR" as the map. Throws Error (Fault::usage) for other forms.
std::map<std::string, std::string> parse_columns(const std::string& text);

struct FoundList {
    std::vector<Found> rows;
    bool boxes = false;  ///< else the boxes have no area, and only centres can be matched
    std::string words;   ///< which columns were taken, for the reader
};

/// Reads FITS tables (LDAC_OBJECTS, else the first table) and texts (text_table.h).
///   place: X_IMAGE, XWIN_IMAGE, XPSF_IMAGE, x_fit, xcentroid, x_centroid, xcenter, x_0, x, and so for y.
///   boxes: XMIN_IMAGE..., of SExtractor the first and the last pixel, else edges as a catalogue of ours has them.
///   score: score, else snr, else a flux, else minus a magnitude, else all rows are equal.
///   stars: nstars, else 1; more than 5 count as 5.
///   first pixel: 1 for *_IMAGE and in FITS and ASCII_HEAD; 0 for Photutils' names and elsewhere in CSV and ECSV.
/// Names are compared without case. Throws Error (Fault::input) naming the file and the column or row: no place, a
/// place or box that isn't finite, a column that the user names and that isn't there.
FoundList read_foreign(const std::string& file, const CatalogueColumns& columns);

/// Whether a file is FITS with a BLENDS table: a catalogue of ours.
bool is_blends(const std::string& file);

}  // namespace star
