// Arithmetic that every device rounds alike, for results that are indices. nvcc joins a product and the sum it goes
// into (one rounding instead of two), our CPU builds don't; an explicit fma with 0 is the rounded product, and nothing
// more can be joined to it. A product of -0 becomes 0.
#pragma once
#include <cmath>

#include "kernels/anchors.h"

namespace star {

constexpr float rounded_product(float a, float b) { return fmaf(a, b, 0.0f); }

/// The bits of iou(a, b).
constexpr float rounded_iou(Box a, Box b) {
    const float x0 = a.x0 > b.x0 ? a.x0 : b.x0, x1 = a.x1 < b.x1 ? a.x1 : b.x1;
    const float y0 = a.y0 > b.y0 ? a.y0 : b.y0, y1 = a.y1 < b.y1 ? a.y1 : b.y1;
    const float both = x1 > x0 && y1 > y0 ? rounded_product(x1 - x0, y1 - y0) : 0;
    const float either = rounded_product(a.width(), a.height()) + rounded_product(b.width(), b.height()) - both;
    return either > 0 ? both / either : 0;
}

/// The bits of anchor_box(l, i, j, a).
constexpr Box rounded_anchor_box(const AnchorLevel& l, int i, int j, int a) {
    const float x = rounded_product(float(j), l.stride_x), y = rounded_product(float(i), l.stride_y);
    return {l.cell[a].x0 + x, l.cell[a].y0 + y, l.cell[a].x1 + x, l.cell[a].y1 + y};
}

}  // namespace star
