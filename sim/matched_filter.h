// e on the square of pixels around a star in the middle of its own: what a matched filter weighs pixels with.
#pragma once
#include <vector>

#include "sim/psf_map.h"

namespace star {

struct MatchedFilter {
    int radius;
    double peak;
    std::vector<double> e;  ///< rows of 2 radius + 1

    MatchedFilter(const LocalPsf& psf, int reach) : radius(reach), peak(psf.peak()) {
        for (int y = -radius; y <= radius; ++y)
            for (int x = -radius; x <= radius; ++x) e.push_back(psf.at(x, y));
    }
    /// At x = -radius of row y.
    const double* row(int y) const { return e.data() + (y + radius) * (2 * radius + 1); }
};

}  // namespace star
