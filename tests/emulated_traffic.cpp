// What the emulator counts of plain reads and writes: on kernels whose answers are known, and on the operations beside
// the convolutions, which may not move more than they do.
#include <doctest/doctest.h>

#include "bench/traffic.h"
#include "kernels/config.h"
#include "tests/probe_kernels.h"
#include "tests/skip.h"

using namespace star;
using namespace star::test;

namespace {

constexpr Device device{Device::Kind::cuda, 0};

bool unseen() {
    if (!accesses_seen) skip("plain reads and writes are seen in a build by GCC without sanitizers");
    return !accesses_seen;
}

}  // namespace

TEST_CASE("emulator: sectors of a warp's plain reads and writes") {
    if (unseen()) return;
    const Buffer<float> from = bench::numbers<float>(32 * 64), to(device, 32 * 64);
    const auto copied = [&](int step, int lanes) {
        return simt::counted([&] { probe_strided_copy({device}, from.data(), to.data(), step, lanes); });
    };
    for (const auto& [step, sectors] : {std::pair{1, 4}, {2, 8}, {4, 16}, {8, 32}, {32, 32}, {0, 1}}) {
        CAPTURE(step);
        const simt::Counters n = copied(step, 32);
        CHECK(n.read_requests == 1);
        CHECK(n.read_sectors == sectors);
        CHECK(n.write_requests == 1);
        CHECK(n.write_sectors == sectors);
        CHECK(n.shared_requests == 0);
        CHECK(n.global_bytes() == 64 * sectors);
    }
    const simt::Counters some = copied(1, 9);  // a request that not all lanes take part in
    CHECK(some.read_requests == 1);
    CHECK(some.read_sectors == 2);
    probe_strided_copy({device}, from.data(), to.data(), 1, 32);
    CHECK(simt::last_launch().read_requests == 0);  // nobody watched
}

TEST_CASE("emulator: passes over the banks of shared memory") {
    if (unseen()) return;
    // write once at the step, read once side by side
    for (const auto& [step, conflicts] :
         {std::pair{1, 0}, {2, 1}, {3, 0}, {4, 3}, {8, 7}, {16, 15}, {32, 31}, {33, 0}, {0, 0}}) {
        CAPTURE(step);
        const simt::Counters n = simt::counted([&] { probe_strided_shared({device}, step); });
        CHECK(n.shared_requests == 2);
        CHECK(n.shared_conflicts == conflicts);
        CHECK(n.global_bytes() == 0);
    }
}

TEST_CASE("operations beside the convolutions move what they did, and no more") {
    if (unseen()) return;
    const Stream stream{device};
    bench::Arrays arrays;
    for (const bench::TrafficTask& task : bench::traffic_tasks(arrays, stream)) {
        CAPTURE(task.name);
        CAPTURE(task.shape);
        const simt::Counters n = bench::count(task, stream);
        CHECK(double(n.global_bytes()) <= task.times * task.least);
        CHECK(double(n.global_bytes()) > 0.9 * task.times * task.least);  // a bound that has become loose
    }
}
