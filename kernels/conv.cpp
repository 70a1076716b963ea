// The public convolution: checks shapes, takes the workspace, picks the device.
#include "kernels/conv.h"

#include "kernels/conv_simd_tables.h"
#include "kernels/dispatch.h"

namespace star {

template <>
const ConvKernels<float>& conv_kernels(Isa isa) {
    return of_isa(isa, baseline::conv_kernels_float, avx2::conv_kernels_float, avx512::conv_kernels_float);
}

template <>
const ConvKernels<bf16>& conv_kernels(Isa isa) {
    return of_isa(isa, baseline::conv_kernels_bf16, avx2::conv_kernels_bf16, avx512::conv_kernels_bf16);
}

namespace {

void check(const char* operation, Shape x, Shape w, Shape y, Conv how) {
    const auto text = [](Shape s) {
        std::ostringstream out;
        out << '(' << s.n << ',' << s.h << ',' << s.w << ',' << s.c << ')';
        return out.str();
    };
    const auto positive = [](Shape s) { return s.n >= 1 && s.h >= 1 && s.w >= 1 && s.c >= 1; };
    require(how.stride >= 1 && how.pad >= 0, operation, ": stride ", how.stride, ", pad ", how.pad);
    require(positive(x) && positive(w) && positive(y) && x.c == w.c && x.h + 2 * std::int64_t{how.pad} >= w.h &&
                x.w + 2 * std::int64_t{how.pad} >= w.w && y == conv_shape(x, w, how),
            operation, ": x ", text(x), ", w ", text(w), ", y ", text(y), ", stride ", how.stride, ", pad ", how.pad);
    require(std::int64_t{w.h} * w.w * std::max(w.c, w.n) < INT32_MAX / 2 && std::int64_t{y.h} * y.w < INT32_MAX / 2,
            operation, ": too large: w ", text(w), ", y ", text(y));
}

}  // namespace

template <class T>
void conv_forward(Stream stream, View<const T> x, View<const T> w, ConvEnd<T> end, Conv how, View<T> y,
                  Arena& scratch) {
    check("conv_forward", x.shape, w.shape, y.shape, how);
    require(!end.residual.data || (end.residual.shape == y.shape && end.residual.data != y.data),
            "conv_forward: the residual isn't of y's shape, or is y's memory");
    const Arena::Scope scope(scratch);
    const auto bytes =
        measure<cpu::conv_forward_workspace, cuda::conv_forward_workspace>(stream, x.shape, w.shape, how);
    std::byte* workspace = scratch.take<std::byte>(bytes).data;
    on<cpu::conv_forward<T>, cuda::conv_forward<T>>(stream, x, w, end, how, y, workspace);
}

template <class T>
void conv_backward_input(Stream stream, View<const T> dy, View<const T> w, Conv how, View<T> dx, Arena& scratch) {
    check("conv_backward_input", dx.shape, w.shape, dy.shape, how);
    const Arena::Scope scope(scratch);
    const auto bytes = measure<cpu::conv_backward_input_workspace, cuda::conv_backward_input_workspace>(
        stream, dx.shape, w.shape, how);
    std::byte* workspace = scratch.take<std::byte>(bytes).data;
    on<cpu::conv_backward_input<T>, cuda::conv_backward_input<T>>(stream, dy, w, how, dx, workspace);
}

template <class T>
void conv_backward_weight(Stream stream, View<const T> x, View<const T> dy, Conv how, View<float> dw, float* dbias,
                          Arena& scratch) {
    check("conv_backward_weight", x.shape, dw.shape, dy.shape, how);
    const Arena::Scope scope(scratch);
    const auto bytes = measure<cpu::conv_backward_weight_workspace, cuda::conv_backward_weight_workspace>(
        stream, x.shape, dw.shape, how);
    std::byte* workspace = scratch.take<std::byte>(bytes).data;
    on<cpu::conv_backward_weight<T>, cuda::conv_backward_weight<T>>(stream, x, dy, how, dw, dbias, workspace);
}

template void conv_forward(Stream, View<const float>, View<const float>, ConvEnd<float>, Conv, View<float>, Arena&);
template void conv_forward(Stream, View<const bf16>, View<const bf16>, ConvEnd<bf16>, Conv, View<bf16>, Arena&);
template void conv_backward_input(Stream, View<const float>, View<const float>, Conv, View<float>, Arena&);
template void conv_backward_input(Stream, View<const bf16>, View<const bf16>, Conv, View<bf16>, Arena&);
template void conv_backward_weight(Stream, View<const float>, View<const float>, Conv, View<float>, float*, Arena&);
template void conv_backward_weight(Stream, View<const bf16>, View<const bf16>, Conv, View<float>, float*, Arena&);

}  // namespace star
