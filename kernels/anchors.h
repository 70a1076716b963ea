// Anchor boxes: where they are, and how boxes are written relative to them. Shared by matching, losses and decoding.
#pragma once
#include <cmath>

#include "kernels/types.h"

namespace star {

inline constexpr int max_levels = 6, max_anchors_per_cell = 12;

/// One level of the pyramid: a grid of h x w cells. Anchor (i,j,a) is cell[a] moved by (j * stride_x, i * stride_y)
/// pixels.
struct AnchorLevel {
    int h = 0, w = 0;
    float stride_y = 1, stride_x = 1;  ///< pixels of the network's input
    int first = 0;                     ///< index, within an image, of anchor (0,0,0)
    Box cell[max_anchors_per_cell];
};

/// All anchors of an image. Index within an image: level.first + (i * w + j) * per_cell + a. Plain data, passed by
/// value.
struct AnchorGrid {
    int levels = 0, per_cell = 0, total = 0;
    AnchorLevel level[max_levels];
};

constexpr Box anchor_box(const AnchorLevel& l, int i, int j, int a) {
    const float x = float(j) * l.stride_x, y = float(i) * l.stride_y;
    return {l.cell[a].x0 + x, l.cell[a].y0 + y, l.cell[a].x1 + x, l.cell[a].y1 + y};
}

constexpr int level_of(const AnchorGrid& g, int anchor) {
    int l = 0;
    while (l + 1 < g.levels && anchor >= g.level[l + 1].first) ++l;
    return l;
}

constexpr Box anchor_box(const AnchorGrid& g, int anchor) {
    const AnchorLevel& l = g.level[level_of(g, anchor)];
    const int at = anchor - l.first, cell = at / g.per_cell;
    return anchor_box(l, cell / l.w, cell % l.w, at % g.per_cell);
}

/// A box relative to an anchor (Girshick et al. 2014): shift of the centre in units of the anchor's size, logarithm of
/// the ratio of sizes.
struct Delta {
    float x, y, w, h;
};

inline constexpr float max_log_ratio = 4.135166556742356f;  // log(1000 / 16): torchvision's clamp, keeps exp() finite

constexpr Delta encode(Box box, Box anchor) {
    return {(box.x() - anchor.x()) / anchor.width(), (box.y() - anchor.y()) / anchor.height(),
            logf(box.width() / anchor.width()), logf(box.height() / anchor.height())};
}

constexpr Box decode(Delta d, Box anchor) {
    const float dw = d.w < max_log_ratio ? d.w : max_log_ratio, dh = d.h < max_log_ratio ? d.h : max_log_ratio;
    const float x = anchor.x() + d.x * anchor.width(), y = anchor.y() + d.y * anchor.height();
    const float w = anchor.width() * expf(dw), h = anchor.height() * expf(dh);
    return {x - 0.5f * w, y - 0.5f * h, x + 0.5f * w, y + 0.5f * h};
}

}  // namespace star
