// The CUDA convolution's gradients against plain loops in double precision, emulated and on a GPU.
#include "tests/cuda_conv_gradients.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tests/reference/conv.h"

using namespace star;
using namespace star::test;

namespace {

/// Roundings of a sum of `depth` products, as cuda_conv.cpp counts them, and of adding up `parts` of it.
template <class T>
double terms(double depth, double parts) {
    return (std::is_same_v<T, float> ? depth : 2 * (depth * 9 / 8 + parts)) + parts + 2;
}

template <class T>
int far(const std::vector<T>& got, const std::vector<reference::Bounded>& want, const char* name) {
    REQUIRE(got.size() == want.size());
    int bad = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
        if (reference::close(widen(got[i]), want[i]) || bad++) continue;
        MESSAGE(name, "[", i, "] = ", widen(got[i]), ", expected ", want[i].value, " within ", want[i].bound);
    }
    return bad;
}

template <class T>
void check(Stream stream, const ConvCase& c) {
    INFO("x ", c.x.n, " x ", c.x.h, " x ", c.x.w, " x ", c.x.c, ", w ", c.k, " x ", c.r, " x ", c.s, ", stride ",
         c.how.stride);
    const GradientInputs<T> in(c);
    const Shape y = c.y();
    const double deep = double(c.r) * c.s * c.k, pixels = double(y.h) * y.w;
    const auto dx = reference::conv_backward_input_sums(in.dy.data(), in.w.data(), c.x, c.w(), c.how)
                        .template bounded<T>(terms<T>(deep, 8));
    CHECK(far(input_gradient_on_gpu(stream, c, in), dx, "dx") == 0);

    // Chunks have 512 pixels at least; then images, and what dw held before.
    const double parts = std::ceil(pixels / 512) + y.n + 1;
    const reference::Sums dw =
        reference::conv_backward_weight_sums(in.x.data(), in.dy.data(), c.x, c.w(), c.how, in.dw.data());
    reference::Sums dbias(c.k);
    for (int k = 0; k < c.k; ++k) dbias.add(k, in.dbias[std::size_t(k)]);
    for (std::size_t i = 0; i < in.dy.size(); ++i) dbias.add(std::int64_t(i) % c.k, widen(in.dy[i]));
    const WeightGradient got = weight_gradient_on_gpu(stream, c, in);
    CHECK(far(got.dw, dw.bounded<float>(terms<T>(pixels, parts)), "dw") == 0);
    if (c.bias)
        CHECK(far(got.dbias, dbias.bounded<float>(terms<float>(pixels, parts)), "dbias") == 0);
    else
        CHECK(same_bits(got.dbias, in.dbias));
}

constexpr Conv same{1, 1}, half{2, 1}, point{1, 0};

