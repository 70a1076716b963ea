// The top-down step of a feature pyramid (Lin et al. 2017, CVPR): nearest upsampling plus the lateral connection.
#pragma once
#include "kernels/device.h"

namespace star {

/// y[n,h,w,c] = lateral[n,h,w,c] + coarse[n, floor(h * Hc / H), floor(w * Wc / W), c]
///   coarse   (N,Hc,Wc,C);  Hc <= H, Wc <= W  (PyTorch's nearest interpolation, in exact integers)
///   lateral  (N,H,W,C)
///   y        (N,H,W,C), overwritten; may be lateral's memory
template <class T>
void upsample_add(Stream stream, View<const T> coarse, View<const T> lateral, View<T> y);

/// dcoarse, overwritten: the gradient by coarse of dot(dy, y); the one by lateral is dy itself. Sums in float in the
/// order of h,w, rounded once.
template <class T>
void upsample_add_backward(Stream stream, View<const T> dy, View<T> dcoarse);

namespace cuda {
template <class T>
void upsample_add(Stream, View<const T> coarse, View<const T> lateral, View<T> y);
template <class T>
void upsample_add_backward(Stream, View<const T> dy, View<T> dcoarse);
}  // namespace cuda

}  // namespace star
