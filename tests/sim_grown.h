// The units of a mock catalogue, as they were grown.
#pragma once
#include <span>
#include <vector>

#include "sim/star.h"

namespace star {

/// Runs of stars with one number, without those of no unit. They refer to `stars`.
inline std::vector<std::span<const Star>> grown_units(std::span<const Star> stars) {
    std::vector<std::span<const Star>> units;
    for (std::size_t i = 0, first = 0; i < stars.size(); first = i) {
        while (i < stars.size() && stars[i].unit == stars[first].unit) ++i;
        if (stars[first].unit >= 0) units.push_back(stars.subspan(first, i - first));
    }
    return units;
}

}  // namespace star
