// The road from the simulator to the trainer on the emulated device, where no pixel passes through the host.
#include <doctest/doctest.h>

#include <cmath>

#include "nn/trainer.h"
#include "tests/batch_truth.h"
#include "tests/cuda_support.h"
#include "tests/nn_tiny.h"
#include "tools/fields.h"

using namespace star;
using namespace star::test;

namespace {

// The truth of a batch that lies on the device.
BatchTruth truth_of(Stream stream, const TrainingBatch& b) {
    REQUIRE(b.truths);
    BatchTruth t;
    t.first = download(stream, b.truths->first.data(), b.truths->first.size());
    REQUIRE((t.first.front() == 0 && t.first.back() <= b.truths->boxes.size()));
    t.boxes = download(stream, b.truths->boxes.data(), t.first.back());
    t.labels = download(stream, b.truths->labels.data(), t.first.back());
    return t;
}

Setup setup_of(bool galaxies, double drizzle) {
    Exposure e;
    e.drizzle_sigma = drizzle;
    SceneOptions scene;
    scene.mock.emplace();
    if (galaxies) scene.galaxies.emplace();
    Setup s{{e, 0.074, Psf::gaussian(2, {4, 8})}, scene, {}, 10, tiny(), {}, {}, {}, ""};
    s.training.how.batch = 4, s.training.how.height = 24, s.training.how.width = 32, s.training.fields = 2;
    return s;
}

}  // namespace

TEST_CASE("a batch drawn on the device is the host's: equal truth, pixels equal to the rounding of light") {
    const Queue gpu;
    ThreadPool pool(2);
    for (const bool galaxies : {false, true})
        for (const double drizzle : {0.0, 0.4}) {
            CAPTURE(galaxies);
            CAPTURE(drizzle);
            const Setup setup = setup_of(galaxies, drizzle);
            FieldSource here({{}, &pool}, setup, Curriculum(setup.simulator())),
                there(gpu.stream, setup, Curriculum(setup.simulator()));
            const TrainingBatch want = here.batch(3, {14, 15}), got = there.batch(3, {14, 15});
            REQUIRE(got.on_device);
            CHECK(got.images.empty());
            CHECK((got.boxes.empty() && got.labels.empty() && got.first.empty()));  // nothing by way of the host
            CHECK(truth_of(gpu.stream, got) == BatchTruth{want.boxes, want.labels, want.first});
            CHECK(want.boxes.size() > 10);
            const auto pixels = download(gpu.stream, got.on_device->data(), got.on_device->size());
            REQUIRE(pixels.size() == want.images.size());
            // Light differs in its last bits, which may move a count by a photon, and a pixel by no more than that over
            // the stretch's sigma (asinh's slope is 1 at most; a drizzle spreads it); the mesh moves by far less: 5 %.
            const Exposure& e = setup.instrument.exposure;
            const double photon = image_unit(e) / (background_sigma(e) * setup.procedure.normalise.softening);
            int jumps = 0;
            double worst = 0;
            for (std::size_t i = 0; i < pixels.size(); ++i) {
                const double off = std::fabs(double(pixels[i]) - want.images[i]);
                jumps += off > 1e-3, worst = std::max(worst, off);
            }
            CHECK(worst < std::min(1.05 * photon, 0.25));
            CHECK(jumps < int(pixels.size()) / 50);
        }
}

TEST_CASE("lessons side by side: units that are linked on the host, the network's pixels, the paper's labels") {
    const Queue gpu;
    ThreadPool pool(2);
    Setup setup = setup_of(false, 0), linked = setup, paper = setup;
    linked.truth.units = Units::linked;
    paper.truth.labels = Labels::paper;
    const auto mix = [&] {
        return Curriculum({{1, setup.simulator()}, {1, linked.simulator()}, {1, paper.simulator()}});
    };
    setup.procedure.input_scale = 2;
    FieldSource here({{}, &pool}, setup, mix()), there(gpu.stream, setup, mix());
    int kinds[3] = {};
    for (std::uint64_t i = 0; i < 8; i += 2) {
        const TrainingBatch want = here.batch(3, {i, i + 1}), got = there.batch(3, {i, i + 1});
        BatchTruth scaled{want.boxes, want.labels, want.first};
        for (Box& b : scaled.boxes) b = {2 * b.x0, 2 * b.y0, 2 * b.x1, 2 * b.y1};
        CHECK(truth_of(gpu.stream, got) == scaled);
        for (std::uint64_t f : {i, i + 1}) ++kinds[mix().choice(3, f)];
    }
    for (int k : kinds) CHECK(k > 0);
}

TEST_CASE("batches on the device are functions of seed and index, kept or not") {
    const Queue gpu;
    const Setup setup = setup_of(false, 0);
    FieldSource source(gpu.stream, setup, Curriculum(setup.simulator()));
    const auto pixels = [&](const TrainingBatch& b) {
        return download(gpu.stream, b.on_device->data(), b.on_device->size());
    };
    const TrainingBatch kept = source.batch(3, {2, 3}, true);
    const auto first = pixels(kept);
    const BatchTruth truth = truth_of(gpu.stream, kept);
    for (std::uint64_t i = 4; i < 12; i += 2) source.batch(3, {i, i + 1});
    CHECK(same_bits(pixels(kept), first));
    CHECK(truth_of(gpu.stream, kept) == truth);
    const TrainingBatch again = source.batch(3, {2, 3}), other = source.batch(3, {4, 5});
    CHECK(same_bits(pixels(again), first));
    CHECK(truth_of(gpu.stream, again) == truth);
    CHECK(!same_bits(pixels(other), first));
    CHECK(!(truth_of(gpu.stream, other) == truth));
}

TEST_CASE("a step on a batch that lies on the device is the step on the same pixels from the host") {
    const Queue gpu;
    const StreamOwner stream(test::gpu, gpu.stream.pool);
    const Setup setup = setup_of(false, 0);
    FieldSource source(stream, setup, Curriculum(setup.simulator()));
    TrainingBatch batch = source.batch(3, {2, 3});
    Losses losses[2];
    for (const bool host : {false, true}) {
        if (host) {
            batch.images = download(stream, batch.on_device->data(), batch.on_device->size());
            BatchTruth t = truth_of(stream, batch);
            batch.boxes = std::move(t.boxes), batch.labels = std::move(t.labels), batch.first = std::move(t.first);
            batch.on_device.reset(), batch.truths.reset();
        }
        Trainer<float> trainer(stream, setup.architecture, 1, setup.training.how, 5);
        trainer.step(batch);
        losses[host] = trainer.losses();
    }
    CHECK(losses[0].finite());
    CHECK(losses[0].classes == losses[1].classes);
    CHECK(losses[0].boxes == losses[1].boxes);
    CHECK(losses[0].norm == losses[1].norm);
}
