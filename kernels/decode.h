// From the heads' raw outputs to candidate boxes: threshold, best k of each level, decoded boxes.
#pragma once
#include "kernels/anchors.h"
#include "kernels/arena.h"

namespace star {

enum class Scoring {
    each_class,  ///< a candidate per anchor and class, score = sigmoid(logit): torchvision's RetinaNet
    any_class    ///< a candidate per anchor, score = 1 - prod_k (1 - sigmoid(logit_k)), label = the likeliest class
};

struct Decode {
    Scoring scoring = Scoring::each_class;
    int classes = 5;
    float threshold = 0.05f;      ///< candidates score above it
    int top_k = 1000;             ///< best of each level and image
    float width = 0, height = 0;  ///< boxes are clipped to the image; pixels of the network's input
};

/// Heads' outputs on the grid's levels: logits[l] (N,h,w,C >= per_cell*classes), deltas[l] (N,h,w,C >= 4 per_cell).
template <class T>
struct HeadOutputs {
    View<const T> logits[max_levels], deltas[max_levels];
};

/// For each image, up to `capacity` rows (capacity = levels * top_k is always enough).
struct Candidates {
    View<Box> boxes;      ///< (N,1,1,capacity)
    View<float> scores;   ///< (N,1,1,capacity)
    View<int> labels;     ///< (N,1,1,capacity) class
    View<int> anchors;    ///< (N,1,1,capacity) index of the anchor within the image
    View<float> chances;  ///< (N,1,capacity,classes) sigmoid of every class's logit; data = null for none
    View<int> count;      ///< (1,1,1,N)
};

/// Overwrites the first count[n] rows of each image: level after level; in a level by descending score, equal scores by
/// ascending anchor (then class). NaN logits never pass; of the best k, those whose box is NaN are left out. Throws
/// Error if shapes disagree, the threshold is negative or the capacity is below the sum of min(top_k, candidates) over
/// levels. Deterministic; two devices' scores and boxes differ by their exponentials' rounding, and by it alone their
/// order. A GPU's workspace is 16 bytes and a little for each candidate that there could be. Queued on `stream`.
template <class T>
void decode_boxes(Stream stream, const HeadOutputs<T>& heads, const AnchorGrid& grid, Decode how, Candidates out,
                  Arena& scratch);

}  // namespace star
