// What the emulator counts of plain reads and writes: on kernels whose answers are known, and on the operations beside
// the convolutions, which may not move more than they do.
#include <doctest/doctest.h>

#include <map>

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
    // Bytes through global memory over the least, as if there were no cache, and conflicts between banks. Above 1 are a
    // norm's passes over its input, windows that overlap, pixels that are sorted and searched, lists that pass several
    // kernels. Recorded, not derived: a regression shows as more, and what was gained is to be recorded.
    struct Held {
        double times;
        std::int64_t conflicts;
    };
    const std::map<std::string, Held> recorded{{"add + ReLU", {1, 0}},
                                               {"ReLU", {1, 0}},
                                               {"ReLU backward", {1, 0}},
                                               {"float to bf16", {1, 0}},
                                               {"max pool", {1.8, 0}},
                                               {"max pool backward", {2.48, 0}},
                                               {"upsample + add", {1.11, 0}},
                                               {"upsample backward", {1, 0}},
                                               {"batch norm", {2.19, 0}},
                                               {"batch norm backward", {1.83, 0}},
                                               {"batch norm, folded", {1.1, 0}},
                                               {"gradient norm", {1, 0}},
                                               {"Adam", {1, 0}},
                                               {"anchor matching", {6.33, 0}},
                                               {"focal loss", {1.49, 0}},
                                               {"box loss", {1.54, 0}},
                                               {"sky mesh", {8.04, 3260}},
                                               {"sky map", {2, 0}},
                                               {"noise of the image", {84.91, 1817}},
                                               {"normalise", {1.02, 0}},
                                               {"cut a tile", {1, 0}},
                                               {"enlarge", {3.73, 0}},
                                               {"eight orientations", {8.44, 0}},
                                               {"mean of orientations", {1.44, 0}},
                                               {"photon noise", {1, 0}},
                                               {"drizzled noise", {4.57, 0}},
                                               {"stars' stamps", {12.98, 0}},
                                               {"decode + top-k", {35, 5805}},
                                               {"nms", {130.53, 4054}},
                                               {"nms identical", {36.1, 3062}}};
    const Stream stream{device};
    bench::Arrays arrays;
    const auto tasks = bench::traffic_tasks(arrays, stream);
    CHECK(tasks.size() == recorded.size());
    for (const bench::TrafficTask& task : tasks) {
        CAPTURE(task.name);
        CAPTURE(task.shape);
        const simt::Counters n = bench::count(task, stream);
        const double times = double(n.global_bytes()) / task.least;
        CHECK(times >= 1);  // or the least isn't
        REQUIRE(recorded.contains(task.name));
        const Held& held = recorded.at(task.name);
        CHECK(times == doctest::Approx(held.times).epsilon(0.005));
        CHECK(n.shared_conflicts == held.conflicts);
    }
}
