// The BLENDS table: a row per blending unit (README, "The catalogue").
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "io/fits_table.h"
#include "io/wcs.h"
#include "kernels/types.h"

namespace star {

/// FITS puts the centre of the first pixel at 1; our boxes put its edge at 0.
inline constexpr double fits_minus_edge = 0.5;

inline constexpr int classes_in_catalogue = 5;

/// FLAGS: the lower eight bits as SExtractor's, ours from 256.
enum Flag : std::int32_t {
    flag_biased = 1,
    flag_blended = 2,
    flag_saturated = 4,
    flag_truncated = 8,
    flag_masked_pixels = 16,
    flag_cosmic_ray = 256,
    flag_near_bright = 512,
    flag_out_of_domain = 1024,
    flag_low_margin = 2048,
    flag_not_finite = 4096,
    flag_no_convergence = 8192,
    flag_percolated = 16384,
    flag_extended = 32768
};
struct FlagMeaning {
    std::int32_t bit;
    const char* words;
};
const std::vector<FlagMeaning>& flag_meanings();

/// One blending unit. Coordinates in pixel edges (types.h, Box).
struct Blend {
    Box box;
    double x = 0, y = 0;                        ///< of the unit
    int stars = 1;                              ///< the likeliest number; 5 = five or more
    double score = 0;                           ///< that there is a unit
    double p[classes_in_catalogue] = {};        ///< given a unit, that it holds 1 ... 5+ stars; sum 1
    int fitted = -1;                            ///< stars that the fit found in it; -1: none were fitted
    double flux = 0, flux_error = 0;            ///< above the background, in the box; image units; error NaN if unknown
    double magnitude = 0, magnitude_error = 0;  ///< NaN where undefined
    double background = 0;                      ///< image units per pixel
    std::int32_t flags = 0;
    double expected_stars() const;  ///< sum of k p_k
};

struct CatalogueInfo {
    const Wcs* wcs = nullptr;      ///< RA and DEC columns, if there is one
    std::string flux_unit;         ///< BUNIT, or empty
    std::string magnitude_system;  ///< "AB", ...; empty: no magnitudes
    int extension = 0;             ///< EXT_NUMBER: the image's HDU
    bool fitted = false;           ///< NSTARS_FIT column: stars were fitted
};

Table blends_table(const std::vector<Blend>& blends, const CatalogueInfo& info);
/// Throws Error (Fault::input) naming the file and the column.
std::vector<Blend> read_blends(const std::string& file);

}  // namespace star
