// Anyone's catalogue as a table: which column is what, in which unit, and where pixels begin.
#pragma once
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/fits_table.h"

namespace star {

struct CatalogueColumns {
    /// What the user says: of the parts in parse_columns(), the column's name.
    std::map<std::string, std::string> named;
    /// Coordinate of the first pixel's centre; NaN: by convention.
    double first_pixel = std::numeric_limits<double>::quiet_NaN();
    double box_radius = 0;  ///< px: half-width of the box given to rows that have none; 0: no box
};

/// "x=XWIN_IMAGE,score=SNR" as the map. Parts: x, y, ra, dec, score, mag, magerr, nstars, xmin, ymin, xmax, ymax.
/// Throws Error (Fault::usage) for other forms.
std::map<std::string, std::string> parse_columns(const std::string& text);

struct AnyTable {
    std::string file;
    Table table;
    bool from_zero = false;   ///< pixels, by the file's format
    bool sextractor = false;  ///< boxes name their first and last pixel
};

/// Reads FITS tables ("file.fits[EXT]"; else LDAC_OBJECTS, SOURCES or the first) and texts (text_table.h).
AnyTable read_any_table(const std::string& name);

/// Whether a file is FITS, gzipped or not; and whether it has an extension of that name.
bool is_fits(const std::string& file);
bool has_table(const std::string& file, const std::string& name);

struct ChosenColumn {
    std::string name;  ///< as the file has it
    std::string unit;
    std::vector<double> values;
};

/// The column that plays a part, by the user's word or by the usual names, compared without case:
///   x: X_IMAGE, XWIN_IMAGE, XPSF_IMAGE, x_fit, xcentroid, x_centroid, xcenter, x_0, x, and so for y;
///   ra: RA, ALPHA*_SKY, ALPHA*_J2000, RA_ICRS, RAJ2000, _RAJ2000, and so for dec;
///   score: score, else snr, else a flux; mag, magerr: MAG, MAG_PSF, MAG_AUTO, ..., mag_fit, and their errors;
///   nstars, xmin ... ymax: NSTARS, n_stars, XMIN_IMAGE, xmin, ...
/// nullopt if there is none. Throws Error (Fault::input) if the user names one that isn't there.
std::optional<ChosenColumn> choose_column(const AnyTable& from, const std::string& part,
                                          const CatalogueColumns& columns);

/// The same, but Fault::input, listing what there is, without one.
ChosenColumn required_column(const AnyTable& from, const char* part, const CatalogueColumns& columns);

/// The same again, and Fault::input if a value isn't finite (|v| < 1e6).
ChosenColumn place_column(const AnyTable& from, const char* part, const CatalogueColumns& columns);

/// Where the first pixel's centre lies for a column of places: by the user's word; 1 for *_IMAGE and in FITS and
/// ASCII_HEAD; 0 for Photutils' names and elsewhere in CSV and ECSV.
double first_pixel_of(const std::string& column, const AnyTable& from, const CatalogueColumns& columns);

}  // namespace star
