// The optimiser: gradient norm, clipping and Adam (Kingma & Ba 2015, Algorithm 1) in two passes over the flat block.
#pragma once
#include "kernels/arena.h"

namespace star {

/// What changes from step to step; lives on the device, so that a captured graph can be replayed.
struct AdamStep {
    float rate = 1e-3f;
    float beta1 = 0.9f, beta2 = 0.999f, epsilon = 1e-8f;
    float weight_decay = 0;  ///< decoupled (AdamW: Loshchilov & Hutter 2019), times rate
    float clip = 0;          ///< gradients are scaled by min(1, clip / norm); 0 leaves them
    float average = 0;       ///< averaged = average * averaged + (1 - average) * value; 0 makes it a copy
    std::int64_t step = 1;   ///< counted from 1: the bias correction's t
};

/// norm = sqrt(sum of squares), accumulated in double in a fixed order; one float on the device, overwritten.
void gradient_norm(Stream stream, View<const float> grad, float* norm, Arena& scratch);

/// One step. All views of one length; `decayed`: the first so many elements have weight decay, the rest don't.
/// value, m, v and averaged are updated; `averaged.data` null for none; `rounded` (bf16 copies of value) overwritten,
/// or null. If the norm isn't finite nothing changes but `rounded`: the step is skipped (the trainer sees the norm and
/// stops). epsilon is added outside the root: the standard form, not the paper's Eq. 7.
void adam_step(Stream stream, View<const float> grad, const float* norm, const AdamStep* how, std::int64_t decayed,
               View<float> value, View<float> m, View<float> v, View<float> averaged, View<bf16> rounded);

inline constexpr std::int64_t adam_grain = 1 << 15;  ///< elements per piece of work and per partial sum

namespace cuda {
void gradient_norm(Stream, View<const float> grad, float* norm, double* partial);
void adam_step(Stream, View<const float> grad, const float* norm, const AdamStep* how, std::int64_t decayed,
               View<float> value, View<float> m, View<float> v, View<float> averaged, View<bf16> rounded);
}  // namespace cuda

}  // namespace star
