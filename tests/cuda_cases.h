// Convolutions and focal losses to run: cuda_*.cpp compares them with references, emulated_*.cpp runs them in all
// orders.
#pragma once
#include "kernels/conv.h"
#include "kernels/focal.h"
#include "kernels/match.h"
#include "tests/cuda_support.h"

namespace star::test {

struct ConvCase {
    Shape x;  // N,H,W,C
    int k, r, s;
    Conv how{};
    bool bias = true;
    Shape w() const { return {k, r, s, x.c}; }
    Shape y() const { return conv_shape(x, w(), how); }
};

/// The inputs of a case; the same for the same seed.
template <class T>
struct ConvInputs {
    std::vector<T> x, w;
    std::vector<float> bias;
    explicit ConvInputs(const ConvCase& c, std::uint64_t seed = 1)
        : x(reference::uniform_values<T>(c.x.size(), seed)),
          w(reference::uniform_values<T>(c.w().size(), seed + 1)),
          bias(reference::uniform_values<float>(c.bias ? c.k : 0, seed + 2)) {}
};

/// The kernel's result. The inputs begin `shift` elements behind an aligned address.
template <class T>
std::vector<T> conv_on_gpu(Stream stream, const ConvCase& c, const ConvInputs<T>& in, int shift = 0) {
    const auto shifted = [&](std::vector<T> v) {
        v.insert(v.begin(), std::size_t(shift), narrow<T>(0));
        return upload(stream, v);
    };
    const Buffer<T> x = shifted(in.x), w = shifted(in.w);
    const Buffer<float> bias = upload(stream, in.bias);
    const Output<T> y(stream, c.y());
    const Output<std::byte> workspace(stream, cuda::conv_forward_workspace(stream, c.x, c.w(), c.how));
    cuda::conv_forward<T>(stream, {x.data() + shift, c.x}, {w.data() + shift, c.w()}, bias.data(), c.how,
                          {y.data(), c.y()}, workspace.data());
    synchronize(stream);
    require(y.intact() && workspace.intact(), "conv_forward wrote outside y and its workspace");
    require(same_bits(download(stream, static_cast<const T*>(x.data()) + shift, c.x.size()), in.x),
            "conv_forward changed x");
    return y.values();
}

struct FocalCase {
    Shape logits;
    Focal how;
};

template <class T>
struct FocalInputs {
    std::vector<T> logits;
    std::vector<std::int8_t> labels;
    std::int64_t stride;
    std::vector<int> positives;
    explicit FocalInputs(const FocalCase& c, std::uint64_t seed = 1) : logits(std::size_t(c.logits.size())) {
        Random random(seed, 5);
        const Shape s = c.logits;
        for (auto& z : logits) z = narrow<T>(float(6 * random.normal()));
        const float extremes[] = {90, -90, 1e30f, -1e30f, 0, -0.0f};
        for (std::size_t i = 0; i < 6 && i < logits.size() / 8; ++i) logits[i] = narrow<T>(extremes[i]);
        stride = std::int64_t{s.h} * s.w * c.how.per_cell + 3;  // other levels' anchors lie between
        labels.assign(std::size_t(stride * s.n), label_ignored);
        for (auto& l : labels) {
            const double u = random.uniform();
            l = u < 0.1 ? label_ignored : u < 0.7 ? label_background : std::int8_t(random.uniform() * c.how.classes);
        }
        for (int n = 0; n < s.n; ++n) positives.push_back(n % 3 == 1 ? 0 : 1 + int(random.uniform() * 40));
    }
};

template <class T>
struct FocalResult {
    std::vector<T> dlogits;
    float loss;
    bool operator==(const FocalResult& o) const {
        return same_bits(dlogits, o.dlogits) && std::memcmp(&loss, &o.loss, sizeof loss) == 0;
    }
};

/// The kernel's result; in place: dlogits is the logits' memory.
template <class T>
FocalResult<T> focal_on_gpu(Stream stream, const FocalCase& c, const FocalInputs<T>& in, bool in_place = false) {
    const Buffer<T> z = upload(stream, in.logits);
    const Buffer<std::int8_t> labels = upload(stream, in.labels);
    const Buffer<int> positives = upload(stream, in.positives);
    const Output<T> d(stream, c.logits);
    const Output<float> loss(stream, 1), partial(stream, focal_blocks);
    T* to = in_place ? z.data() : d.data();
    cuda::focal_loss<T>(stream, {z.data(), c.logits}, labels.data(), in.stride, positives.view({1, 1, 1, c.logits.n}),
                        c.how, {to, c.logits}, loss.data(), partial.data());
    synchronize(stream);
    require(d.intact() && loss.intact() && partial.intact(), "focal_loss wrote outside its outputs");
    return {download(stream, static_cast<const T*>(to), c.logits.size()), loss.values()[0]};
}

}  // namespace star::test
