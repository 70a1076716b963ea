// The plane.
#include "sim/scene_sky.h"

#include <cmath>

#include "kernels/check.h"

namespace star {

void add_sky_gradient(View<float> image, double gradient_x, double gradient_y) {
    const int w = image.shape.w, h = image.shape.h;
    require(image.shape == Shape{1, h, w, 1} && std::isfinite(gradient_x) && std::isfinite(gradient_y),
            "sky gradient: ", gradient_x, ", ", gradient_y);
    const double x0 = gradient_x < 0 ? w : 0, y0 = gradient_y < 0 ? h : 0;
    for (int y = 0; y < h; ++y)
        for (int x = 0; x < w; ++x) {
            float& pixel = image.data[std::int64_t{y} * w + x];
            pixel = float(pixel + gradient_x * (x + 0.5 - x0) + gradient_y * (y + 0.5 - y0));
        }
}

}  // namespace star
