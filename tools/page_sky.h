// The sky over an image packed for a page: directions on a grid, between which a script interpolates.
#pragma once
#include <nlohmann/json_fwd.hpp>

#include "io/wcs.h"

namespace star {

/// {"frame", "nx", "ny", "dx", "dy", "at": [x, y, z of each node, row by row from the bottom], "worst"}: nodes at FITS
/// pixels 0.5 + i dx, 0.5 + j dy, from edge to edge; null where the projection isn't defined. The grid is made finer
/// until linear interpolation errs by less than 0.02 px in the middle of every cell, or has 128 cells along an axis;
/// worst: that error, px.
nlohmann::json packed_sky(const Wcs& wcs, int width, int height);

}  // namespace star
