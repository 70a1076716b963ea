// A sky that isn't flat.
#pragma once
#include "kernels/types.h"

namespace star {

/// image(0, y, x, 0) += a plane of the given slopes (image units per px) that is 0 at the outer corner of the darkest
/// pixel and nowhere below: Exposure::sky is then the sky there. image (1,H,W,1): expected electrons before noise, to
/// which expose() adds the flat sky. Throws Error unless the slopes are finite.
void add_sky_gradient(View<float> image, double gradient_x, double gradient_y);

}  // namespace star
