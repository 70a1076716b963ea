// The public operations on a CUDA stream reach the CUDA kernels.
#include <doctest/doctest.h>

#include "kernels/dispatch.h"
#include "tests/cuda_cases.h"

using namespace star;
using namespace star::test;

TEST_CASE("star::conv_forward and star::focal_loss on a CUDA stream are the CUDA kernels") {
    Queue q;
    Arena scratch(gpu, 1 << 16);
    const ConvCase c{{2, 9, 11, 40}, 72, 3, 3, {1, 1}};
    const ConvInputs<bf16> in(c);
    const auto x = upload(q.stream, in.x), w = upload(q.stream, in.w);
    const auto bias = upload(q.stream, in.bias);
    const Output<bf16> y(q.stream, c.y());
    conv_forward<bf16>(q.stream, {x.data(), c.x}, {w.data(), c.w()}, bias.data(), c.how, {y.data(), c.y()}, scratch);
    CHECK(same_bits(y.values(), conv_on_gpu(q.stream, c, in)));

    const FocalCase f{{2, 6, 7, 48}, {.per_cell = 9}};
    const FocalInputs<float> fin(f);
    const auto z = upload(q.stream, fin.logits);
    const auto labels = upload(q.stream, fin.labels);
    const auto positives = upload(q.stream, fin.positives);
    const Output<float> d(q.stream, f.logits), loss(q.stream, 1);
    focal_loss<float>(q.stream, {z.data(), f.logits}, labels.data(), fin.stride, positives.view({1, 1, 1, 2}), f.how,
                      {d.data(), f.logits}, loss.data(), scratch);
    CHECK(FocalResult<float>{d.values(), loss.values()[0]} == focal_on_gpu(q.stream, f, fin));

    Arena measured = Arena::measuring();
    conv_forward<bf16>(dry(q.stream), {nullptr, c.x}, {nullptr, c.w()}, nullptr, c.how, {nullptr, c.y()}, measured);
    focal_loss<float>(dry(q.stream), {nullptr, f.logits}, nullptr, fin.stride, {nullptr, {1, 1, 1, 2}}, f.how,
                      {nullptr, f.logits}, nullptr, measured);
    CHECK(measured.peak() == scratch.peak());
}
