// Two catalogues of one field against each other: magnitudes, places, completeness, colours.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "tools/matched_lists.h"

namespace star {

/// What pairs of one magnitude have in common. NaN where nothing is known.
struct ComparedBin {
    double from = 0, to = 0;  ///< mag of the first list
    int pairs = 0;
    MedianSpread magnitude;  ///< second minus first
    double expected = 0;     ///< median of the two errors' quadratic sum
    MedianSpread x, y;       ///< second minus first, in the radius' unit
};

/// How many of a list's rows, where the other list has any, are in that too.
struct CompletenessBin {
    double from = 0, to = 0;  ///< mag of the list's own
    int rows = 0;
    double share = 0, low = 0, high = 0;  ///< and its 68 % interval (share.h)
    double chance = 0;
};

struct Comparison {
    std::string first, second, mag_first, mag_second;  ///< files and columns
    MatchRadius radius;
    std::string summary;  ///< match_text()
    MedianSpread magnitude, x, y;
    std::vector<ComparedBin> bins;
    std::vector<CompletenessBin> first_found, second_found;  ///< of the first list in the second, and the other way
    std::vector<std::pair<double, double>> pairs;            ///< magnitudes of both lists, for plots
    std::vector<std::pair<double, double>> offsets;          ///< x, y of second minus first

    std::string text() const;
    /// Schema "starblend-comparison-1"; what isn't known is null.
    std::string json() const;
    /// One page with plots, which needs nothing else.
    std::string html() const;
};

/// Bins are half a magnitude wide. Throws Error (Fault::input) if a list has no magnitudes.
Comparison compare_lists(const PlacedList& a, const PlacedList& b, const MatchedLists& matched);

}  // namespace star
