// The emulated device's streams: nothing runs before it is waited for, and no stream waits for another.
#include <doctest/doctest.h>

#include "kernels/simt.h"

using namespace star;

namespace {

constexpr Device device{Device::Kind::cuda, 0};

void set(int* to, int value) { *to = value; }

void queue_set(Stream stream, int* to, int value) { launch(stream, {{}, 32}, set, to, value); }

}  // namespace

TEST_CASE("emulator: a stream's work runs when it is waited for, in order") {
    const StreamOwner one(device, nullptr), other(device, nullptr);
    const Buffer<int> number(device, 1);
    HostBuffer<int> host(device, 1);
    int* const n = number.data();
    *n = 0;
    queue_set(one, n, 1);
    copy_to_host(one, host.data(), n, sizeof(int));
    CHECK(*n == 0);
    queue_set(other, n, 2);
    synchronize(other);
    CHECK(*n == 2);  // a stream overtakes another that nothing waits for
    synchronize(one);
    CHECK(*n == 1);
    CHECK(*host.data() == 1);
}

TEST_CASE("emulator: an event is reached without what was queued after it") {
    const Buffer<int> numbers(device, 2);
    int* const n = numbers.data();
    n[0] = n[1] = 0;
    Event never(device), reached(device);
    never.wait();
    {
        const StreamOwner stream(device, nullptr);
        queue_set(stream, n, 1);
        reached.record(stream);
        queue_set(stream, n + 1, 1);
        reached.wait();
        CHECK(n[0] == 1);
        CHECK(n[1] == 0);
    }
    CHECK(n[1] == 1);  // a stream's end waits for its work
    reached.wait();    // and an event outlives its stream
}

TEST_CASE(
    "emulator: a launch that no device takes is refused when it is queued, a kernel's mistake when it is waited for") {
    const StreamOwner owner(device, nullptr);
    const Stream stream = owner;
    CHECK_THROWS_AS(launch(stream, {{}, 33}, set, static_cast<int*>(nullptr), 0), Error);
    const auto mistaken = +[](int) {
        if (lane() == 0) sync_warp();
    };
    const Buffer<int> numbers(device, 2);
    int* const n = numbers.data();
    n[0] = n[1] = 0;
    Event behind(device);
    launch(stream, {{}, 32}, mistaken, 0);
    queue_set(stream, n, 1);
    behind.record(stream);
    queue_set(stream, n + 1, 1);
    CHECK_THROWS_AS(synchronize(stream), Error);
    behind.wait();  // the mistake is said once, and what comes after it is done
    CHECK(n[0] == 1);
    CHECK(n[1] == 0);
    synchronize(stream);
    CHECK(n[1] == 1);
    n[0] = 0;
    {
        const StreamOwner unheard(device, nullptr);
        launch(Stream(unheard), {{}, 32}, mistaken, 0);
        queue_set(unheard, n, 1);
    }
    CHECK(n[0] == 1);
}
