// Single verbs of the dialect with exact results: what the emulator believes of fragments, matrix loads, shuffles and
// copies. To be run once on each architecture: only hardware can say that fragment.h is right.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "kernels/fragment.h"
#include "tests/cuda_support.h"
#include "tests/probe_kernels.h"

using namespace star;
using namespace star::test;

namespace {

std::vector<bf16> integers(int count, int factor, int modulus) {  // around zero, no two rows or columns alike
    std::vector<bf16> v;
    for (int i = 0; i < count; ++i) v.push_back(to_bf16(float(i * factor % modulus - modulus / 2)));
    return v;
}

std::vector<float> product(const std::vector<bf16>& a, const std::vector<bf16>& b, int columns, float start) {
    std::vector<float> c;
    for (int m = 0; m < 16; ++m)
        for (int n = 0; n < columns; ++n) {
            float sum = start;
            for (int k = 0; k < 16; ++k) sum += widen(a[std::size_t(m * 16 + k)]) * widen(b[std::size_t(n * 16 + k)]);
            c.push_back(sum);
        }
    return c;
}

}  // namespace

TEST_CASE("mma with load_a and load_b multiplies small integers exactly") {
    if (gpu_missing()) return;
    Queue q;
    const auto a = integers(256, 37, 61), b = integers(128, 29, 53);
    const auto da = upload(q.stream, a), db = upload(q.stream, b);
    const Output<float> c(q.stream, 128);
    probe_mma(q.stream, da.data(), db.data(), c.data());
    CHECK(c.values() == product(a, b, 8, 0));
    CHECK(c.intact());
}

TEST_CASE("mma with load_b2 adds to what is there") {
    if (gpu_missing()) return;
    Queue q;
    const auto a = integers(256, 37, 61), b = integers(256, 29, 53);
    const auto da = upload(q.stream, a), db = upload(q.stream, b);
    const auto c = upload(q.stream, std::vector<float>(256, 1000));
    probe_mma2(q.stream, da.data(), db.data(), c.data());
    CHECK(download(q.stream, static_cast<const float*>(c.data()), 256) == product(a, b, 16, 1000));
}

TEST_CASE("matrix loads give each lane what fragment.h says") {
    if (gpu_missing()) return;
    Queue q;
    std::vector<bf16> tile;
    for (int i = 0; i < 256; ++i) tile.push_back({std::uint16_t(i)});
    const auto d = upload(q.stream, tile);
    const Output<bf16> a(q.stream, 256), b(q.stream, 128), b2(q.stream, 256);
    probe_loads(q.stream, d.data(), a.data(), b.data(), b2.data());
    const auto va = a.values(), vb = b.values(), vb2 = b2.values();
    for (int l = 0; l < 32; ++l) {
        for (int i = 0; i < 8; ++i) CHECK(va[std::size_t(l * 8 + i)].bits == a_row(l, i) * 16 + a_col(l, i));
        for (int i = 0; i < 4; ++i) CHECK(vb[std::size_t(l * 4 + i)].bits == b_col(l, i) * 16 + b_row(l, i));
        for (int i = 0; i < 8; ++i)
            CHECK(vb2[std::size_t(l * 8 + i)].bits == (b_col(l, i % 4) + i / 4 * 8) * 16 + b_row(l, i % 4));
    }
}

TEST_CASE("matrix loads across give each lane what fragment.h says, and mma multiplies them exactly") {
    if (gpu_missing()) return;
    Queue q;
    std::vector<bf16> tile;
    for (int i = 0; i < 256; ++i) tile.push_back({std::uint16_t(i)});
    const auto d = upload(q.stream, tile);
    const Output<bf16> a(q.stream, 256), b2(q.stream, 256);
    probe_loads_across(q.stream, d.data(), a.data(), b2.data());
    const auto va = a.values(), vb2 = b2.values();
    for (int l = 0; l < 32; ++l)
        for (int i = 0; i < 8; ++i) {
            CHECK(va[std::size_t(l * 8 + i)].bits == a_col(l, i) * 16 + a_row(l, i));
            CHECK(vb2[std::size_t(l * 8 + i)].bits == b_row(l, i % 4) * 16 + b_col(l, i % 4) + i / 4 * 8);
        }

    const auto left = integers(256, 37, 61), right = integers(256, 29, 53);
    std::vector<bf16> left_across(256), right_across(256);
    for (std::size_t i = 0; i < 256; ++i)
        left_across[i % 16 * 16 + i / 16] = left[i], right_across[i % 16 * 16 + i / 16] = right[i];
    const auto da = upload(q.stream, left_across), db = upload(q.stream, right_across);
    const Output<float> c(q.stream, 256);
    probe_mma_across(q.stream, da.data(), db.data(), c.data());
    CHECK(c.values() == product(left, right, 16, 0));
    CHECK(c.intact());
}

