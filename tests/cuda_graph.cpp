// Recorded work: nothing runs while it is recorded, every run reads the device's memory anew.
#include <doctest/doctest.h>

#include "kernels/focal.h"
#include "kernels/graph.h"
#include "tests/cuda_support.h"

using namespace star;
using namespace star::test;

TEST_CASE("recorded work runs when it is told to, on what memory holds then") {
    if (gpu_missing()) return;
    ThreadPool pool(2);
    for (const Device device : {gpu, Device{}}) {
        const StreamOwner stream(device, &pool);
        const Buffer<float> from(device, 4), to(device, 4);
        HostBuffer<float> host(device, 4);
        const auto put = [&](float v) {
            std::fill_n(host.data(), 4, v);
            copy_to_device(stream, from.data(), host.data(), 4 * sizeof(float));
            synchronize(stream);
        };
        const auto logits = View<const float>{from.data(), {1, 1, 1, 4}};
        const std::vector<std::int8_t> label(1, 2);
        const std::vector<int> positives(1, 1);
        const Buffer<std::int8_t> labels(device, 1);
        const Buffer<int> count(device, 1);
        const Buffer<float> loss(device, 1);
        copy_to_device(stream, labels.data(), label.data(), 1);
        copy_to_device(stream, count.data(), positives.data(), sizeof(int));
        Focal how;
        how.per_cell = 1, how.classes = 4;
        Arena measure = Arena::measuring();
        const auto work = [&](Stream s, Arena& scratch) {
            focal_loss<float>(s, logits, labels.data(), 1, {count.data(), {1, 1, 1, 1}}, how, {to.data(), {1, 1, 1, 4}},
                              loss.data(), scratch);
        };
        work(dry(stream), measure);
        Arena scratch(device, measure.peak());
        const auto result = [&] {
            std::vector<float> out(4);
            copy_to_host(stream, out.data(), to.data(), 4 * sizeof(float));
            synchronize(stream);
            return out;
        };
        put(0.5f);
        work(stream, scratch);
        const auto wanted = result();
        put(-3);
        int recordings = 0;
        const Graph graph(stream, [&](Stream s) {
            ++recordings;
            work(s, scratch);
        });
        CHECK(same_bits(result(), wanted));  // still the old gradient
        graph.run();
        CHECK_FALSE(same_bits(result(), wanted));
        put(0.5f);
        graph.run();
        CHECK(same_bits(result(), wanted));
        CHECK(recordings == (device == gpu ? 1 : 2));
    }
}

TEST_CASE("what can't be recorded says so") {
    if (gpu_missing()) return;
    const Stream unowned{gpu};
    CHECK_THROWS_AS(Graph(unowned, [](Stream) {}), Error);
    const StreamOwner stream(gpu, nullptr);
    CHECK_THROWS_WITH_AS(Graph(stream, [](Stream) { fail(Fault::usage, "the work's own error"); }),
                         "the work's own error", Error);
    CHECK_THROWS_AS(Graph().run(), Error);
    Graph(stream, [](Stream) {}).run();  // the failure before has left nothing behind
}
