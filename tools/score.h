// How good a catalogue is: detections matched with the truth, counted, and turned into the figures that are reported.
// Pure: no files, no output. Rules and names: Astro-RetinaNet, section 3.3; README, "Scores".
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/match.h"
#include "kernels/types.h"

namespace star {

inline constexpr int classes_scored = 5;              ///< units of 1, 2, 3, 4, and 5 or more stars
inline constexpr int nothing_there = classes_scored;  ///< of a confusion matrix: the noise row, the missed column

/// A row of a catalogue. Coordinates in pixel edges (types.h, Box). All values finite.
struct Found {
    Box box;
    double x = 0, y = 0;  ///< centre of the unit
    double score = 0;
    int label = 0;              ///< likeliest class, from 0; 4 = five or more stars
    double expected_stars = 1;  ///< sum of k p_k
};

/// A row of the truth.
struct Wanted {
    Box box;
    double x = 0, y = 0;  ///< centroid
    int label = 0;        ///< class from 0, or label_ignored: neither hit nor miss
    int stars = 1;        ///< how many there are; may exceed 5
    bool soft = false;    ///< a star of it may or may not count
};

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
    double edge = 4;         ///< px: units whose centre is nearer to the field's edge don't count
};

/// Counts over any number of fields.
struct Tally {
    /// [truth][found]: row `nothing_there` counts noise called a unit, column `nothing_there` missed units.
    std::array<std::array<std::int64_t, classes_scored + 1>, classes_scored + 1> matrix{};
    double stars_expected = 0;        ///< of the detections that count
    std::int64_t stars_true = 0;      ///< of the units that count
    std::int64_t units_left_out = 0;  ///< ignored, or at the edge
    std::int64_t found_left_out = 0;  ///< detections that matched such a unit, or lie at the edge and matched none

    Tally& operator+=(const Tally& other);
    bool operator==(const Tally&) const = default;
};

/// Matches one field. Units at the edge are matched like the others, then they and their detections are left out, as is
/// a detection without a unit whose own centre is at the edge. A detection that finds no free unit but an ignored one,
/// by the same rule, is left out; an ignored unit takes any number. Doesn't depend on the order of rows: equal scores
/// are taken by position, equal units likewise. Time n log n for boxes of ordinary sizes. Throws Error for values out
/// of range.
Tally score_field(const ScoredField& field, const MatchRule& rule);

/// What chance alone would score: the field with its detections shifted by eight offsets of 5-15 px in eight
/// directions, wrapped around the field's edges so that their number per area stays the same; the sum of the eight
/// tallies.
Tally score_by_chance(const ScoredField& field, const MatchRule& rule);

/// The figures of a tally. NaN where undefined: nothing to divide by.
struct Scores {
    std::array<double, classes_scored> precision{}, recall{};  ///< Eq. 8; noise and missed units included
    double missed = 0;                                         ///< MDR: unmatched units / all units
    double false_alarms = 0;                                   ///< FAR: unmatched detections / all detections
    double balanced_accuracy = 0;                              ///< mean recall of the classes that occur
    double class_accuracy = 0;                                 ///< of the matched: share with the right class
    double mean_error = 0;  ///< of the matched: mean |k found - k true|, 5 standing for 5 or more
    double within_one = 0;  ///< of the matched with the wrong class: share that is off by one
    double star_bias = 0;   ///< expected stars of all detections / true stars
};
Scores scores_of(const Tally& tally);

/// One figure with all that belongs to it. NaN: not defined, or not to be had.
struct Figure {
    std::string name;  ///< "precision of 1", "MDR", ...
    double value = 0;
    double low = 0, high = 0;  ///< 68 % bootstrap interval over fields
    double chance = 0;         ///< the same for chance alone
    double corrected = 0;      ///< (value - chance) / (1 - chance), 1 being perfect. For MDR and FAR, of which 0 is
                           ///< perfect, one minus that of their complements: value / chance. NaN for means and ratios
    double corrected_low = 0, corrected_high = 0;
};

struct Evaluation {
    Tally tally, chance;
    std::vector<Figure> figures;
};

inline constexpr int bootstrap_resamples = 500;

/// Scores fields together. Intervals need two fields or more. A pure function of its arguments.
Evaluation evaluate(const std::vector<ScoredField>& fields, const MatchRule& rule, std::uint64_t seed);

}  // namespace star
