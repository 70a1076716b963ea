// The convolution and its gradients in double precision: plain loops, the definition that kernels/conv.h writes down.
// Each result comes with the bound of a float implementation that rounds its result once to T.
#pragma once
#include "kernels/conv.h"
#include "tests/reference/compare.h"

namespace star::reference {

/// Calls f(output element, x element, w element) for every product of the convolution.
template <class F>
void for_each_product(Shape x, Shape w, Conv how, F f) {
    const Shape y = conv_shape(x, w, how);
    std::int64_t out = 0;
    for (int n = 0; n < y.n; ++n)
        for (int i = 0; i < y.h; ++i)
            for (int j = 0; j < y.w; ++j)
                for (int k = 0; k < y.c; ++k, ++out)
                    for (int r = 0; r < w.h; ++r)
                        for (int s = 0; s < w.w; ++s) {
                            const int h = i * how.stride - how.pad + r, v = j * how.stride - how.pad + s;
                            if (h < 0 || h >= x.h || v < 0 || v >= x.w) continue;
                            const std::int64_t at = ((std::int64_t{n} * x.h + h) * x.w + v) * x.c;
                            const std::int64_t weight = ((std::int64_t{k} * w.h + r) * w.w + s) * w.c;
                            for (int c = 0; c < x.c; ++c) f(out, at + c, weight + c);
                        }
}

/// Sums of products, and of their sizes.
struct Sums {
    std::vector<double> value, size;
    explicit Sums(std::int64_t count) : value(static_cast<std::size_t>(count)), size(value) {}
    void add(std::int64_t at, double a, double b = 1) {
        value[std::size_t(at)] += a * b, size[std::size_t(at)] += std::fabs(a * b);
    }
    /// Sums that took at most `terms` roundings each in float, then one to T.
    template <class T>
    std::vector<Bounded> bounded(double terms) const {
        std::vector<Bounded> all(value.size());
        for (std::size_t i = 0; i < all.size(); ++i) all[i] = sum_of_products<T>(value[i], size[i], terms);
        return all;
    }
};

template <class T>
double number(T v) {
    if constexpr (std::is_same_v<T, bf16>)
        return widen(v);
    else
        return v;
}

/// T: double (the definition itself), float or bf16. bias may be null.
template <class T>
Sums conv_forward_sums(const T* x, Shape x_shape, const T* w, Shape w_shape, const double* bias, Conv how) {
    const Shape y = conv_shape(x_shape, w_shape, how);
    Sums sums(y.size());
    for_each_product(x_shape, w_shape, how, [&](std::int64_t out, std::int64_t a, std::int64_t b) {
        sums.add(out, number(x[a]), number(w[b]));
    });
    if (bias)
        for (std::int64_t i = 0; i < y.size(); ++i) sums.add(i, bias[i % y.c]);
    return sums;
}

template <class T>
std::vector<Bounded> conv_forward(const T* x, Shape x_shape, const T* w, Shape w_shape, const double* bias, Conv how) {
    auto all = conv_forward_sums(x, x_shape, w, w_shape, bias, how)
                   .template bounded<T>(w_shape.h * w_shape.w * w_shape.c + 2.0);
    if (how.relu)
        for (Bounded& b : all) b.value = b.value > 0 ? b.value : 0;  // brings no two numbers further apart
    return all;
}

template <class T>
Sums conv_backward_input_sums(const T* dy, const T* w, Shape x_shape, Shape w_shape, Conv how) {
    Sums sums(x_shape.size());
    for_each_product(x_shape, w_shape, how, [&](std::int64_t out, std::int64_t a, std::int64_t b) {
        sums.add(a, number(dy[out]), number(w[b]));
    });
    return sums;
}

template <class T>
std::vector<Bounded> conv_backward_input(const T* dy, const T* w, Shape x_shape, Shape w_shape, Conv how) {
    return conv_backward_input_sums(dy, w, x_shape, w_shape, how)
        .template bounded<T>(double(w_shape.h) * w_shape.w * w_shape.n + 2.0);
}

/// Added to what dw and dbias (may be null) held before.
template <class T>
Sums conv_backward_weight_sums(const T* x, const T* dy, Shape x_shape, Shape w_shape, Conv how, const float* before) {
    Sums sums(w_shape.size());
    if (before)
        for (std::int64_t i = 0; i < w_shape.size(); ++i) sums.add(i, before[i]);
    for_each_product(x_shape, w_shape, how, [&](std::int64_t out, std::int64_t a, std::int64_t b) {
        sums.add(b, number(dy[out]), number(x[a]));
    });
    return sums;
}

template <class T>
std::vector<Bounded> conv_backward_weight(const T* x, const T* dy, Shape x_shape, Shape w_shape, Conv how,
                                          const float* before) {
    const Shape y = conv_shape(x_shape, w_shape, how);
    return conv_backward_weight_sums(x, dy, x_shape, w_shape, how, before)
        .template bounded<float>(double(y.n) * y.h * y.w + 2.0);
}

template <class T>
std::vector<Bounded> conv_backward_bias(const T* dy, Shape y, const float* before) {
    Sums sums(y.c);
    for (int k = 0; k < y.c; ++k) sums.add(k, before[k]);
    for (std::int64_t i = 0; i < y.size(); ++i) sums.add(i % y.c, number(dy[i]));
    return sums.bounded<float>(double(y.n) * y.h * y.w + 2.0);
}

/// The shapes that every implementation of the convolution is tested with.
struct ConvCase {
    const char* name;
    Shape x;
    int k, r, s;
    Conv how;
    Shape w() const { return {k, r, s, x.c}; }
    Shape y() const { return conv_shape(x, w(), how); }
};

inline std::vector<ConvCase> conv_cases() {
    return {
        {"one of everything", {1, 1, 1, 1}, 1, 1, 1, {1, 0}},
        {"primes", {2, 7, 5, 3}, 11, 3, 3, {1, 1}},
        {"primes, stride 2", {3, 11, 13, 5}, 7, 3, 3, {2, 1}},
        {"stride 3, filter 2 by 5, wide pad", {1, 13, 17, 2}, 3, 2, 5, {3, 4}},
        {"pad beyond the filter", {1, 5, 4, 3}, 5, 1, 1, {1, 2}},
        {"stride beyond the filter", {2, 9, 8, 4}, 9, 2, 1, {4, 0}},
        {"the filter as large as the image", {1, 4, 5, 6}, 8, 4, 5, {1, 0}},
        {"one row of pixels", {1, 1, 29, 8}, 16, 1, 3, {1, 1}},
        {"just below a tile", {1, 1, 13, 15}, 31, 1, 1, {1, 0}},
        {"a tile", {1, 2, 7, 16}, 32, 1, 1, {1, 0}},
        {"just above a tile", {1, 3, 5, 17}, 33, 1, 1, {1, 0}},
        {"paper stem", {1, 21, 23, 1}, 64, 7, 7, {2, 3}},
        {"paper stem, three channels", {1, 20, 22, 3}, 64, 7, 7, {2, 3}},
        {"native stem", {2, 17, 16, 1}, 32, 3, 3, {1, 1}},
        {"native stem, second", {2, 16, 15, 32}, 48, 3, 3, {2, 1}},
        {"bottleneck, narrow", {1, 9, 8, 64}, 48, 1, 1, {1, 0}},
        {"bottleneck, wide", {2, 5, 6, 48}, 192, 1, 1, {1, 0}},
        {"bottleneck, stride 2", {1, 9, 10, 48}, 48, 3, 3, {2, 1}},
        {"shortcut, stride 2", {2, 7, 9, 64}, 128, 1, 1, {2, 0}},
        {"heads, deep sum", {1, 6, 5, 256}, 64, 3, 3, {1, 1}},
        {"class head", {1, 5, 5, 64}, 48, 3, 3, {1, 1}},
        {"box head", {1, 4, 4, 256}, 40, 3, 3, {1, 1}},
        {"5 by 5", {1, 8, 9, 24}, 24, 5, 5, {1, 2}},
        {"several chunks of pixels, several images", {2, 33, 32, 8}, 12, 3, 3, {1, 1}},
        {"whole tiles that lie side by side", {2, 12, 16, 64}, 40, 1, 1, {1, 0}},
        {"depth just below a block", {1, 4, 4, 255}, 16, 1, 1, {1, 0}},
        {"depth of a block", {1, 4, 4, 256}, 16, 1, 1, {1, 0}},
        {"depth just above a block", {1, 4, 4, 257}, 16, 1, 1, {1, 0}},
    };
}

}  // namespace star::reference
