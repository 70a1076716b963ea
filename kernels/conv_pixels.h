// What the convolution and its input gradient are on a GPU: for each pixel of a grid and each channel, a sum over the
// taps and channels of a source. Internal to kernels/conv_*.cu.
#pragma once
#include "kernels/conv_plan.h"

namespace star::cuda {

/// One grid of pixels (conv_plan.h), at least one pixel and one tap, and its weights (out.c, taps_h, taps_w, source.c).
template <class T>
struct ConvPhase {
    ConvGrid grid;
    const T* w;
};

/// out(pixel, k) = bias[k] + residual(pixel, k) + the sum, then max(., 0) if relu, rounded once to T; other pixels of
/// `out` stay. Moments are asked for only where one phase is all of `out`. Every phase has the same source and out.
/// Each sum is taken in order of depth, d = (r * taps_w + s) * source.c + c, in `splits` parts that are added in order.
template <class T>
struct ConvPixels {
    static constexpr int most_phases = 4;
    const T* source;
    T* out;
    ConvEnd<T> end;
    bool relu;
    int phases;
    ConvPhase<T> phase[most_phases];
    int splits;      ///< conv_splits()
    float* partial;  ///< conv_partial_bytes()
};

/// Into how many parts the sums are cut where one image has few pixels and channels: a function of the shapes of one
/// image alone. depth: of the deepest sum.
int conv_splits(Shape out, int depth);
/// Bytes of workspace for those parts; 0 for one.
std::int64_t conv_partial_bytes(Shape out, int splits);

template <class T>
void conv_pixels(Stream, const ConvPixels<T>&);

}  // namespace star::cuda
