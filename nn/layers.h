// The layers: structs of parameters with forward and backward. Forward is const; what backward needs goes into a Saved
// struct that the caller owns, one per call. Inference passes none.
#pragma once
#include <cmath>

#include "kernels/batch_norm.h"
#include "kernels/conv.h"
#include "kernels/elementwise.h"
#include "nn/params.h"

namespace star {

/// What one sweep through the network needs; handed down, never stored.
struct Pass {
    Stream stream;
    Arena& activations;  ///< holds what Saved refers to, until the backward sweep is over
    Arena& scratch;      ///< stack discipline: everything taken in a call is back when it returns
    enum class Norm {
        batch,   ///< batch statistics, running ones updated
        frozen,  ///< running statistics
        folded   ///< batch norm folded into the convolutions (fold() was called after loading)
    } norm = Norm::batch;
};

/// A convolution's weight (K,R,S,C) for `out` and `in` channels, padded in memory.
inline Param conv_weight(int in, int out, int size, Start start) {
    return {{padded_channels(out), size, size, padded_channels(in)},
            {out, size, size, in},
            Run::decayed,
            start,
            {},
            {},
            {}};
}

inline Param per_channel(int channels, Run run, float value) {
    return {{1, 1, 1, padded_channels(channels)}, {1, 1, 1, channels}, run, {Start::By::constant, value}, {}, {}, {}};
}

/// Kaiming's normal start for ReLU networks, over outputs (He et al. 2015), as torchvision's ResNet has it.
inline Start kaiming_normal(int out, int size) {
    return {Start::By::normal, std::sqrt(2.0f / (float(out) * float(size) * float(size)))};
}

/// Memory for one call: kept for the backward sweep, or given back when the call returns.
class CallMemory {
public:
    CallMemory(const Pass& pass, bool keep)
        : arena_(keep ? pass.activations : pass.scratch), mark_(arena_.mark()), keep_(keep) {}
    ~CallMemory() {
        if (!keep_) arena_.release(mark_);
    }
    CallMemory(const CallMemory&) = delete;
    CallMemory& operator=(const CallMemory&) = delete;
    template <class T>
    View<T> take(Shape shape) {
        return arena_.take<T>(shape);
    }

private:
    Arena& arena_;
    std::int64_t mark_;
    bool keep_;
};

/// Convolution with bias and optional ReLU.
struct ConvLayer {
    Param weight, bias;
    Conv how;

    ConvLayer(int in, int out, int size, Conv how, Start start, float first_bias = 0)
        : weight(conv_weight(in, out, size, start)), bias(per_channel(out, Run::plain, first_bias)), how(how) {}

    template <class T>
    struct Saved {
        View<const T> x, y;
    };

    Shape shape(Shape x) const { return conv_shape(x, weight.shape, how); }

    /// y = conv(x) [ReLU];  y (shape(x)), overwritten
    template <class T>
    void forward(const Pass& pass, View<const T> x, View<T> y, Saved<T>* saved) const {
        if (saved) *saved = {x, y};
        conv_forward<T>(pass.stream, x, weight.as<T>(), bias.value.data, how, y, pass.scratch);
    }
    /// Adds to the parameters' gradients; dx overwritten unless its data is null.
    template <class T>
    void backward(const Pass& pass, View<const T> dy, const Saved<T>& saved, View<T> dx) const {
        const Arena::Scope scope(pass.scratch);
        if (how.relu) {
            const auto masked = pass.scratch.take<T>(dy.shape);
            relu_backward<T>(pass.stream, saved.y, dy, masked);
            dy = masked;
        }
        conv_backward_weight<T>(pass.stream, saved.x, dy, how, weight.grad, bias.grad.data, pass.scratch);
        if (dx.shape.size()) conv_backward_input<T>(pass.stream, dy, weight.as<T>(), how, dx, pass.scratch);
    }
    void params(const VisitParam& visit, const std::string& name) {
        visit(name + ".weight", weight);
        visit(name + ".bias", bias);
    }
};

inline constexpr Shape nothing{0, 0, 0, 0};  ///< the shape of a gradient nobody wants

/// Convolution, batch norm, an optional residual, an optional ReLU.
struct ConvNorm {
    Param weight, gamma, beta, mean, variance, folded_weight, folded_bias;
    Conv how;
    BatchNorm norm;

