// The one thread pool: made by the program, handed down in Stream, never global.
#pragma once
#include <cstdint>
#include <memory>
#include <type_traits>

#include "kernels/isa.h"

namespace star {

/// Threads that share loops with whoever calls for_each(). Any number of callers may do so at once;
/// each takes part in its own loop, so a loop always ends, also within another loop.
class ThreadPool {
public:
    /// threads: how many work on one loop, the caller included; 0 means one per processor the system grants us.
    /// isa: the widest instructions the operations may use. Throws Error if the processor lacks them.
    explicit ThreadPool(int threads = 0, Isa isa = best_isa());
    ~ThreadPool();
    ThreadPool(const ThreadPool&) = delete;
    ThreadPool& operator=(const ThreadPool&) = delete;

    int threads() const { return threads_; }
    Isa isa() const { return isa_; }

    /// Calls body(item, worker) once for each item in [0, items), in no particular order, and returns when all are
    /// done. worker is in [0, threads()) and no two calls with the same worker run at once within one loop: it picks
    /// a piece of scratch memory. If bodies throw, the exception of the lowest such item is rethrown after the loop.
    /// Results must not depend on which worker does what: that is how any thread count gives the same bits.
    template <class Body>
    void for_each(std::int64_t items, Body&& body) {
        run(items, &body, [](void* b, std::int64_t item, int worker) {
            (*static_cast<std::remove_reference_t<Body>*>(b))(item, worker);
        });
    }

    /// for_each over [0, count) in runs of up to `grain`: body(first, last, worker).
    template <class Body>
    void for_range(std::int64_t count, std::int64_t grain, Body&& body) {
        for_each((count + grain - 1) / grain, [&](std::int64_t i, int worker) {
            const std::int64_t first = i * grain;
            body(first, first + grain < count ? first + grain : count, worker);
        });
    }

private:
    using Call = void (*)(void* body, std::int64_t item, int worker);
    void run(std::int64_t items, void* body, Call call);

    struct State;
    std::unique_ptr<State> state_;
    int threads_;
    Isa isa_;
};

}  // namespace star
