// Batch normalisation over N,H,W (Ioffe & Szegedy 2015), with the residual addition and ReLU that follow it in a
// ResNet. Three modes: batch statistics (training from scratch), frozen running statistics (pretrained, adapting), and
// folded into the convolution before it (inference: batch_norm_fold).
#pragma once
#include <algorithm>

#include "kernels/arena.h"

namespace star {

struct BatchNorm {
    float epsilon = 1e-5f;
    float momentum =
        0.1f;  ///< running = (1 - momentum) running + momentum batch; the variance unbiased, as PyTorch has it
    bool frozen = false;  ///< normalise with the running statistics, leave them alone
    bool relu = false;    ///< y = max(y, 0) at the end
};

/// One value per channel, on the device.
struct BatchNormParams {
    const float* gamma;
    const float* beta;
    float* mean;      ///< running; updated unless frozen or the batch's aren't finite
    float* variance;  ///< running; updated unless frozen
};

/// How rows (pixels) are split. A run of rows is summed in float, runs are added in double. A run is short enough to
/// stay in the cache for a second look, and long enough that its sums are little beside it.
struct BatchNormRuns {
    std::int64_t rows = 0, rows_per_run = 1, count = 0;
    int channels = 0;
    constexpr std::int64_t in(std::int64_t run) const {
        const std::int64_t left = rows - run * rows_per_run;
        return left < rows_per_run ? left : rows_per_run;
    }
};

constexpr BatchNormRuns batch_norm_runs(Shape s, std::int64_t rows_per_run) {
    const std::int64_t rows = std::int64_t{s.n} * s.h * s.w;
    return {rows, rows_per_run, ceil_div(rows, rows_per_run), s.c};
}
constexpr BatchNormRuns batch_norm_runs(Shape s) {
    return batch_norm_runs(s, std::clamp<std::int64_t>(16384 / s.c, 32, 256));
}

/// What batch statistics are made of, on the device. No runs: not known.
struct BatchNormMoments {
    const float* data = nullptr;  ///< batch_norm_moments()
    BatchNormRuns runs{};
};

// T is float or bf16; x, y, dy, dx (N,H,W,C) of one shape; channels where gamma = beta = 0 and x = 0 stay zero. Sums
// are float sums over short runs of rows, which are added in double, in an order that is a function of the shape alone.
// Each run is summed about its own mean, so a large mean doesn't cancel the variance: its relative error stays below
// about 256 u (1 + (256 u mean|x| / sigma)^2), u = 2^-24. With a single row PyTorch refuses; here its variance is 0.
// Queued on `stream`; temporary memory from `scratch`. Throws Error if shapes differ, without rows, or if epsilon < 0
// (0 is what torchvision's COCO_V1 weights want: then variances must not be 0).

/// Per run of rows and channel: the mean as rounded to float and, about it, the sums of x - mean and (x - mean)^2. The
/// first of them is what rounding left over of the mean. Runs of at most 256 rows keep the bound above.
///   moments  (runs.count, 3, C) float, overwritten
template <class T>
void batch_norm_moments(Stream stream, View<const T> x, BatchNormRuns runs, float* moments);

/// y = gamma (x - mean) * inv_std + beta [+ residual] [then ReLU];  inv_std = 1 / sqrt(variance + epsilon).
///   residual  added before the ReLU; data = null for none
///   saved     (2,1,1,C) float, overwritten: the mean and inv_std used; what the backward needs
///   y         overwritten; may be x's memory
///   known     x's moments, where whoever made x found them (conv.h); else they are found here. Not read if frozen
template <class T>
void batch_norm_forward(Stream stream, View<const T> x, BatchNormParams p, BatchNorm how, View<const T> residual,
                        View<T> y, View<float> saved, Arena& scratch, BatchNormMoments known = {});

/// The gradients of dot(dy, y): dx overwritten, dgamma and dbeta *added*.
///   y          forward's output: the ReLU's mask is y > 0 (read only if how.relu)
///   dresidual  overwritten with dy after the mask; data = null for none; may be dy's memory
///   dx         overwritten; may be dy's memory if dresidual isn't
template <class T>
void batch_norm_backward(Stream stream, View<const T> x, View<const T> y, View<const T> dy, View<const float> saved,
                         const float* gamma, BatchNorm how, View<T> dx, View<T> dresidual, float* dgamma, float* dbeta,
                         Arena& scratch);

/// Folds frozen statistics into the convolution before it:
/// folded_w[k,...] = w[k,...] * gamma[k] / sqrt(variance[k] + epsilon), folded_bias = beta - mean * (the same factor).
template <class T>
void batch_norm_fold(Stream stream, View<const float> w, BatchNormParams p, float epsilon, View<T> folded_w,
                     float* folded_bias);

namespace cuda {
template <class T>
void batch_norm_moments(Stream, View<const T> x, BatchNormRuns runs, float* moments);
template <class T>
void batch_norm_forward(Stream, View<const T> x, BatchNormParams p, BatchNorm how, View<const T> residual, View<T> y,
                        View<float> saved, BatchNormMoments moments);
/// partial: 2 floats per run and channel; mean_gradient: 2 per channel.
template <class T>
void batch_norm_backward(Stream, View<const T> x, View<const T> y, View<const T> dy, View<const float> saved,
                         const float* gamma, BatchNorm how, View<T> dx, View<T> dresidual, float* dgamma, float* dbeta,
                         float* partial, float* mean_gradient);
template <class T>
void batch_norm_fold(Stream, View<const float> w, BatchNormParams p, float epsilon, View<T> folded_w,
                     float* folded_bias);
}  // namespace cuda

}  // namespace star
