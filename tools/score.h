// How good a catalogue is: what is scored, and the counts that most figures are made of.
// Pure: no files, no output. Rules and names: Astro-RetinaNet, section 3.3; README, "Scores".
#pragma once
#include <array>
#include <cstdint>
#include <limits>
#include <vector>

#include "kernels/match.h"
#include "kernels/types.h"

namespace star {

inline constexpr int classes_scored = 5;              ///< units of 1, 2, 3, 4, and 5 or more stars
inline constexpr int nothing_there = classes_scored;  ///< of a confusion matrix: the noise row, the missed column

using ClassChances = std::array<double, classes_scored>;
inline constexpr double not_known = std::numeric_limits<double>::quiet_NaN();

/// A row of a catalogue. Coordinates in pixel edges (types.h, Box). Values finite where nothing else is said.
struct Found {
    Box box;
    double x = 0, y = 0;  ///< centre of the unit
    double score = 0;
    int label = 0;                 ///< likeliest class, from 0; 4 = five or more stars
    double expected_stars = 1;     ///< sum of k p_k
    ClassChances chances{};        ///< p_k, given that it is a unit; sum 1; all 0 if not known
    double magnitude = not_known;  ///< of the whole unit; NaN if not known
    int fitted = -1;               ///< stars that a fit found in it; -1: not known
};

/// A row of the truth.
struct Wanted {
    Box box;
    double x = 0, y = 0;            ///< centroid
    int label = 0;                  ///< class from 0, or label_ignored: neither hit nor miss
    int stars = 1;                  ///< how many there are; may exceed 5
    bool soft = false;              ///< a star of it may or may not count
    ClassChances chances{};         ///< of the classes; sum 1; all 0: its label is certain
    double magnitude = not_known;   ///< of its stars together; NaN if not known
    double flux_ratio = not_known;  ///< of its brightest star to its faintest that counts; NaN: one star, or not known
};

/// One image's rows to compare: units, or stars as units of one.
struct ScoredField {
    int width = 0, height = 0;  ///< px
    std::vector<Found> found;
    std::vector<Wanted> wanted;
};

struct MatchRule {
    enum class By {
        box,    ///< each detection, by descending score, takes the free unit of highest IoU >= `least_iou`
        centre  ///< each detection, by descending score, takes the nearest free unit within `radius`
    } by = By::box;
    double least_iou = 0.2;  ///< in (0, 1]
    double radius = 1;       ///< px; half the PSF's FWHM
    /// mag: by centre, a detection and its unit differ by no more, if both magnitudes are known
    double most_mag = std::numeric_limits<double>::infinity();
    double edge = 4;  ///< px: units whose centre is nearer to the field's edge don't count
};

/// Counts over any number of fields.
struct Tally {
    /// [truth][found]: row `nothing_there` counts noise called a unit, column `nothing_there` missed units.
    std::array<std::array<std::int64_t, classes_scored + 1>, classes_scored + 1> matrix{};
    double stars_expected = 0;        ///< of the detections that count
    std::int64_t stars_true = 0;      ///< of the units that count
    std::int64_t units_left_out = 0;  ///< ignored, or at the edge
    std::int64_t found_left_out = 0;  ///< detections that matched such a unit, or lie at the edge and matched none

    void add(const Tally& other, std::int64_t times);
    Tally& operator+=(const Tally& other) { return add(other, 1), *this; }
    bool operator==(const Tally&) const = default;
};

/// Counts one field (score_match.h says how rows are matched). Throws Error for values out of range.
Tally score_field(const ScoredField& field, const MatchRule& rule);

/// What chance alone would score: the sum of the eight tallies of the field with its detections shifted
/// (score_match.h).
Tally score_by_chance(const ScoredField& field, const MatchRule& rule);

/// The figures of a tally. NaN where undefined: nothing to divide by.
struct Scores {
    std::array<double, classes_scored> precision{}, recall{};  ///< Eq. 8; noise and missed units included
    std::array<double, classes_scored> f1{};                   ///< 2 right / (units of the class + detections of it)
    double missed = 0;                                         ///< MDR: unmatched units / all units
    double false_alarms = 0;                                   ///< FAR: unmatched detections / all detections
    double balanced_accuracy = 0;                              ///< mean recall of the classes that occur
    double class_accuracy = 0;                                 ///< of the matched: share with the right class
    double mean_error = 0;  ///< of the matched: mean |k found - k true|, 5 standing for 5 or more
    double within_one = 0;  ///< of the matched with the wrong class: share that is off by one
    double star_bias = 0;   ///< expected stars of all detections / true stars
};
Scores scores_of(const Tally& tally);

}  // namespace star