// Around the tiles (128 or 64 by 128 or 64, 32 deep; 64, 64, 16 for float) and the phases of the stride, then the
// network's own.
const ConvCase cases[] = {
    {{1, 1, 1, 1}, 1, 1, 1, point},
    {{1, 1, 1, 8}, 1, 1, 1, point, false},
    {{1, 1, 31, 8}, 63, 1, 1, point},
    {{1, 1, 32, 128}, 64, 1, 1, point, false},
    {{1, 33, 1, 136}, 65, 1, 1, point},
    {{2, 5, 7, 31}, 7, 1, 1, point},
    {{2, 9, 11, 16}, 72, 3, 3, same, false},
    {{1, 16, 8, 24}, 128, 1, 1, point},
    {{3, 13, 8, 24}, 129, 3, 3, {2, 2}},
    {{1, 9, 12, 16}, 40, 3, 5, {1, 2}},
    {{1, 12, 5, 13}, 9, 7, 1, {3, 3}},   // nine phases
    {{2, 3, 3, 8}, 8, 1, 1, {1, 2}},     // dy beyond the image
    {{2, 7, 6, 8}, 16, 1, 1, {2, 0}},    // a phase with taps, three without
    {{1, 9, 11, 8}, 8, 2, 1, {4, 0}},    // stride beyond the filter
    {{1, 4, 6, 2}, 5, 4, 6, point},      // one output pixel
    {{1, 1, 1, 8}, 8, 3, 3, half},       // one input pixel: phases without pixels
    {{2, 23, 17, 1}, 64, 7, 7, {2, 3}},  // the stem
    {{1, 17, 19, 1}, 32, 3, 3, same},    // the other stem
    {{2, 9, 12, 1}, 24, 5, 8, {1, 3}},   // as wide as a line of one channel may be
    {{1, 9, 12, 1}, 72, 2, 9, {1, 4}},   // and wider
    {{1, 27, 41, 8}, 24, 3, 3, same},    // three chunks
    {{1, 9, 7, 64}, 96, 3, 3, half},
    {{1, 4, 5, 320}, 80, 1, 1, {1, 0}, false},
    {{1, 5, 4, 128}, 16, 3, 3, same},
    {{1, 3, 3, 64}, 256, 3, 3, same},  // dx's sums are cut
    {{1, 7, 5, 64}, 512, 1, 1, {2, 0}, false},
    {{2, 9, 8, 24}, 1, 3, 3, half},  // dx of one channel of dy
};

}  // namespace

TEST_CASE("the convolution's gradients on tensor cores are within the rounding of their sums") {
    if (gpu_missing()) return;
    Queue q;
    for (const ConvCase& c : cases) check<bf16>(q.stream, c);
    for (const auto& c : reference::conv_cases()) check<bf16>(q.stream, {c.x, c.k, c.r, c.s, c.how});
}

TEST_CASE("the convolution's gradients in float are within the rounding of their sums") {
    if (gpu_missing()) return;
    Queue q;
    for (const ConvCase& c : cases) check<float>(q.stream, c);
    for (const auto& c : reference::conv_cases()) check<float>(q.stream, {c.x, c.k, c.r, c.s, c.how});
}

TEST_CASE("an image has the same gradients in any batch, weight gradients add image by image, wherever the data lies") {
    if (gpu_missing()) return;
    Queue q;
    const auto run = [&]<class T>(T, ConvCase c) {
        const GradientInputs<T> in(c);
        const auto dx = input_gradient_on_gpu(q.stream, c, in);
        const auto dw = weight_gradient_on_gpu(q.stream, c, in);
        CHECK(same_bits(dx, input_gradient_on_gpu(q.stream, c, in, 1)));
        CHECK(dw == weight_gradient_on_gpu(q.stream, c, in, 1));
        const int images = c.x.n;
        c.x.n = 1;
        GradientInputs<T> one = in;
        for (int n = 0; n < images; ++n) {
            one.x.assign(in.x.begin() + n * c.x.size(), in.x.begin() + (n + 1) * c.x.size());
            one.dy.assign(in.dy.begin() + n * c.y().size(), in.dy.begin() + (n + 1) * c.y().size());
            const auto first = dx.begin() + n * c.x.size();
            CHECK(same_bits(std::vector<T>(first, first + c.x.size()), input_gradient_on_gpu(q.stream, c, one)));
            const auto sum = weight_gradient_on_gpu(q.stream, c, one);
            one.dw = sum.dw, one.dbias = sum.dbias;
        }
        CHECK(dw == WeightGradient{one.dw, one.dbias});
    };
    run(bf16{}, {{3, 9, 7, 40}, 72, 3, 3, half});
    run(0.0f, {{3, 9, 7, 40}, 72, 3, 3, half});
    run(bf16{}, {{2, 25, 23, 8}, 16, 3, 3, same});  // two chunks
    run(bf16{}, {{2, 11, 7, 1}, 16, 7, 7, {2, 3}});
    run(bf16{}, {{2, 3, 3, 8}, 256, 3, 3, same});  // sums of dx in parts
}

