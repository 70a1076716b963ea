// Which detection is which unit of the truth: the one matching that every score rests on.
#pragma once
#include <memory>
#include <vector>

#include "tools/score.h"

namespace star {

struct Matches {
    static constexpr int none = -1, left_out = -2;
    std::vector<int> order;  ///< detections in descending order of score
    std::vector<int> unit;   ///< of each detection: its unit; none: noise; left_out: doesn't count
    std::vector<int> found;  ///< of each unit: its detection; none: missed; left_out: doesn't count
};

/// The truth of one field, to which any number of lists can be matched. Keeps its own copy of the units.
class Matcher {
public:
    /// Throws Error for values out of range: of the field's rows, or of the rule.
    Matcher(const ScoredField& field, const MatchRule& rule);
    ~Matcher();

    /// Units at the edge are matched like the others, then they and their detections are left out, as is a detection
    /// without a unit whose own centre is at the edge. A detection that finds no free unit but an ignored one, by the
    /// same rule, is left out; an ignored unit takes any number. What is matched doesn't depend on the order of rows:
    /// equal scores are taken by position, equal units likewise. Time n log n for boxes of ordinary sizes.
    /// found: the field's, or the same moved.
    Matches match(const std::vector<Found>& found) const;

private:
    struct Units;
    std::unique_ptr<const Units> units_;
};

/// Counts what was matched.
Tally tally_of(const std::vector<Wanted>& wanted, const std::vector<Found>& found, const Matches& matches);

inline constexpr int chance_shifts = 8;

/// The n-th (0...7) of the eight offsets by which a list is moved to see what chance alone matches, px.
struct Offset {
    double x, y;
};
Offset chance_offset(int n);

/// The detections moved by the n-th (0...7) of eight offsets of 5-15 px in eight directions, wrapped around the field's
/// edges so that their number per area stays the same.
std::vector<Found> shifted(const ScoredField& field, int n);

}  // namespace star
