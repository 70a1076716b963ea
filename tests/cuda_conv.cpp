// The CUDA convolution against plain loops in double precision, emulated and on a GPU.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tests/cuda_cases.h"
#include "tests/reference/conv.h"

using namespace star;
using namespace star::test;

namespace {

/// The reference with the bound of the kernel's sums. Tensor cores add groups of 8 or 16 exact products to the sum so
/// far, each cut off at the last bit of the largest (2 u each, one more per group), where rounding to nearest has u.
template <class T>
std::vector<reference::Bounded> expected(const ConvCase& c, const ConvInputs<T>& in) {
    const std::vector<double> bias(in.bias.begin(), in.bias.end());
    const double depth = double(c.r) * c.s * c.x.c;
    const double terms = std::is_same_v<T, float> ? depth + 2 : 2 * (depth * 9 / 8 + 1) + 2;
    auto all = reference::conv_forward_sums(in.x.data(), c.x, in.w.data(), c.w(), c.bias ? bias.data() : nullptr, c.how)
                   .template bounded<T>(terms);
    if (c.how.relu)
        for (auto& b : all) b.value = b.value > 0 ? b.value : 0;  // brings no two numbers further apart
    return all;
}

template <class T>
void check(Stream stream, const ConvCase& c) {
    INFO("x ", c.x.n, " x ", c.x.h, " x ", c.x.w, " x ", c.x.c, ", w ", c.k, " x ", c.r, " x ", c.s, ", stride ",
         c.how.stride);
    const ConvInputs<T> in(c);
    const auto y = conv_on_gpu(stream, c, in);
    const auto want = expected(c, in);
    REQUIRE(y.size() == want.size());
    int bad = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
        if (reference::close(widen(y[i]), want[i]) || bad++) continue;
        MESSAGE("y[", i, "] = ", widen(y[i]), ", expected ", want[i].value, " within ", want[i].bound);
    }
    CHECK(bad == 0);
}

constexpr Conv same{1, 1}, half{2, 1}, point{1, 0};

// Around the tiles (128 pixels, 64 or 128 channels, 32 deep; 64, 64, 16 for float), then the network's own.
const ConvCase cases[] = {
    {{1, 1, 1, 1}, 1, 1, 1, point},
    {{1, 1, 1, 8}, 1, 1, 1, point, false},
    {{1, 1, 127, 8}, 63, 1, 1, point},
    {{1, 1, 128, 32}, 64, 1, 1, point},
    {{1, 129, 1, 40}, 65, 1, 1, point},
    {{2, 5, 7, 31}, 7, 1, 1, point},
    {{1, 5, 7, 33}, 127, 1, 1, point},
    {{2, 9, 11, 32}, 72, 3, 3, same},
    {{3, 13, 8, 24}, 129, 5, 5, {2, 2, true}},
    {{1, 9, 12, 16}, 40, 3, 5, {1, 2}},
    {{1, 12, 5, 13}, 9, 7, 1, {3, 3}},
    {{2, 3, 3, 8}, 8, 1, 1, {1, 2}},           // a border of bias alone
    {{1, 4, 6, 2}, 5, 4, 6, {1, 0}},           // one output pixel
    {{2, 23, 17, 1}, 64, 7, 7, {2, 3, true}},  // the stem
    {{1, 17, 19, 3}, 16, 7, 7, {2, 3}},        // torchvision's stem
    {{1, 17, 19, 1}, 32, 3, 3, same},          // the other stem
    {{2, 9, 12, 1}, 24, 5, 8, {1, 3}},         // as wide as a line of one channel may be
    {{1, 9, 12, 1}, 72, 2, 9, {1, 4, true}},   // and wider
    {{2, 3, 3, 264}, 72, 3, 3, {1, 1, true}},  // sums in eight parts
    {{1, 1, 2, 776}, 72, 1, 1, point, false},  // in three, the last one short
    {{1, 33, 9, 64}, 64, 3, 3, {1, 1, true}},
    {{1, 17, 17, 128}, 128, 3, 3, half},
    {{1, 9, 15, 256}, 64, 1, 1, {1, 0, true}},
    {{1, 5, 5, 512}, 256, 3, 3, same},
    {{1, 5, 4, 2048}, 256, 1, 1, point},
    {{1, 7, 5, 1024}, 512, 1, 1, {2, 0, true}},
    {{1, 9, 9, 256}, 48, 3, 3, same},
};

}  // namespace

TEST_CASE("conv_forward on tensor cores is within the rounding of its sums") {
    if (gpu_missing()) return;
    Queue q;
    for (const ConvCase& c : cases) check<bf16>(q.stream, c);
    for (const auto& c : reference::conv_cases()) check<bf16>(q.stream, {c.x, c.k, c.r, c.s, c.how});
}

