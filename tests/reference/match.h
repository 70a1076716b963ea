// Matching by brute force, one image at a time: the definition in plain loops over all pairs.
#pragma once
#include <vector>

#include "kernels/match.h"

namespace star::reference {

inline std::vector<int> match(const AnchorGrid& grid, const std::vector<Box>& boxes,
                              const std::vector<std::int8_t>& labels, int first, int last, Matching how) {
    std::vector<int> out(std::size_t(grid.total), -1);
    std::vector<int> units, forced(std::size_t(grid.total), -1);
    for (int u = first; u < last; ++u)
        if (labels[std::size_t(u)] != label_ignored) units.push_back(u);
    const auto overlap = [&](int anchor, int u) { return iou(anchor_box(grid, anchor), boxes[std::size_t(u)]); };
    for (int i = 0; i < grid.total && !units.empty(); ++i) {
        int best = units[0];
        for (int u : units)
            if (overlap(i, u) > overlap(i, best)) best = u;
        const float v = overlap(i, best);
        out[std::size_t(i)] = v >= how.foreground ? best : v < how.background ? -1 : -2;
    }
    for (int u : units) {
        int best = 0;
        for (int i = 0; i < grid.total; ++i)
            if (overlap(i, u) > overlap(best, u)) best = i;
        int& owner = forced[std::size_t(best)];
        if (how.best_anchor && overlap(best, u) > 0 && (owner < 0 || overlap(best, u) > overlap(best, owner)))
            owner = u;
    }
    for (int i = 0; i < grid.total; ++i) {
        if (forced[std::size_t(i)] >= 0) out[std::size_t(i)] = forced[std::size_t(i)];
        const float x = anchor_box(grid, i).x(), y = anchor_box(grid, i).y();
        for (int u = first; u < last; ++u) {
            const Box r = boxes[std::size_t(u)];
            const bool inside = x >= r.x0 && x < r.x1 && y >= r.y0 && y < r.y1;
            if (labels[std::size_t(u)] == label_ignored && inside && out[std::size_t(i)] == -1)
                out[std::size_t(i)] = -2;
        }
    }
    return out;
}

/// Three levels over 80 x 64 pixels, strides that differ by axis, three anchors per cell that aren't centred.
inline AnchorGrid small_grid() {
    AnchorGrid g{3, 3, 0, {}};
    for (int l = 0; l < 3; ++l) {
        AnchorLevel& level = g.level[l];
        level.stride_x = float(4 << l), level.stride_y = float(5 << l);
        level.w = (80 + (4 << l) - 1) / (4 << l), level.h = (64 + (5 << l) - 1) / (5 << l);
        level.first = g.total;
        const float size = float(6 << l);
        level.cell[0] = {-size / 2, -size / 2, size / 2, size / 2};
        level.cell[1] = {-size, -size / 4, size, size / 4};
        level.cell[2] = {0, 0, size, size * 1.5f};
        g.total += level.w * level.h * g.per_cell;
    }
    return g;
}

}  // namespace star::reference
