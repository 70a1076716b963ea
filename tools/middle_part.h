// The middle of an image: enough stars to tell a PSF's width and fit, in a second.
#pragma once
#include <cstdint>
#include <vector>

#include "sim/psf_measure.h"
#include "tools/observation.h"

namespace star {

/// At most 1024 px a side.
struct MiddlePart {
    int x0 = 0, y0 = 0;  ///< px of the observation: where it begins
    int width = 0, height = 0;
    std::vector<float> pixels;
    std::vector<std::uint8_t> mask;  ///< PixelState

    MeasuredImage image() const { return {pixels, mask, width, height}; }  ///< refers to this
};
MiddlePart middle_part(const Observation& o);

}  // namespace star
