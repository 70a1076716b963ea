// Points at random that keep their distance: dart throwing, up to the density where no further point fits.
#pragma once
#include <vector>

#include "kernels/random.h"

namespace star {

struct Place {
    double x, y;
};

/// Uniform points in [x0, x1) x [y0, y1), one after the other, each at least `separation` from all before, until there
/// are `count` or no room is left (random sequential addition: it jams at 0.697 points per separation^2). The law is
/// that of throwing darts for ever; the regions that may still have room are tracked on a grid that is refined as they
/// shrink, so that jamming is reached exactly. separation = 0: plain uniform points. Throws Error if count could exceed
/// 2^26.
std::vector<Place> scatter(double x0, double y0, double x1, double y1, double separation, double count, Random& random);

}  // namespace star
