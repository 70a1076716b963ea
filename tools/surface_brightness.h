// How bright an image is around a place: means over squares, of images of any size.
#pragma once
#include <vector>

#include "tools/observation.h"

namespace star {

/// Means of usable pixels over squares of five cells a side, cells of a quarter of the asked-for side or so. Built up
/// from parts of the image, in any order.
class SurfaceBrightness {
public:
    /// side: px, of the squares; at least 32 are taken.
    SurfaceBrightness(int width, int height, double side);
    /// Adds the observation's pixels in the part [core) of its own; (column, row): where its first lies in the image.
    void add(const Observation& o, const Region& core, int column, int row);

    /// Mean pixel around (x, y), px of the image, pixel edges; without `light` (image units) that stands there. NaN
    /// where no pixel is usable.
    double around(double x, double y, double light = 0) const;
    /// The level below which `share` of the image's cells lie; NaN without a usable pixel.
    double quantile(double share) const;

private:
    int cell_, across_, down_;
    std::vector<float> sum_;
    std::vector<int> count_;
};

}  // namespace star
