// What only the emulator can show of the CUDA convolution: equal bits in every order of threads, and what its kernels
// ask of memory.
#include <doctest/doctest.h>

#include <set>

#include "kernels/conv_product.cuh"
#include "tests/cuda_conv_gradients.h"

using namespace star;
using namespace star::test;

namespace {

/// Whether f(stream) gives the same in forward, reverse and two shuffled orders, on one and two host threads.
template <class F>
bool same_in_all_orders(F f) {
    ThreadPool one(1), two(2);
    simt::set_order(simt::Order::forward);
    const auto first = f(Stream{gpu, &two, nullptr, false});
    bool same = true;
    for (ThreadPool* pool : {&one, &two}) {
        const Stream stream{gpu, pool, nullptr, false};
        simt::set_order(simt::Order::reverse);
        same &= f(stream) == first;
        simt::set_order(simt::Order::shuffled, unsigned(pool->threads()));
        same &= f(stream) == first;
    }
    simt::set_order(simt::Order::forward);
    return same;
}

template <class T>
bool gradients_same(const ConvCase& c) {
    const GradientInputs<T> in(c);
    return same_in_all_orders([&](Stream s) {
        std::vector<float> wide;  // bf16 and float compare by value; no NaN here
        for (T v : input_gradient_on_gpu(s, c, in)) wide.push_back(widen(v));
        return std::pair(wide, weight_gradient_on_gpu(s, c, in));
    });
}

/// What f's launches did.
template <class F>
simt::Counters count(F f) {
    const simt::Counters before = simt::counters();
    f();
    simt::Counters c = simt::counters();
    c.launches -= before.launches, c.blocks -= before.blocks;
    c.copy_requests -= before.copy_requests, c.copy_bytes -= before.copy_bytes, c.copy_sectors -= before.copy_sectors;
    c.copy_conflicts -= before.copy_conflicts;
    c.matrix_loads -= before.matrix_loads, c.bank_conflicts -= before.bank_conflicts;
    return c;
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
