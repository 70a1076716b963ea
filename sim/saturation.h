// Saturated stars: which pixels clipped, and which the charge ran over.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace star {

/// mask[i] |= mask_saturated (sim/detector_noise.h) for every pixel at `level` or above, and for every pixel above 0.9
/// of it that is connected to one through such pixels (up, down, left, right): the ends of bleed trails, and cores that
/// a flat field or noise took just below the level. A mask that is empty becomes one of the image's size, if any pixel
/// is saturated. Values that aren't finite are never saturated. Linear in time; memory for the trail being followed.
void mark_saturated(std::span<const float> pixels, int width, int height, double level,
                    std::vector<std::uint8_t>& mask);

}  // namespace star
