// The CUDA focal loss against the double-precision reference, emulated and on a GPU.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "tests/cuda_cases.h"
#include "tests/reference/focal.h"

using namespace star;
using namespace star::test;

namespace {

template <class T>
void check(Stream stream, const FocalCase& c) {
    INFO("logits ", c.logits.n, " x ", c.logits.h, " x ", c.logits.w, " x ", c.logits.c, ", alpha ", c.how.alpha,
         ", gamma ", c.how.gamma, ", ", c.how.per_cell, " x ", c.how.classes);
    const FocalInputs<T> in(c);
    const FocalResult<T> got = focal_on_gpu(stream, c, in);
    CHECK(got == focal_on_gpu(stream, c, in));
    CHECK(got == focal_on_gpu(stream, c, in, true));

    const Shape s = c.logits;
    double loss = 0, bound = 0;
    int bad = 0;
    for (std::int64_t i = 0; i < s.size(); ++i) {
        const int channel = int(i % s.c), anchor = channel / c.how.classes, k = channel % c.how.classes;
        const std::int64_t cell = i / s.c, image = cell / (std::int64_t{s.h} * s.w);
        const float slope = widen(got.dlogits[std::size_t(i)]);
        const int label = anchor >= c.how.per_cell
                              ? label_ignored
                              : in.labels[std::size_t(image * in.stride +
                                                      cell % (std::int64_t{s.h} * s.w) * c.how.per_cell + anchor)];
        if (label == label_ignored) {
            bad += slope != 0;
            continue;
        }
        const bool positive = label == k;
        const double weight = c.how.alpha < 0 ? 1 : positive ? c.how.alpha : 1.0 - c.how.alpha;
        const double sign = positive ? 1 : -1, z = sign * widen(in.logits[std::size_t(i)]);
        const double scale = 1 / (double(s.n) * std::max(1, in.positives[std::size_t(image)]));
        const auto t = reference::focal_term(z, weight, c.how.gamma),
                   within = reference::focal_bound(z, weight, c.how.gamma);
        // 8 u more: 1 - alpha, the scale (two roundings), multiplying by it, and 2 ulp more of CUDA's powf
        const double want = sign * scale * t.slope;
        const double may = scale * within.slope + 8 * 0x1p-24 * std::fabs(want);
        bad += !reference::close(slope, {want, may + reference::rounding<T>(std::fabs(want) + may)});
        loss += scale * t.loss;
        bound += scale * (within.loss + 8 * 0x1p-24 * std::fabs(t.loss));
    }
    CHECK(bad == 0);
    // A term is added to its thread's sum, in two warps' trees, to a thread's of the last block and in its two.
    const double terms = std::ceil(double(s.size()) / (256.0 * focal_blocks)) + 4 * 5 + focal_blocks / 256;
    CHECK(reference::close(got.loss, {loss, bound + terms * 0x1p-24 * 1.001 * (loss + bound)}));
}

const FocalCase cases[] = {
    {{1, 1, 1, 1}, {.classes = 1}},
    {{1, 1, 1, 8}, {}},                // three channels of padding
    {{2, 3, 5, 48}, {.per_cell = 9}},  // the class head: 45 and padding
    {{3, 7, 5, 5}, {.alpha = -1}},     // both weigh 1
    {{2, 5, 3, 16}, {.gamma = 0, .classes = 3, .per_cell = 5}},
    {{1, 4, 8, 8}, {.alpha = 0.6f, .gamma = 1.5f, .classes = 8}},
    {{1, 1, 51, 5}, {}},  // below, at and above one block
    {{1, 1, 32, 8}, {.classes = 8}},
    {{1, 1, 257, 1}, {.classes = 1}},
    {{2, 70, 50, 48}, {.per_cell = 9}},  // more than one round of all blocks
};

}  // namespace

TEST_CASE_TEMPLATE("focal_loss is within the rounding of its terms and sum", T, float, bf16) {
    if (gpu_missing()) return;
    Queue q;
    for (const FocalCase& c : cases) check<T>(q.stream, c);
}

TEST_CASE("focal_loss of nothing but ignored anchors is zero") {
    if (gpu_missing()) return;
    Queue q;
    const FocalCase c{{2, 3, 5, 16}, {.per_cell = 3}};
    FocalInputs<float> in(c);
    std::fill(in.labels.begin(), in.labels.end(), label_ignored);
    std::fill(in.positives.begin(), in.positives.end(), 0);
    in.logits[0] = NAN;  // not looked at
    const auto got = focal_on_gpu(q.stream, c, in);
    CHECK(got.loss == 0);
    CHECK(std::all_of(got.dlogits.begin(), got.dlogits.end(), [](float v) { return v == 0; }));
}

TEST_CASE("focal_loss shows a NaN") {
    if (gpu_missing()) return;
    Queue q;
    const FocalCase c{{1, 3, 5, 8}, {}};
    FocalInputs<float> in(c);
    in.logits[8] = NAN;
    in.labels[1] = 2;
    const auto got = focal_on_gpu(q.stream, c, in);
    CHECK(std::isnan(got.loss));
    CHECK(std::isnan(got.dlogits[8]));
    CHECK_FALSE(std::isnan(got.dlogits[0]));
}