TEST_CASE("conv_forward in float is within the rounding of its sums") {
    if (gpu_missing()) return;
    Queue q;
    for (const ConvCase& c : cases) check<float>(q.stream, c);
    for (const auto& c : reference::conv_cases()) check<float>(q.stream, {c.x, c.k, c.r, c.s, c.how});
}

TEST_CASE("conv_forward with tiles of 128 channels") {  // for large images only
    if (gpu_missing()) return;
    Queue q;
    check<bf16>(q.stream, {{1, 96, 145, 8}, 120, 1, 1, point});
    check<bf16>(q.stream, {{1, 117, 119, 5}, 128, 1, 1, point});
}

TEST_CASE("an image gives the same bits in any batch, wherever the data lies") {
    if (gpu_missing()) return;
    Queue q;
    const auto run = [&]<class T>(T, ConvCase c) {
        const ConvInputs<T> in(c);
        const auto whole = conv_on_gpu(q.stream, c, in);
        CHECK(same_bits(whole, conv_on_gpu(q.stream, c, in)));
        CHECK(same_bits(whole, conv_on_gpu(q.stream, c, in, 1)));
        const int images = c.x.n;
        c.x.n = 1;
        for (int n = 0; n < images; ++n) {
            ConvInputs<T> one = in;
            one.x.assign(in.x.begin() + n * c.x.size(), in.x.begin() + (n + 1) * c.x.size());
            const auto first = whole.begin() + n * c.y().size();
            CHECK(same_bits(std::vector<T>(first, first + c.y().size()), conv_on_gpu(q.stream, c, one)));
        }
    };
    run(bf16{}, {{3, 9, 7, 40}, 72, 3, 3, same});
    run(0.0f, {{3, 9, 7, 40}, 72, 3, 3, same});
    run(bf16{}, {{2, 11, 7, 1}, 16, 7, 7, {2, 3}});
}

TEST_CASE("small integers are exact") {
    if (gpu_missing()) return;
    Queue q;
    const ConvCase c{{2, 11, 13, 24}, 66, 3, 3, same};
    ConvInputs<bf16> in(c);
    for (auto& v : in.x) v = to_bf16(std::round(widen(v)));  // -1, 0, 1: sums of at most 216, which bf16 holds
    for (auto& v : in.w) v = to_bf16(std::round(widen(v)));
    for (auto& v : in.bias) v = std::round(8 * v);
    ConvCase f = c;
    ConvInputs<float> wide(f);
    std::transform(in.x.begin(), in.x.end(), wide.x.begin(), [](bf16 v) { return widen(v); });
    std::transform(in.w.begin(), in.w.end(), wide.w.begin(), [](bf16 v) { return widen(v); });
    wide.bias = in.bias;
    const auto a = conv_on_gpu(q.stream, c, in);
    const auto b = conv_on_gpu(q.stream, f, wide);
    const auto want = expected(c, in);
    bool exact = true;
    for (std::size_t i = 0; i < want.size(); ++i) exact &= widen(a[i]) == want[i].value && b[i] == want[i].value;
    CHECK(exact);
}

TEST_CASE("NaN and infinity pass through, also through ReLU") {
    if (gpu_missing()) return;
    Queue q;
    const ConvCase c{{1, 3, 3, 8}, 8, 1, 1, {1, 0, true}, false};
    const auto run = [&]<class T>(T) {
        ConvInputs<T> in(c);
        for (auto& v : in.w) v = narrow<T>(1);
        in.x[0] = narrow<T>(NAN), in.x[8] = narrow<T>(INFINITY), in.x[16] = narrow<T>(-INFINITY);
        const auto y = conv_on_gpu(q.stream, c, in);
        for (int k = 0; k < 8; ++k) {
            CHECK(std::isnan(widen(y[std::size_t(k)])));
            CHECK(widen(y[std::size_t(8 + k)]) == INFINITY);
            CHECK(widen(y[std::size_t(16 + k)]) == 0);
        }
    };
    run(bf16{});
    run(0.0f);
}

TEST_CASE("a dry stream runs nothing") {
    if (gpu_missing()) return;
    Queue q;
    const ConvCase c{{1, 8, 8, 8}, 8, 1, 1, point};
    cuda::conv_forward<bf16>(dry(q.stream), {nullptr, c.x}, {nullptr, c.w()}, nullptr, c.how, {nullptr, c.y()},
                             nullptr);
    CHECK(cuda::conv_forward_workspace(q.stream, c.x, c.w(), c.how) == 0);
}
