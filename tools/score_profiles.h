// How completeness, class and purity change with what a unit is like and where it lies.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "tools/score_bootstrap.h"
#include "tools/score_match.h"

namespace star {

inline constexpr double density_radius = 20;  ///< px

/// One figure in bins of one quantity. Empty bins are left out.
struct Profile {
    struct Bin {
        double from = 0, to = 0;   ///< from <= quantity < to; the last bin of an axis has no end: infinity
        std::int64_t n = 0;        ///< units, or detections, in it
        double value = 0;          ///< share of them
        double low = 0, high = 0;  ///< 68 % bootstrap interval over fields; NaN for fewer than two
        double chance = 0;         ///< the same for chance alone
    };
    std::string figure;  ///< "completeness", "right class" or "purity"
    std::string by;      ///< "magnitude", "density", "separation" or "flux ratio"
    std::string unit;    ///< of the axis
    std::vector<Bin> bins;
};

/// Counts for profiles over any number of fields.
///   completeness: units found / units;  right class: of the units found, those given their class;
///   purity: detections that are units / detections. What the matching leaves out isn't counted.
///   magnitude: of the unit, or the detection's own;
///   density: units of the truth per 1000 px^2 within density_radius of it, itself included, ignored ones too; the area
///     is that part of the circle that lies in the field;
///   separation: px to the nearest other unit of the truth, or for purity the nearest other detection;
///   flux ratio: Wanted::flux_ratio (no purity).
/// What isn't known (NaN) is in no bin.
class ProfileCounts {
public:
    /// Adds a field's list; lists of one field (chance has eight) share its number. found: as it was matched.
    void add(int field, const ScoredField& truth, const std::vector<Found>& found, const Matches& matches);

    /// chance: counts of the same fields' shifted lists.
    std::vector<Profile> profiles(const ProfileCounts& chance, const Bootstrap& bootstrap) const;

private:
    struct Share {
        std::int64_t hits = 0, all = 0;
    };
    void count(int field, std::size_t profile, double quantity, bool hit);
    std::vector<std::vector<Share>> fields_;  // [field][bin of all profiles one after the other]
};

}  // namespace star