    ConvNorm(int in, int out, int size, Conv how, bool relu, float epsilon, float first_gamma = 1)
        : weight(conv_weight(in, out, size, kaiming_normal(out, size))),
          gamma(per_channel(out, Run::plain, first_gamma)),
          beta(per_channel(out, Run::plain, 0)),
          mean(per_channel(out, Run::running, 0)),
          variance(per_channel(out, Run::running, 1)),
          folded_weight(conv_weight(in, out, size, {})),
          folded_bias(per_channel(out, Run::derived, 0)),
          how(how) {
        folded_weight.run = Run::derived;
        norm.relu = relu;
        norm.epsilon = epsilon;
    }

    template <class T>
    struct Saved {
        View<const T> x, z, y;         // input, convolved, output
        View<const float> statistics;  // (2,1,1,K): mean and 1/std
    };

    Shape shape(Shape x) const { return conv_shape(x, weight.shape, how); }

    /// y = norm(conv(x)) [+ residual] [ReLU];  y overwritten; residual.data null for none
    template <class T>
    void forward(const Pass& pass, View<const T> x, View<const T> residual, View<T> y, Saved<T>* saved) const {
        const bool has_residual = residual.shape == y.shape;
        if (pass.norm == Pass::Norm::folded) {
            Conv fused = how;
            fused.relu = norm.relu;
            conv_forward<T>(pass.stream, x, folded_weight.as<T>(),
                            {folded_bias.value.data, has_residual ? residual : View<const T>{}}, fused, y,
                            pass.scratch);
            return;
        }
        CallMemory memory(pass, saved);
        const auto z = memory.take<T>(y.shape);
        const auto statistics = memory.take<float>(Shape{2, 1, 1, y.shape.c});
        const Arena::Scope scope(pass.scratch);
        BatchNormMoments moments;
        ConvEnd<T> end;
        if (pass.norm == Pass::Norm::batch) {
            moments.runs = conv_runs(z.shape);
            moments.data = end.moments = pass.scratch.take<float>(moments.runs.count * 3 * z.shape.c).data;
        }
        conv_forward<T>(pass.stream, x, weight.as<T>(), end, how, z, pass.scratch);
        batch_norm_forward<T>(pass.stream, z, values(), mode(pass), residual, y, statistics, pass.scratch, moments);
        if (saved) *saved = {x, z, y, statistics};
    }
    /// Adds to the parameters' gradients; dx and dresidual overwritten unless their shape is `nothing`.
    template <class T>
    void backward(const Pass& pass, View<const T> dy, const Saved<T>& saved, View<T> dx, View<T> dresidual) const {
        const Arena::Scope scope(pass.scratch);
        const auto dz = pass.scratch.take<T>(dy.shape);
        batch_norm_backward<T>(pass.stream, saved.z, saved.y, dy, saved.statistics, gamma.value.data, mode(pass), dz,
                               dresidual, gamma.grad.data, beta.grad.data, pass.scratch);
        conv_backward_weight<T>(pass.stream, saved.x, dz, how, weight.grad, nullptr, pass.scratch);
        if (dx.shape.size()) conv_backward_input<T>(pass.stream, dz, weight.as<T>(), how, dx, pass.scratch);
    }
    /// Computes the folded parameters from the others, for Pass::Norm::folded.
    template <class T>
    void fold(Stream stream) const {
        batch_norm_fold<float>(stream, weight.value, values(), norm.epsilon, folded_weight.value,
                               folded_bias.value.data);
        if constexpr (!std::is_same_v<T, float>) convert<float, T>(stream, folded_weight.value, folded_weight.rounded);
    }
    /// conv_name and norm_name: PyTorch keeps the two apart ("conv1", "bn1").
    void params(const VisitParam& visit, const std::string& conv_name, const std::string& norm_name) {
        visit(conv_name + ".weight", weight);
        visit(norm_name + ".weight", gamma);
        visit(norm_name + ".bias", beta);
        visit(norm_name + ".running_mean", mean);
        visit(norm_name + ".running_var", variance);
        visit(conv_name + ".folded_weight", folded_weight);
        visit(conv_name + ".folded_bias", folded_bias);
    }

private:
    BatchNormParams values() const { return {gamma.value.data, beta.value.data, mean.value.data, variance.value.data}; }
    BatchNorm mode(const Pass& pass) const {
        BatchNorm m = norm;
        m.frozen = pass.norm == Pass::Norm::frozen;
        return m;
    }
};

}  // namespace star
