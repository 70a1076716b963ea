// What matching is made of on every device: which anchors a box can meet, and keys of which the greatest wins.
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/match.h"

namespace star {

struct Cells {  // of a level: rows i0...i1-1, columns j0...j1-1
    int i0, i1, j0, j1;
    constexpr std::int64_t count() const { return std::int64_t{i1 - i0} * (j1 - j0); }
};

/// The first (floor) or the last (ceil) of [0, cells) that an interval of pixels reaches, and one more for rounding.
constexpr int first_cell(double low, float stride, int cells) {
    return int(std::clamp(floor(low / double(stride)) - 1, 0.0, double(cells)));
}
constexpr int end_cell(double high, float stride, int cells) {
    return int(std::clamp(ceil(high / double(stride)) + 2, 0.0, double(cells)));
}

/// Every cell whose anchor `a` overlaps the box or has its centre there, and some more. None for a box that is empty
/// or NaN.
constexpr Cells cells_near(const AnchorLevel& level, int a, Box box) {
    if (!(box.x1 > box.x0 && box.y1 > box.y0)) return {0, 0, 0, 0};
    const Box& cell = level.cell[a];
    return {first_cell(double(box.y0) - cell.y1, level.stride_y, level.h),
            end_cell(double(box.y1) - cell.y0, level.stride_y, level.h),
            first_cell(double(box.x0) - cell.x1, level.stride_x, level.w),
            end_cell(double(box.x1) - cell.x0, level.stride_x, level.w)};
}

constexpr bool centre_inside(Box anchor, Box region) {
    return anchor.x() >= region.x0 && anchor.x() < region.x1 && anchor.y() >= region.y0 && anchor.y() < region.y1;
}

/// An overlap as a number: its IoU (> 0; positive floats are in order of their bits), then the complement of the unit
/// or anchor it is with, so that the greatest key is the highest IoU with the first of equals. 0 is no overlap.
using OverlapKey = std::uint64_t;
constexpr OverlapKey overlap_key(float iou, int index) {
    return OverlapKey{std::bit_cast<std::uint32_t>(iou)} << 32 | std::uint32_t(~index);
}
constexpr int index_of(OverlapKey k) { return int(~std::uint32_t(k)); }

/// A unit's wish for its best anchor, as a key for that anchor: above all keys that are no wish.
inline constexpr OverlapKey wish = OverlapKey{1} << 63;
constexpr OverlapKey wish_of(OverlapKey best_anchor, int unit) {
    return wish | (best_anchor >> 32) << 32 | std::uint32_t(~unit);
}

/// The unit, -1 or -2 (match.h) of the anchor whose greatest key is k. Keys below how.background may be left out.
constexpr int matched(OverlapKey k, Matching how) {
    if (k & wish) return index_of(k);
    const float iou = std::bit_cast<float>(std::uint32_t(k >> 32));
    return iou >= how.foreground ? index_of(k) : iou < how.background ? -1 : -2;
}

constexpr std::int8_t label_of(int match, const std::int8_t* labels) {
    return match >= 0 ? labels[match] : match == -1 ? label_background : label_ignored;
}

/// Workspace of match_anchors, on the device.
struct MatchWork {
    OverlapKey* best;       // (N * total) of each anchor
    OverlapKey* unit_best;  // (M) of each unit: with its best anchor
};

namespace cpu {
void match_anchors(Stream, AnchorGrid, Truths, Matching, View<int> match, View<std::int8_t> labels, View<int> positives,
                   MatchWork);
}
namespace cuda {
void match_anchors(Stream, AnchorGrid, Truths, Matching, View<int> match, View<std::int8_t> labels, View<int> positives,
                   MatchWork);
}

}  // namespace star