TEST_CASE("shuffles and votes") {
    if (gpu_missing()) return;
    Queue q;
    const Output<std::uint32_t> out(q.stream, 9 * 32);
    probe_warp(q.stream, out.data());
    const auto v = out.values();
    std::uint32_t votes = 0;
    for (int l = 0; l < 32; l += 3) votes |= 1u << l;
    for (int l = 0; l < 32; ++l) {
        const auto at = [&](int word) { return int(v[std::size_t(32 * word + l)]); };
        CHECK(at(0) == 100 + (l ^ 5));
        CHECK(at(1) == 100 + (l < 3 ? l : l - 3));
        CHECK(at(2) == 100 + (l > 24 ? l : l + 7));
        CHECK(at(3) == 100 + (37 - l) % 32);
        CHECK(v[std::size_t(128 + l)] == votes);
        CHECK(at(5) == 0);
        CHECK(at(6) == 1);
        CHECK(at(7) == 1);
        CHECK(at(8) == 0);
    }
}

TEST_CASE("integer atomics") {
    if (gpu_missing()) return;
    Queue q;
    const int blocks = 20, threads = 64 * blocks;
    const auto sum = upload(q.stream, std::vector<std::int64_t>{-5});
    const auto most = upload(q.stream, std::vector<int>{-100}), first = upload(q.stream, std::vector<int>{-1});
    const auto count = upload(q.stream, std::vector<unsigned>{7});
    const Output<unsigned> slots(q.stream, threads);
    probe_atomics(q.stream, blocks, sum.data(), most.data(), count.data(), slots.data(), first.data());
    const auto read = [&](const auto& b) {
        return download(q.stream, static_cast<const std::remove_reference_t<decltype(*b.data())>*>(b.data()), 1)[0];
    };
    CHECK(read(sum) == std::int64_t{threads} * (threads - 1) / 2 - 5);
    CHECK(read(most) == threads - 11);
    CHECK(read(count) == unsigned(threads) + 7);
    CHECK((read(first) >= 0 && read(first) < threads));
    auto v = slots.values();
    std::sort(v.begin(), v.end());
    for (int t = 0; t < threads; ++t) CHECK(v[std::size_t(t)] == unsigned(t) + 7);
}

TEST_CASE("asynchronous copies land in groups, invalid ones write zeros") {
    if (gpu_missing()) return;
    Queue q;
    std::vector<float> in(256), want(512);
    for (int i = 0; i < 256; ++i) in[std::size_t(i)] = want[std::size_t(i)] = float(i + 1);
    const auto d = upload(q.stream, in);
    const Output<float> out(q.stream, 512);
    probe_copies(q.stream, d.data(), out.data());
    CHECK(out.values() == want);
    CHECK(out.intact());
}

TEST_CASE("a launch that fails names kernel or line and grid, and the next one works") {
    if (gpu_missing()) return;
    Queue q;
    try {
        probe_bad_launch(q.stream);
        FAIL("nothing was thrown");
    } catch (const Error& e) {
        const std::string what = e.what();
        CHECK(what.find("probe_kernels.cu") != std::string::npos);
        CHECK(what.find("1x1x1 blocks of 2000 threads") != std::string::npos);
    }
    const Output<std::uint32_t> out(q.stream, 9 * 32);
    CHECK_NOTHROW(probe_warp(q.stream, out.data()));
    CHECK_NOTHROW(synchronize(q.stream));
}
