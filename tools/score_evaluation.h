// All that is said about a set of scored fields under one rule of matching.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tools/score_calibration.h"
#include "tools/score_curves.h"
#include "tools/score_profiles.h"

namespace star {

/// One figure with all that belongs to it. NaN: not defined, or not to be had.
struct Figure {
    std::string name;  ///< "precision of 1", "MDR", ...
    double value = 0;
    double low = 0, high = 0;  ///< 68 % bootstrap interval over fields
    double chance = 0;         ///< the same for chance alone
    double corrected = 0;      ///< (value - chance) / (1 - chance), 1 being perfect. For MDR and FAR, of which 0 is
                           ///< perfect, one minus that of their complements: value / chance. NaN for means and ratios
    double corrected_low = 0, corrected_high = 0;  ///< average precision: of low and high, chance as it is
};

struct Curve {
    std::string of;  ///< "any", "1", ... "5+"
    std::vector<RankedDetections::Point> points;
};

struct Evaluation {
    Tally tally, chance;
    std::vector<Figure> figures;
    std::vector<Curve> curves;  ///< classes that occur
    std::vector<Profile> profiles;
    std::vector<Reliability> reliability;
};

std::string class_name(int k);  ///< "1", ... "5+"

/// Scores fields together. Intervals need two fields or more. A pure function of its arguments.
Evaluation evaluate(const std::vector<ScoredField>& fields, const MatchRule& rule, std::uint64_t seed);

}  // namespace star
