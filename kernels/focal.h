// Sigmoid focal loss (Lin et al. 2020, eq. 5) and its gradient, in one pass over the logits of one pyramid level.
#pragma once
#include "kernels/arena.h"

namespace star {

struct Focal {
    float alpha = 0.25f;  ///< weight of positives; negatives weigh 1 - alpha. Negative: both weigh 1
    float gamma = 2.0f;   ///< how fast easy examples fade; 0 is plain cross-entropy
    int classes = 5;
    int per_cell = 1;  ///< anchors per cell
};

/// With a = anchor in the cell, k = class, z = logits[n,i,j,a*classes + k], t = 1 where the anchor's label is k, else
/// 0, p = sigmoid(z) where t = 1, sigmoid(-z) where t = 0, and weight = alpha or 1 - alpha: loss       = sum over n of
/// 1 / (N max(1, positives[n])) * sum_{i,j,a,k} -weight (1 - p)^gamma log p     (nats) dlogits    = d loss / d logits
/// Anchors whose label is label_ignored (-2) have no loss and zero gradient; so has the channels' padding.
///
///   logits     (N,H,W,C)  T (float or bf16), C >= per_cell * classes
///   labels     int8; image n's anchors of this level are labels[n * label_stride + (i*W + j)*per_cell + a]; not
///   checked positives  (N) int dlogits    (N,H,W,C)  T, overwritten; may be the same memory as logits loss       one
///   float, overwritten
/// All on the device. Queued on `stream`; does not wait. The sum's order depends on the shape alone: equal inputs give
/// equal bits. Throws Error if the shapes differ or are empty, for gamma < 0 or more than 128 classes.
template <class T>
void focal_loss(Stream stream, View<const T> logits, const std::int8_t* labels, std::int64_t label_stride,
                View<const int> positives, Focal how, View<T> dlogits, float* loss, Arena& scratch);

inline constexpr int focal_blocks = 1024;  // partial sums

namespace cpu {
template <class T>
void focal_loss(Stream, View<const T> logits, const std::int8_t* labels, std::int64_t label_stride,
                View<const int> positives, Focal how, View<T> dlogits, float* loss, float* partial);
}
namespace cuda {
template <class T>
void focal_loss(Stream, View<const T> logits, const std::int8_t* labels, std::int64_t label_stride,
                View<const int> positives, Focal how, View<T> dlogits, float* loss, float* partial);
}

}  // namespace star
