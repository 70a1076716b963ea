// Convolution forward on a GPU: one grid of pixels, whose weights are w as they lie.
#include "kernels/conv_pixels.h"
#include "kernels/simt.h"

namespace star::cuda {
namespace {

int splits(Shape w, Shape y) { return conv_splits(y, w.h * w.w * w.c); }

}  // namespace

template <class T>
void conv_forward(Stream stream, View<const T> x, View<const T> w, ConvEnd<T> end, Conv how, View<T> y,
                  std::byte* workspace) {
    ConvPixels<T> q{
        x.data, y.data, end, how.relu, 1, {}, splits(w.shape, y.shape), reinterpret_cast<float*>(workspace)};
    q.phase[0] = {forward_grid(x.shape, w.shape, how), w.data};
    conv_pixels(stream, q);
}
template void conv_forward(Stream, View<const float>, View<const float>, ConvEnd<float>, Conv, View<float>, std::byte*);
template void conv_forward(Stream, View<const bf16>, View<const bf16>, ConvEnd<bf16>, Conv, View<bf16>, std::byte*);

std::int64_t conv_forward_workspace(Stream, Shape x, Shape w, Conv how) {
    const Shape y = conv_shape(x, w, how);
    return conv_partial_bytes(y, splits(w, y));
}

}  // namespace star::cuda
