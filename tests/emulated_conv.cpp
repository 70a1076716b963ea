// What only the emulator can show of the CUDA convolution: equal bits in every order of threads, and what its kernels
// ask of memory.
#include <doctest/doctest.h>

#include "tests/cuda_conv_gradients.h"
#include "tests/in_all_orders.h"

using namespace star;
using namespace star::test;

namespace {

template <class T>
bool gradients_same(const ConvCase& c) {
    const GradientInputs<T> in(c);
    return same_in_all_orders([&](Stream s) {
        std::vector<float> wide;  // bf16 and float compare by value; no NaN here
        for (T v : input_gradient_on_gpu(s, c, in)) wide.push_back(widen(v));
        return std::pair(wide, weight_gradient_on_gpu(s, c, in));
    });
}

}  // namespace

TEST_CASE("the convolution and its gradients give equal bits in every order of threads") {
    const ConvCase cases[] = {
        {{2, 9, 7, 40}, 72, 3, 3, {2, 1}},   // pieces of 16 bytes, four phases
        {{1, 15, 13, 1}, 64, 7, 7, {2, 3}},  // gathered
        {{1, 23, 25, 8}, 8, 1, 1, {1, 0}},   // two chunks of pixels
        {{1, 3, 2, 8}, 512, 1, 1, {1, 0}},   // sums of dx in parts
    };
    for (const ConvCase& c : cases) {
        CHECK(gradients_same<bf16>(c));
        CHECK(gradients_same<float>(c));
    }
    const ConvCase parts{{2, 3, 2, 520}, 72, 1, 1, {1, 0}};  // sums of y in parts
    const ConvInputs<bf16> in(parts);
    CHECK(same_in_all_orders([&](Stream s) {
        std::vector<float> wide;
        for (bf16 v : conv_on_gpu(s, parts, in)) wide.push_back(widen(v));
        return wide;
    }));
}

TEST_CASE("the convolution with a residual, and the moments of what it writes, in every order of threads") {
    for (const ConvCase& c : {ConvCase{{2, 9, 7, 40}, 72, 3, 3, {1, 1, true}},      // two runs, one tile of channels
                              ConvCase{{2, 3, 2, 520}, 72, 1, 1, {1, 0, true}}}) {  // sums in parts
        const ConvInputs<bf16> in(c);
        const auto residual = reference::uniform_values<bf16>(c.y().size(), 9);
        CHECK(same_in_all_orders([&](Stream s) {
            const auto x = upload(s, in.x), w = upload(s, in.w), r = upload(s, residual);
            const auto bias = upload(s, in.bias);
            const Output<bf16> y(s, c.y());
            const Output<float> moments(s, conv_runs(c.y()).count * 3 * c.k);
            const Output<std::byte> workspace(s, cuda::conv_forward_workspace(s, c.x, c.w(), c.how));
            cuda::conv_forward<bf16>(s, {x.data(), c.x}, {w.data(), c.w()},
                                     {bias.data(), {r.data(), c.y()}, moments.data()}, c.how, {y.data(), c.y()},
                                     workspace.data());
            CHECK((y.intact() && moments.intact() && workspace.intact()));
            std::vector<float> wide = moments.values();
            for (bf16 v : y.values()) wide.push_back(widen(v));
            return wide;
        }));
    }
}

TEST_CASE("the public gradients on a CUDA stream are the CUDA kernels, with memory as rehearsed") {
    Queue q;
    const ConvCase c{{2, 3, 3, 8}, 256, 3, 3, {1, 1}};  // sums of dx in parts
    const auto run = [&]<class T>(T) {
        const GradientInputs<T> in(c);
        const Shifted<T> x(q.stream, in.x, 0), w(q.stream, in.w, 0), dy(q.stream, in.dy, 0);
        const Output<T> dx(q.stream, c.x);
        const auto dw = upload(q.stream, in.dw), dbias = upload(q.stream, in.dbias);
        const auto both = [&](Stream stream, Arena& scratch) {
            conv_backward_input<T>(stream, {dy.data(), c.y()}, {w.data(), c.w()}, c.how, {dx.data(), c.x}, scratch);
            conv_backward_weight<T>(stream, {x.data(), c.x}, {dy.data(), c.y()}, c.how, {dw.data(), c.w()},
                                    dbias.data(), scratch);
        };
        Arena measured = Arena::measuring();
        both(dry(q.stream), measured);
        Arena scratch(gpu, measured.peak());
        both(q.stream, scratch);
        CHECK(measured.peak() > 0);
        CHECK(scratch.peak() == measured.peak());
        CHECK(scratch.mark() == 0);
        CHECK(same_bits(dx.values(), input_gradient_on_gpu(q.stream, c, in)));
        CHECK(WeightGradient{download(q.stream, static_cast<const float*>(dw.data()), dw.size()),
                             download(q.stream, static_cast<const float*>(dbias.data()), dbias.size())} ==
              weight_gradient_on_gpu(q.stream, c, in));
    };
    run(bf16{});
    run(0.0f);
}

