// Two-dimensional convolution and its two gradients, as implicit matrix products.
#pragma once
#include "kernels/batch_norm.h"

namespace star {

struct Conv {
    int stride = 1, pad = 0;
    bool relu = false;  ///< forward only: y = max(y, 0) before it is rounded
};

/// What becomes of a sum on its way to y, and what is told of y besides: what would else be passes over memory of their
/// own. Made from a bias alone where one is expected.
template <class T>
struct ConvEnd {
    const float* bias;       ///< (K), or null for none
    View<const T> residual;  ///< of y's shape, not y's memory: added behind the bias; data = null for none
    float* moments;          ///< overwritten with batch_norm_moments() of y in conv_runs(y); null for none

    ConvEnd(const float* bias = nullptr, View<const T> residual = {}, float* moments = nullptr)
        : bias(bias), residual(residual), moments(moments) {}
};

/// The runs of y's pixels whose moments are found with it: a GPU's tiles of pixels.
constexpr BatchNormRuns conv_runs(Shape y) { return batch_norm_runs(y, 128); }

/// The shape of y for x (N,H,W,C) and w (K,R,S,C).
constexpr Shape conv_shape(Shape x, Shape w, Conv how) {
    return {x.n, (x.h + 2 * how.pad - w.h) / how.stride + 1, (x.w + 2 * how.pad - w.w) / how.stride + 1, w.n};
}

// T is float or bf16. All data on the stream's device, contiguous; queued on `stream`, does not wait. Products and sums
// in float; every output element is a sum in an order that depends on the per-image shapes alone, never on N, on the
// threads or on the load: equal inputs give equal bits, and an image gives the same bits in any batch.
// Throws Error if the shapes disagree, an extent is below 1, or stride < 1, pad < 0.
// Temporary memory comes from `scratch` and is back when the call returns.

/// y[n,i,j,k] = bias[k] + residual[n,i,j,k] + sum_{r,s,c} x[n, i*stride - pad + r, j*stride - pad + s, c] * w[k,r,s,c]
/// with x = 0 outside the image; then max(., 0) if how.relu;
/// rounded once to T.
///   x     (N,H,W,C)   any C >= 1
///   w     (K,R,S,C)
///   end   or a bias alone
///   y     (N,I,J,K)   overwritten; conv_shape()
template <class T>
void conv_forward(Stream stream, View<const T> x, View<const T> w, ConvEnd<T> end, Conv how, View<T> y, Arena& scratch);

/// The gradient by x of dot(dy, conv_forward(x)) without ReLU:
/// dx[n,h,v,c] = sum_{k,r,s} dy[n,i,j,k] * w[k,r,s,c] over all i,j with i*stride - pad + r = h, j*stride - pad + s = v.
///   dy  (N,I,J,K)   already multiplied by the ReLU's derivative (relu_backward)
///   dx  (N,H,W,C)   overwritten; its shape is x's
template <class T>
void conv_backward_input(Stream stream, View<const T> dy, View<const T> w, Conv how, View<T> dx, Arena& scratch);

/// The gradients by w and bias of dot(dy, conv_forward(x)) without ReLU, *added* to dw and dbias:
/// dw[k,r,s,c] += sum_{n,i,j} dy[n,i,j,k] * x[n, i*stride - pad + r, j*stride - pad + s, c],  dbias[k] += sum
/// dy[n,i,j,k]. Images are summed one after the other, in order.
///   dw     (K,R,S,C)  float
///   dbias  (K)        float, or null for none
template <class T>
void conv_backward_weight(Stream stream, View<const T> x, View<const T> dy, Conv how, View<float> dw, float* dbias,
                          Arena& scratch);

namespace cpu {
template <class T>
void conv_forward(Stream, View<const T> x, View<const T> w, ConvEnd<T> end, Conv how, View<T> y, std::byte* workspace);
template <class T>
void conv_backward_input(Stream, View<const T> dy, View<const T> w, Conv how, View<T> dx, std::byte* workspace);
template <class T>
void conv_backward_weight(Stream, View<const T> x, View<const T> dy, Conv how, View<float> dw, float* dbias,
                          std::byte* workspace);
/// Bytes of workspace that each of the three takes.
std::int64_t conv_forward_workspace(Stream, Shape x, Shape w, Conv how);
std::int64_t conv_backward_input_workspace(Stream, Shape x, Shape w, Conv how);
std::int64_t conv_backward_weight_workspace(Stream, Shape x, Shape w, Conv how);
}  // namespace cpu
namespace cuda {
/// Tensor cores for bf16, plain FMA for float.
template <class T>
void conv_forward(Stream, View<const T> x, View<const T> w, ConvEnd<T> end, Conv how, View<T> y, std::byte* workspace);
template <class T>
void conv_backward_input(Stream, View<const T> dy, View<const T> w, Conv how, View<T> dx, std::byte* workspace);
template <class T>
void conv_backward_weight(Stream, View<const T> x, View<const T> dy, Conv how, View<float> dw, float* dbias,
                          std::byte* workspace);
/// Bytes of workspace, 256-byte aligned, that each of the three takes.
std::int64_t conv_forward_workspace(Stream, Shape x, Shape w, Conv how);
std::int64_t conv_backward_input_workspace(Stream, Shape x, Shape w, Conv how);
std::int64_t conv_backward_weight_workspace(Stream, Shape x, Shape w, Conv how);
}  // namespace cuda

}  // namespace star
