// Additions, ReLU's gradient and conversions: one pass over memory each.
#pragma once
#include "kernels/device.h"

namespace star {

// T is float or bf16; all views of one shape. Overwrites its output, which may be the memory of any input.
// Queued on `stream`. Throws Error if the shapes differ.

/// y = a + b, then max(., 0) if relu
template <class T>
void add(Stream stream, View<const T> a, View<const T> b, bool relu, View<T> y);

/// dx = dy where y > 0, else 0: the gradient of dot(dy, max(x, 0)) with y = max(x, 0).
template <class T>
void relu_backward(Stream stream, View<const T> y, View<const T> dy, View<T> dx);

/// y = max(x, 0); NaN stays NaN.
template <class T>
void relu_forward(Stream stream, View<const T> x, View<T> y);

/// to = from, rounded to nearest even or widened. A and B are float or bf16; one memory only where A is B.
template <class A, class B>
void convert(Stream stream, View<const A> from, View<B> to);

namespace cuda {
template <class T>
void add(Stream, View<const T> a, View<const T> b, bool relu, View<T> y);
template <class T>
void relu_backward(Stream, View<const T> y, View<const T> dy, View<T> dx);
template <class T>
void relu_forward(Stream, View<const T> x, View<T> y);
template <class A, class B>
void convert(Stream, View<const A> from, View<B> to);
}  // namespace cuda

}  // namespace star