TEST_CASE("the input gradient has no bank conflicts and fetches what it needs") {
    for (int k : {64, 128}) {
        // One tile of channels; 16 tiles of pixels by 64 channels, 108 by 128.
        const ConvCase c{{1, k == 64 ? 16 : 108, 128, k}, 64, 1, 1, {1, 0}};
        const GradientInputs<bf16> in(c);
        Queue q;
        const simt::Counters n = simt::counted([&] { input_gradient_on_gpu(q.stream, c, in); });
        const std::int64_t tiles = c.x.h, slices = 2, per_tile = slices * (128 + k) * 64;
        CHECK(n.launches == 2);  // exchanges K and C of the weights; multiplies
        CHECK(n.copy_bytes == tiles * per_tile);
        CHECK(n.copy_requests * 512 == n.copy_bytes);
        CHECK(n.copy_sectors == n.copy_requests * 16);
        // Per 16 of depth, a warp loads its rows (64 or 32 pixels, 32 channels) 16 at a time.
        CHECK(n.matrix_loads == tiles * slices * 2 * 8 * (k == 64 ? 2 + 2 : 4 + 2));
        CHECK(n.bank_conflicts == 0);
        CHECK(n.copy_conflicts == 0);
    }
}

TEST_CASE("the weight gradient fetches each pixel once per tile, in whole sectors, without conflicts") {
    for (int k : {64, 128}) {
        const ConvCase c{{1, 16, 72, 128}, k, 1, 1, {1, 0}, false};  // one tile, three chunks
        const GradientInputs<bf16> in(c);
        Queue q;
        const simt::Counters n = simt::counted([&] { weight_gradient_on_gpu(q.stream, c, in); });
        CHECK(n.launches == 2);  // multiplies; adds chunks
        CHECK(n.copy_bytes == 2 * (c.x.size() + c.y().size()));
        CHECK(n.copy_requests * 512 == n.copy_bytes);
        CHECK(n.copy_sectors == n.copy_requests * 16);
        CHECK(n.copy_conflicts == 0);
        // Per 16 of depth, a warp loads its rows (64 or 32 weights, 32 channels) 16 at a time, turned on the way: all
        // that it reads of shared memory.
        CHECK(n.matrix_loads == c.x.h * c.x.w / 16 * 8 * (k == 64 ? 2 + 2 : 4 + 2));
        CHECK(n.bank_conflicts == 0);
    }
}

TEST_CASE("with filters, borders and strides, copies are the pixels that exist, without conflicts") {
    const ConvCase cases[] = {{{1, 9, 11, 40}, 72, 3, 3, {1, 1}},
                              {{1, 17, 15, 128}, 128, 3, 3, {2, 1}},
                              {{2, 8, 9, 16}, 200, 1, 1, {2, 0}},
                              {{1, 15, 13, 1}, 64, 7, 7, {2, 3}}};
    for (const ConvCase& c : cases) {
        const GradientInputs<bf16> in(c);
        Queue q;
        const simt::Counters dx = simt::counted([&] { input_gradient_on_gpu(q.stream, c, in); });
        CHECK(dx.bank_conflicts == 0);
        CHECK(dx.copy_conflicts == 0);
        const simt::Counters dw = simt::counted([&] { weight_gradient_on_gpu(q.stream, c, in); });
        CHECK(dw.copy_conflicts == 0);
        CHECK(dw.matrix_loads > 0);
        CHECK(dw.bank_conflicts == 0);
        if (c.x.c == 1) continue;       // x is gathered
        std::int64_t under_filter = 0;  // elements of x under each output pixel's filter
        for (int i = 0; i < c.y().h; ++i)
            for (int j = 0; j < c.y().w; ++j)
                for (int r = 0; r < c.r; ++r)
                    for (int s = 0; s < c.s; ++s) {
                        const int h = i * c.how.stride - c.how.pad + r, v = j * c.how.stride - c.how.pad + s;
                        under_filter += h >= 0 && h < c.x.h && v >= 0 && v < c.x.w ? c.x.c : 0;
                    }
        const int across_k = c.k % 128 > 64 || c.k % 128 == 0 ? ceil_div(c.k, 128) : ceil_div(c.k, 64);
        const int across_weights = ceil_div(c.r * c.s * c.x.c, 128);
        CHECK(dw.copy_bytes == 2 * (c.x.n * under_filter * across_k + c.y().size() * across_weights));
    }
}
