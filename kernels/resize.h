// Enlarging an image by a whole factor, for networks that want stars bigger than the telescope made them.
#pragma once
#include "kernels/device.h"

namespace star {

/// Bilinear, pixel centres at half integers, edges repeated (PyTorch's interpolate with align_corners = false):
/// y[n,i,j,c] from x at row (i + 0.5) / factor - 0.5, likewise the column, clamped to the image.
///   x  (N,H,W,C) T;  y (N,factor H,factor W,C) T, overwritten.  factor = 1 copies.
/// Queued on `stream`. Throws Error if the shapes disagree.
template <class T>
void enlarge(Stream stream, View<const T> x, int factor, View<T> y);

namespace cuda {
template <class T>
void enlarge(Stream, View<const T> x, int factor, View<T> y);
}  // namespace cuda

}  // namespace star
