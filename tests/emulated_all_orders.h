// Runs work on the emulated device in every order of threads.
#pragma once
#include "kernels/simt.h"
#include "tests/cuda_support.h"

namespace star::test {

/// Runs f in forward, reverse and two shuffled orders, on one and two host threads; true if all results are equal.
template <class F>
bool same_in_all_orders(F f) {
    bool same = true;
    ThreadPool one(1), two(2);
    simt::set_order(simt::Order::forward);
    const auto first = f(Stream{gpu});
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

}  // namespace star::test
