// Smooth-L1 loss of predicted boxes (Girshick 2015, eq. 3) and its gradient, for one pyramid level.
#pragma once
#include "kernels/match.h"

namespace star {

struct BoxLoss {
    float beta = 0.111f;  ///< |d| below which the loss is quadratic; 0 is plain L1 (torchvision's RetinaNet)
    float weight = 1.0f;
};

/// With t = encode(truth, anchor) and d = deltas[n,i,j,4a...4a+3] - t for each anchor that has a unit:
/// loss = weight * sum over n of 1 / (N max(1, positives[n])) * sum s(d),  s(d) = d^2 / (2 beta) if |d| < beta, else
/// |d| - beta/2 ddeltas = d loss / d deltas; zero for anchors without a unit and for the channels' padding.
///   deltas     (N,H,W,C) T (float or bf16), C >= 4 per_cell
///   level      which level of `grid` this is
///   match      (N,1,1,total) from match_anchors
///   ddeltas    (N,H,W,C) T, overwritten; may be the same memory as deltas
///   loss       one float, overwritten
/// Queued on `stream`; the sum's order depends on the shape alone. Throws Error if shapes disagree.
template <class T>
void box_loss(Stream stream, View<const T> deltas, const AnchorGrid& grid, int level, View<const int> match,
              View<const Box> truth, View<const int> positives, BoxLoss how, View<T> ddeltas, float* loss,
              Arena& scratch);

inline constexpr int box_loss_runs = 256;  // partial sums

namespace cuda {
template <class T>
void box_loss(Stream, View<const T> deltas, AnchorGrid grid, int level, View<const int> match, View<const Box> truth,
              View<const int> positives, BoxLoss how, View<T> ddeltas, float* loss, double* partial);
}  // namespace cuda

}  // namespace star
