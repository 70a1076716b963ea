// The thread pool: every item once, workers never shared, exceptions, nested and concurrent loops.
#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "kernels/arena.h"
#include "kernels/check.h"
#include "kernels/thread_pool.h"

using namespace star;

TEST_CASE("every item is done once, by workers that are never shared") {
    for (int threads : {1, 2, 5}) {
        ThreadPool pool(threads);
        std::vector<std::atomic<int>> done(1000), busy(static_cast<std::size_t>(threads));
        std::atomic<bool> shared{false};
        pool.for_each(1000, [&](std::int64_t i, int worker) {
            if (busy[std::size_t(worker)].fetch_add(1) != 0) shared = true;
            done[std::size_t(i)]++;
            busy[std::size_t(worker)].fetch_sub(1);
        });
        for (auto& d : done) CHECK(d == 1);
        CHECK_FALSE(shared);
    }
}

TEST_CASE("the exception of the lowest item is thrown, after all others are done") {
    ThreadPool pool(3);
    std::atomic<int> done{0};
    try {
        pool.for_each(100, [&](std::int64_t i, int) {
            ++done;
            if (i % 10 == 7) throw Error(std::to_string(i));
        });
        FAIL("nothing was thrown");
    } catch (const Error& e) {
        CHECK(std::string(e.what()) == "7");
    }
    CHECK(done == 100);
}

TEST_CASE("loops within loops, and from several threads at once, all end") {
    ThreadPool pool(4);
    std::atomic<int> sum{0};
    std::vector<std::thread> callers;
    for (int c = 0; c < 3; ++c)
        callers.emplace_back([&] {
            for (int repeat = 0; repeat < 20; ++repeat)
                pool.for_each(8, [&](std::int64_t, int) { pool.for_each(8, [&](std::int64_t, int) { ++sum; }); });
        });
    for (auto& c : callers) c.join();
    CHECK(sum == 3 * 20 * 64);
}

TEST_CASE("ranges cover everything, also none") {
    ThreadPool pool(2);
    std::atomic<std::int64_t> sum{0};
    pool.for_range(1001, 64, [&](std::int64_t first, std::int64_t last, int) {
        for (auto i = first; i < last; ++i) sum += i;
    });
    CHECK(sum == 1001 * 1000 / 2);
    pool.for_range(0, 64, [&](std::int64_t, std::int64_t, int) { FAIL("an item of none"); });
}

TEST_CASE("an arena's rehearsal gives the size that real use needs") {
    const auto use = [](Arena& arena) {
        arena.take<float>(Shape{1, 3, 5, 7});
        {
            const Arena::Scope scope(arena);
            arena.take<bf16>(Shape{2, 100, 100, 8});
        }
        return arena.take<std::uint8_t>(std::int64_t{3} << 20);
    };
    Arena measure = Arena::measuring();
    CHECK(use(measure).data == nullptr);
    Arena real({}, measure.peak());
    CHECK(use(real).data != nullptr);
    CHECK(real.peak() == measure.peak());
    Arena small({}, measure.peak() - 1);
    CHECK_THROWS_AS(use(small), Error);
}
