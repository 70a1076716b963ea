// Runs something on the emulated device in every order of threads.
#pragma once
#include "kernels/simt.h"
#include "tests/cuda_support.h"

namespace star::test {

/// Runs f(stream) in forward, reverse and shuffled orders, on one, two and three host threads; true if all results are
/// equal.
template <class F>
bool same_in_all_orders(F f) {
    bool same = true;
    ThreadPool one(1), two(2), three(3);
    simt::set_order(simt::Order::forward);
    const auto first = f(Stream{gpu, &one});
    for (ThreadPool* pool : {&one, &two, &three}) {
        const Stream stream{gpu, pool};
        simt::set_order(simt::Order::reverse);
        same &= f(stream) == first;
        simt::set_order(simt::Order::shuffled, unsigned(pool->threads()));
        same &= f(stream) == first;
    }
    simt::set_order(simt::Order::forward);
    return same;
}

}  // namespace star::test
