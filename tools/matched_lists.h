// Two catalogues of one field, matched: who belongs to whom, how far apart they lie, and what chance alone would match.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "tools/catalogue_columns.h"
#include "tools/cross_match.h"

namespace star {

/// How far a match may lie, and so where: in px of the images, or on the sky.
struct MatchRadius {
    double value = 0;  ///< px or arcsec
    bool sky = false;
    const char* unit() const { return sky ? "arcsec" : "px"; }
};
/// "1.5px", "0.3arcsec", "120mas". Throws Error (Fault::usage) for anything else.
MatchRadius parse_radius(const std::string& text);

/// One catalogue as points.
struct PlacedList {
    AnyTable from;
    std::vector<double> x, y;                ///< px, the first pixel's centre at 1; or RA and DEC, deg
    std::optional<ChosenColumn> mag, error;  ///< 90 mag and beyond, which no star has: NaN
    std::string words;                       ///< which columns were taken

    std::size_t rows() const { return x.size(); }
};

/// Throws Error (Fault::input) naming the file and the column: no place of the wanted kind, places in a unit that isn't
/// pix or deg, a declination beyond the poles. Rows whose place isn't finite stay, and match nothing.
PlacedList read_placed_list(const std::string& file, const CatalogueColumns& columns, bool sky);

struct MedianSpread {
    double median, spread;  ///< spread: 1.4826 times the median distance from the median; NaN without values
};
MedianSpread median_spread(std::vector<double> values);

struct MatchedLists {
    MatchRadius radius;
    std::vector<MatchedPair> pairs;  ///< by distance, in the radius' unit
    std::vector<double> dx, dy;      ///< of each pair, b - a: px; or arcsec along RA (on the sky) and DEC
    std::vector<char> a_in_b,
        b_in_a;  ///< of each row: within the bounding box of the other list, so that it could match
    /// What chance matches: one-to-one pairs of the eight shifts (score_match.h) of a, in units of the radius or of a
    /// px if that is more; by a's row and by b's row, all shifts together.
    std::vector<int> chance_a, chance_b;

    std::size_t inside_a() const, inside_b() const;
    double share_a() const, share_b() const;          ///< pairs of the rows inside
    double chance_of_a() const, chance_of_b() const;  ///< the same for chance alone
};

/// all: every pair within the radius, else one to one.
MatchedLists match_lists(const PlacedList& a, const PlacedList& b, MatchRadius radius, bool all);

/// Rows, matches, chance and offsets in a few lines for the reader.
std::string match_text(const PlacedList& a, const PlacedList& b, const MatchedLists& m);

}  // namespace star
