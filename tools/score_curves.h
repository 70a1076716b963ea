// Precision against recall as the score threshold falls, and the area below: average precision.
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "tools/score_match.h"

namespace star {

inline constexpr int any_class = classes_scored;  ///< of a curve: a unit found is a hit whatever its class

/// What the curves of any number of fields are drawn from.
class RankedDetections {
public:
    /// Adds a field's matched list. Lists of one field (chance has eight) share its number.
    void add(int field, const std::vector<Wanted>& wanted, const std::vector<Found>& found, const Matches& matches);
    /// Orders what was added by descending score; call it before asking.
    void sort();

    struct Point {
        double score = 0;  ///< the threshold: detections of this score or more
        double recall = 0, precision = 0;
    };
    /// Points at every score that occurs where recall has grown by `step` or more since the point before, and the last.
    /// Class k: of the detections called k, those matched with a unit of class k are hits, all others are not; recall
    /// is of the units of class k. So the last point has the precision and the recall of the confusion matrix.
    /// Detections of equal score come in together.
    std::vector<Point> curve(int of, double step) const;

    /// Area below the curve, all-point interpolation: at each recall the highest precision at it or beyond (VOC 2010).
    /// times: how often each field counts; empty: once. NaN without units of the class, 0 without detections.
    double average_precision(int of, const std::vector<int>& times = {}) const;

private:
    struct Detection {
        double score;
        int field;
        std::int8_t truth;  // class of its unit, or nothing_there
    };
    struct Step {
        double score, hits, all;  // detections of that score or more
    };
    std::vector<Step> steps(int of, const std::vector<int>& times) const;
    double units(int of, const std::vector<int>& times) const;

    std::array<std::vector<Detection>, classes_scored> called_;    // by label
    std::vector<std::array<std::int64_t, classes_scored>> units_;  // of each field
};

}  // namespace star
