// Greedy non-maximum suppression, exact, for batches, in time proportional to the pairs that overlap.
#pragma once
#include "kernels/arena.h"

namespace star {

struct Nms {
    enum class By {
        iou,    ///< a box falls if its IoU with a kept one of its group is > threshold
        centre  ///< a box falls if its centre is closer than threshold (pixels) to the centre of a kept one of its
                ///< group
    } by = By::iou;
    float threshold = 0.5f;
};

/// For each image: boxes in descending order of score (the first of equals first); each is kept unless a kept one of
/// the same group suppresses it.
///   boxes       (N,1,1,M)   finite
///   scores      (N,1,1,M)   finite
///   groups      (N,1,1,M)   int; data = null: all are one group
///   count       (1,1,1,N)   how many of each image's M rows hold boxes
///   kept        (N,1,1,M)   int, the first kept_count[n] overwritten: indices in descending order of score
///   kept_count  (1,1,1,N)   int, overwritten
/// Throws Error if shapes disagree or the threshold is negative or not finite.
/// No cap on M (a GPU: 2^30); memory linear in N*M. Deterministic, and equal on every device. Queued on `stream`.
/// Work is proportional to the pairs of neighbours: boxes that overlap, or whose size and centre are nearly so. Where
/// the threshold is so low that a box can fall by one of any size, neighbours are all boxes of such sizes. A GPU takes
/// longest over long chains, each box overlapping the next in order of score: it decides one after the other.
void nms(Stream stream, View<const Box> boxes, View<const float> scores, View<const int> groups, View<const int> count,
         Nms how, View<int> kept, View<int> kept_count, Arena& scratch);

}  // namespace star
