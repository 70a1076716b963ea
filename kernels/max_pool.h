// Maximum over windows (the pool of ResNet's stem).
#pragma once
#include "kernels/device.h"

namespace star {

struct MaxPool {
    int size = 3, stride = 2, pad = 1;
};

constexpr Shape max_pool_shape(Shape x, MaxPool how) {
    return {x.n, (x.h + 2 * how.pad - how.size) / how.stride + 1, (x.w + 2 * how.pad - how.size) / how.stride + 1, x.c};
}

/// y[n,i,j,c] = max over r,s < size of x[n, i*stride - pad + r, j*stride - pad + s, c] inside the image.
///   from  (N,I,J,C) uint8, overwritten: r*size + s of the first maximum; null data for none. size <= 16
/// NaN wins over numbers. Throws Error if a window could lie outside the image entirely (pad > size / 2), is larger
/// than the padded image, or shapes disagree.
template <class T>
void max_pool_forward(Stream stream, View<const T> x, MaxPool how, View<T> y, View<std::uint8_t> from);

/// dx, overwritten: the gradient of dot(dy, max_pool_forward(x)): each dy goes to the element that was taken. Sums in
/// float over windows in the order of i,j, rounded once.
template <class T>
void max_pool_backward(Stream stream, View<const T> dy, View<const std::uint8_t> from, MaxPool how, View<T> dx);

namespace cuda {
template <class T>
void max_pool_forward(Stream, View<const T> x, MaxPool how, View<T> y, View<std::uint8_t> from);
template <class T>
void max_pool_backward(Stream, View<const T> dy, View<const std::uint8_t> from, MaxPool how, View<T> dx);
}  // namespace cuda

}  // namespace star
