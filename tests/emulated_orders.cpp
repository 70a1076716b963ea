// What only the emulator can show of the CUDA kernels: equal bits in every order of threads, any number of host
// threads, several launches at once; and what the kernels ask of memory.
#include <doctest/doctest.h>

#include <thread>

#include "kernels/simt.h"
#include "tests/cuda_cases.h"
#include "tests/in_all_orders.h"

using namespace star;
using namespace star::test;

namespace {

template <class T>
bool conv_same(const ConvCase& c) {
    const ConvInputs<T> in(c);
    return same_in_all_orders([&](Stream s) {
        std::vector<float> wide;  // bf16 and float compare by value; no NaN here
        for (T v : conv_on_gpu(s, c, in)) wide.push_back(widen(v));
        return wide;
    });
}

template <class T>
bool focal_same(const FocalCase& c) {
    const FocalInputs<T> in(c);
    return same_in_all_orders([&](Stream s) { return focal_on_gpu(s, c, in); });
}

/// Of a convolution whose sums aren't cut, so that it is one launch.
simt::Counters count_conv(const ConvCase& c) {
    Queue q;
    const ConvInputs<bf16> in(c);
    conv_on_gpu(q.stream, c, in);
    return simt::last_launch();
}

}  // namespace

TEST_CASE("conv_forward gives equal bits in every order of threads") {
    const ConvCase cases[] = {
        {{2, 9, 11, 40}, 72, 3, 3, {1, 1}},           // pieces of 16 bytes, slices across filter taps
        {{1, 15, 13, 1}, 64, 7, 7, {2, 3, true}},     // gathered
        {{1, 5, 26, 200}, 130, 1, 1, {1, 0}, false},  // more slices than are in flight
    };
    for (const ConvCase& c : cases) {
        CHECK(conv_same<bf16>(c));
        CHECK(conv_same<float>(c));
    }
    CHECK(conv_same<bf16>({{1, 109, 127, 16}, 100, 1, 1, {1, 0}}));  // tiles of 128 channels
}

TEST_CASE("focal_loss gives equal bits in every order of threads") {
    CHECK(focal_same<bf16>({{2, 6, 7, 48}, {.per_cell = 9}}));
    CHECK(focal_same<float>({{1, 17, 19, 8}, {}}));
}

TEST_CASE("conv_forward has no bank conflicts and fetches whole sectors") {
    for (int k : {64, 128}) {
        const Shape x{1, k == 64 ? 16 : 108, 128, 64};  // 108 tiles of pixels: 128 channels per block
        const simt::Counters c = count_conv({x, k, 1, 1, {1, 0}});
        const std::int64_t tiles = x.h, slices = 2, warps = 8, rows = 128 + k;
        CHECK(c.launches == 1);
        CHECK(c.blocks == tiles);
        CHECK(c.copy_bytes == tiles * slices * rows * 64);
        CHECK(c.copy_requests * 512 == c.copy_bytes);
        CHECK(c.copy_sectors == c.copy_requests * 16);  // 512 bytes in 32-byte sectors: not one too many
        // Per 16 of depth, a warp loads its rows (64 or 32 pixels, 32 channels) 16 at a time.
        CHECK(c.matrix_loads == tiles * slices * 2 * warps * (k == 64 ? 2 + 2 : 4 + 2));
        CHECK(c.bank_conflicts == 0);
        CHECK(c.copy_conflicts == 0);
    }
}

TEST_CASE("conv_forward has no bank conflicts with filters, borders, strides, odd channels") {
    const ConvCase cases[] = {{{1, 9, 11, 40}, 72, 3, 3, {1, 1}},
                              {{1, 17, 15, 56}, 128, 3, 3, {2, 1}},
                              {{1, 15, 13, 1}, 64, 7, 7, {2, 3}},
                              {{1, 109, 127, 16}, 100, 3, 3, {1, 1}}};
    for (const ConvCase& k : cases) {
        const simt::Counters c = count_conv(k);
        CHECK(c.matrix_loads > 0);
        CHECK(c.bank_conflicts == 0);
        CHECK(c.copy_conflicts == 0);
    }
}

namespace {

struct alignas(16) Rows {
    bf16 x[32][64];
};
__global__ void load_column(bf16* out) {  // rows 128 bytes apart: all in the same banks
    auto& s = shared_memory<Rows>();
    for (int i = lane(); i < 32 * 64; i += 32) s.x[i / 64][i % 64] = bf16{0};
    sync_warp();
    const FragA a = load_a(&s.x[0][0], 64);
    const FragB b = load_b(&s.x[0][0], 64);
    out[lane()] = a.x[0].bits ? a.x[0] : b.x[0];
}
__global__ void copy_columns(const float* in, float* out) {  // every second 16 bytes, to rows 128 bytes apart
    auto& s = shared_memory<Rows>();
    copy_async(&s.x[lane()][0], in + lane() * 8, lane() < 24);
    copy_commit();
    copy_wait<0>();
    out[lane()] = 0;
}

}  // namespace

TEST_CASE("the counters count") {
    const Stream stream{gpu};
    const Buffer<bf16> out(gpu, 32);
    const auto before = simt::counters();
    launch(stream, {{1}, 32, sizeof(Rows)}, load_column, out.data());
    CHECK(simt::last_launch() ==
          simt::Counters{.launches = 1, .blocks = 1, .matrix_loads = 2, .bank_conflicts = 6 * 7});
    const Buffer<float> in(gpu, 256), far(gpu, 32);
    launch(stream, {{3}, 32, sizeof(Rows)}, copy_columns, in.data(), far.data());
    const simt::Counters copies = simt::last_launch();
    CHECK(copies == simt::Counters{.launches = 1,
                                   .blocks = 3,
                                   .copy_requests = 3,
                                   .copy_bytes = 3 * 24 * 16,
                                   .copy_sectors = 3 * 24,
                                   .copy_conflicts = 3 * 4 * 7});
    auto sum = before;
    sum += simt::Counters{.launches = 1, .blocks = 1, .matrix_loads = 2, .bank_conflicts = 6 * 7};
    sum += copies;
    CHECK(simt::counters() == sum);
}

TEST_CASE("launches from several threads at once, on one pool, do not disturb each other") {
    Queue q;
    const ConvCase a{{1, 9, 11, 40}, 72, 3, 3, {1, 1}};
    const FocalCase b{{2, 6, 7, 48}, {.per_cell = 9}};
    const ConvInputs<bf16> in_a(a);
    const FocalInputs<float> in_b(b);
    const auto want_a = conv_on_gpu(q.stream, a, in_a);
    const auto want_b = focal_on_gpu(q.stream, b, in_b);
    bool same[4] = {};
    std::vector<std::thread> callers;
    for (int i = 0; i < 4; ++i)
        callers.emplace_back([&, i] {
            same[i] = true;
            for (int round = 0; round < 3; ++round)
                same[i] &= i % 2 ? same_bits(conv_on_gpu(q.stream, a, in_a), want_a)
                                 : focal_on_gpu(q.stream, b, in_b) == want_b;
        });
    for (auto& t : callers) t.join();
    for (bool s : same) CHECK(s);
}
