// The convolution's gradients on a GPU, between canaries: cuda_conv_gradients.cpp compares them with references,
// emulated_conv.cpp runs them in all orders.
#pragma once
#include "tests/cuda_cases.h"

namespace star::test {

/// The gradients' inputs; dw and dbias start with numbers that must be added to.
template <class T>
struct GradientInputs {
    std::vector<T> x, w, dy;
    std::vector<float> dw, dbias;
    explicit GradientInputs(const ConvCase& c, std::uint64_t seed = 1)
        : x(reference::uniform_values<T>(c.x.size(), seed)),
          w(reference::uniform_values<T>(c.w().size(), seed + 1)),
          dy(reference::uniform_values<T>(c.y().size(), seed + 2)),
          dw(reference::uniform_values<float>(c.w().size(), seed + 3)),
          dbias(reference::uniform_values<float>(c.k, seed + 4)) {}
};

/// An input that begins `shift` elements behind an aligned address.
template <class T>
class Shifted {
public:
    Shifted(Stream stream, const std::vector<T>& values, int shift)
        : stream_(stream), values_(values), shift_(shift), buffer_(upload(stream, padded(values, shift))) {}
    const T* data() const { return buffer_.data() + shift_; }
    bool unchanged() const { return same_bits(download(stream_, data(), std::int64_t(values_.size())), values_); }

private:
    static std::vector<T> padded(std::vector<T> v, int shift) {
        v.insert(v.begin(), std::size_t(shift), narrow<T>(0));
        return v;
    }
    Stream stream_;
    const std::vector<T>& values_;
    int shift_;
    Buffer<T> buffer_;
};

template <class T>
std::vector<T> input_gradient_on_gpu(Stream stream, const ConvCase& c, const GradientInputs<T>& in, int shift = 0) {
    const Shifted<T> dy(stream, in.dy, shift), w(stream, in.w, shift);
    const Output<T> dx(stream, c.x.size() + shift);
    const Output<std::byte> workspace(stream, cuda::conv_backward_input_workspace(stream, c.x, c.w(), c.how));
    cuda::conv_backward_input<T>(stream, {dy.data(), c.y()}, {w.data(), c.w()}, c.how, {dx.data() + shift, c.x},
                                 workspace.data());
    synchronize(stream);
    require(dx.intact() && workspace.intact(), "conv_backward_input wrote outside dx and its workspace");
    require(dy.unchanged() && w.unchanged(), "conv_backward_input changed its inputs");
    return download(stream, static_cast<const T*>(dx.data()) + shift, c.x.size());
}

struct WeightGradient {
    std::vector<float> dw, dbias;
    bool operator==(const WeightGradient& o) const { return same_bits(dw, o.dw) && same_bits(dbias, o.dbias); }
};

/// dbias stays as it was without c.bias.
template <class T>
WeightGradient weight_gradient_on_gpu(Stream stream, const ConvCase& c, const GradientInputs<T>& in, int shift = 0) {
    const Shifted<T> x(stream, in.x, shift), dy(stream, in.dy, shift);
    const Output<float> dw(stream, c.w()), dbias(stream, c.k);
    copy_to_device(stream, dw.data(), in.dw.data(), in.dw.size() * sizeof(float));
    copy_to_device(stream, dbias.data(), in.dbias.data(), in.dbias.size() * sizeof(float));
    const Output<std::byte> workspace(stream, cuda::conv_backward_weight_workspace(stream, c.x, c.w(), c.how));
    cuda::conv_backward_weight<T>(stream, {x.data(), c.x}, {dy.data(), c.y()}, c.how, {dw.data(), c.w()},
                                  c.bias ? dbias.data() : nullptr, workspace.data());
    synchronize(stream);
    require(dw.intact() && dbias.intact() && workspace.intact(), "conv_backward_weight wrote outside its outputs");
    require(x.unchanged() && dy.unchanged(), "conv_backward_weight changed its inputs");
    return {dw.values(), dbias.values()};
}

}  // namespace star::test
