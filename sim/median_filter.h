// The median around each pixel.
#pragma once
#include <span>
#include <vector>

#include "kernels/isa.h"

namespace star {

/// Of the (2 radius + 1)^2 pixels around each of h rows of w; beyond the edge the edge goes on. radius: 1, 2 or 3; no
/// value is NaN. Exact: equal bits in every instruction set (of -0 and 0, either).
std::vector<float> median_filter(Isa isa, std::span<const float> in, int w, int h, int radius);

}  // namespace star
