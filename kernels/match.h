// Which anchor learns what: truth boxes assigned to anchors (Lin et al. 2020, section 4.1).
#pragma once
#include "kernels/anchors.h"
#include "kernels/arena.h"

namespace star {

inline constexpr std::int8_t label_background = -1, label_ignored = -2;

/// The truth of a batch, on the device: units of all images one after the other.
struct Truths {
    View<const Box> boxes;           ///< (1,1,1,M)
    View<const std::int8_t> labels;  ///< (1,1,1,M) class 0...classes-1, or label_ignored: a region nobody learns from
    View<const int> first;           ///< (1,1,1,N+1) image n has the units first[n] ... first[n+1]-1
};

struct Matching {
    float foreground = 0.5f;  ///< IoU from which an anchor is a unit
    float background = 0.4f;  ///< IoU below which it is background; between the two it is ignored
    bool best_anchor = true;  ///< each unit also takes the first of its best anchors, whatever their IoU (> 0)
};

/// For each anchor of each image: the unit of highest IoU (the first of equals, ignored regions left out).
///   match      (N,1,1,total) int, overwritten: index into truths.boxes, or -1 (background), or -2 (ignored)
///   labels     (N,1,1,total) int8, overwritten: the unit's label, or label_background, or label_ignored
///   positives  (1,1,1,N) int, overwritten: how many anchors have a unit
/// An anchor that is the best of several units takes the one of highest IoU, the first of equals.
/// A background anchor whose centre lies in an ignored region (x0 <= x < x1, y0 <= y < y1) becomes ignored.
/// An image without units and regions has background alone. Exact and deterministic. Queued on `stream`.
/// Throws Error unless 0 < background <= foreground and the grid's levels follow one another, or if shapes disagree.
void match_anchors(Stream stream, const AnchorGrid& grid, Truths truths, Matching how, View<int> match,
                   View<std::int8_t> labels, View<int> positives, Arena& scratch);

}  // namespace star