TEST_CASE("gradients of small integers are exact") {
    if (gpu_missing()) return;
    Queue q;
    const ConvCase c{{2, 11, 13, 24}, 24, 3, 3, half};
    GradientInputs<bf16> in(c);
    for (auto* v : {&in.x, &in.w, &in.dy})
        for (auto& e : *v) e = to_bf16(std::round(widen(e)));  // -1, 0, 1: sums of at most 216, which bf16 holds
    for (auto* v : {&in.dw, &in.dbias})
        for (auto& e : *v) e = std::round(8 * e);
    const auto dx = reference::conv_backward_input_sums(in.dy.data(), in.w.data(), c.x, c.w(), c.how);
    const auto dw = reference::conv_backward_weight_sums(in.x.data(), in.dy.data(), c.x, c.w(), c.how, in.dw.data());
    const auto got = input_gradient_on_gpu(q.stream, c, in);
    const auto weights = weight_gradient_on_gpu(q.stream, c, in);
    bool exact = true;
    for (std::size_t i = 0; i < got.size(); ++i) exact &= widen(got[i]) == dx.value[i];
    for (std::size_t i = 0; i < weights.dw.size(); ++i) exact &= weights.dw[i] == dw.value[i];
    CHECK(exact);
}

TEST_CASE("weight gradients whose sums don't fit the workspace at once") {
    if (gpu_missing()) return;
    Queue q;
    const ConvCase c{{3, 1, 1, 2048}, 2048, 1, 1, point};  // 16 MiB an image, of at most 32
    GradientInputs<bf16> in(c);
    CHECK(cuda::conv_backward_weight_workspace(q.stream, c.x, c.w(), c.how) < 3 * 2048 * 2048 * 4);
    for (auto* v : {&in.x, &in.dy})
        for (auto& e : *v) e = to_bf16(std::round(widen(e)));
    for (auto& e : in.dw) e = std::round(8 * e);
    const WeightGradient got = weight_gradient_on_gpu(q.stream, c, in);
    int bad = 0;
    for (std::size_t k = 0; k < 2048; ++k)
        for (std::size_t w = 0; w < 2048; ++w) {
            float want = in.dw[k * 2048 + w];
            for (std::size_t n = 0; n < 3; ++n) want += widen(in.dy[n * 2048 + k]) * widen(in.x[n * 2048 + w]);
            bad += got.dw[k * 2048 + w] != want;
        }
    CHECK(bad == 0);
}

TEST_CASE("NaN and infinity reach the gradients they belong to and no others") {
    if (gpu_missing()) return;
    Queue q;
    const ConvCase c{{1, 5, 5, 8}, 8, 3, 3, same};
    const auto run = [&]<class T>(T) {
        GradientInputs<T> in(c);
        for (auto& v : in.w) v = narrow<T>(1);
        in.dy[0] = narrow<T>(NAN);            // pixel (0, 0), channel 0: reaches the 4 pixels around
        in.dy[24 * 8] = narrow<T>(INFINITY);  // pixel (4, 4), channel 0
        const auto dx = input_gradient_on_gpu(q.stream, c, in);
        for (int p = 0; p < 25; ++p) {
            const float v = widen(dx[std::size_t(8 * p)]);
            CHECK(std::isnan(v) == (p / 5 < 2 && p % 5 < 2));
            CHECK(std::isinf(v) == (p / 5 > 2 && p % 5 > 2));
        }
        const auto dw = weight_gradient_on_gpu(q.stream, c, in);
        for (std::size_t i = 0; i < dw.dw.size(); ++i) CHECK(std::isfinite(dw.dw[i]) == (i >= 72));
        for (int k = 0; k < 8; ++k) CHECK(std::isfinite(dw.dbias[std::size_t(k)]) == (k > 0));
    };
    run(bf16{});
    run(0.0f);
}
