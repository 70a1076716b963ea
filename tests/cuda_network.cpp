// The whole network on the device: a training step against the CPU's, its recorded form, learning, detection.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "tests/cuda_support.h"
#include "tests/detection_scene.h"
#include "tests/nn_tiny.h"

using namespace star;
using namespace star::test;

namespace {

/// Adam's first moment after one step, a tenth of the clipped gradient, by name; and the loss.
struct FirstStep {
    std::map<std::string, std::vector<float>> gradient;
    double loss = 0;
};

template <class T>
FirstStep first_step(Stream stream, const Architecture& a, const TrainingBatch& batch, int side) {
    Trainer<T> trainer(stream, a, 1, settings(2, side), 5);
    trainer.step(batch);
    FirstStep out;
    out.loss = trainer.losses().total();
    for (NamedTensor& t : trainer.state())
        if (t.name.starts_with("m/")) out.gradient[t.name] = std::move(t.data);
    return out;
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += (double(a[i]) - b[i]) * (double(a[i]) - b[i]);
    return std::sqrt(sum);
}

double norm(const std::vector<float>& a) { return distance(a, std::vector<float>(a.size(), 0.0f)); }

std::vector<float> values(const std::vector<NamedTensor>& tensors) {
    std::vector<float> all;
    for (const NamedTensor& t : tensors) all.insert(all.end(), t.data.begin(), t.data.end());
    return all;
}

/// Weights after `steps` steps on changing batches.
template <class T>
std::vector<float> trained(Stream stream, int steps) {
    Trainer<T> trainer(stream, tiny(), 1, settings(2, 16), 1);
    for (int s = 0; s < steps; ++s) trainer.step(blobs(2, 16, std::uint64_t(s)));
    CHECK(trainer.losses().finite());
    return values(trainer.averaged_weights());
}

}  // namespace

TEST_CASE("a training step on the device: the loss and every gradient are the CPU's") {
    if (gpu_missing()) return;
    ThreadPool pool(2), portable(1, Isa::baseline), wide(1);
    const StreamOwner device(gpu, &pool);
    for (const auto& [architecture, side] : {std::pair{tiny(), 16}, {tiny_paper(), 32}}) {
        const auto batch = blobs(2, side, 9);
        const auto exact = first_step<float>({{}, &wide}, architecture, batch, side);
        // What rounding alone does to a network of this depth is what it does between two instruction sets of the CPU
        // (float: other orders of sums) and between float and bf16 activations of the CPU. The device's kernels round
        // at the same points in yet another order, an error of the same distribution: twice the CPU's own covers
        // tensors of few elements, and tensors in which the CPU's happens to be small are measured by the whole.
        const auto compare = [&](const FirstStep& ours, const FirstStep& theirs) {
            double whole = 0, all = 0;
            for (const auto& [name, g] : exact.gradient)
                whole = std::hypot(whole, distance(theirs.gradient.at(name), g)), all = std::hypot(all, norm(g));
            REQUIRE(whole > 0);
            for (const auto& [name, g] : exact.gradient) {
                CAPTURE(name);
                const double share = norm(g) / all * whole;
                CHECK(distance(ours.gradient.at(name), g) <=
                      2 * std::max(distance(theirs.gradient.at(name), g), share) + 0x1p-20 * whole);
            }
        };
        const auto in_float = first_step<float>(device, architecture, batch, side);
        compare(in_float, first_step<float>({{}, &portable}, architecture, batch, side));
        // some fifteen layers of sums of at most 144 products, whose roundings add like a random walk: 15 * 12 * 2^-24
        CHECK(in_float.loss == doctest::Approx(exact.loss).epsilon(1e-5));
        const auto cpu_bf16 = first_step<bf16>({{}, &wide}, architecture, batch, side);
        const auto in_bf16 = first_step<bf16>(device, architecture, batch, side);
        compare(in_bf16, cpu_bf16);
        // every activation is rounded by at most 2^-9 at some fifteen layers, one after the other
        CHECK(in_bf16.loss == doctest::Approx(exact.loss).epsilon(15 * 0x1p-9));
    }
}

TEST_CASE_TEMPLATE("training on the device gives the same bits twice", T, float, bf16) {
    if (gpu_missing()) return;
    ThreadPool one(1), two(2);
    const StreamOwner a(gpu, &one), b(gpu, &two);
    CHECK(same_bits(trained<T>(a, 3), trained<T>(b, 3)));
}

TEST_CASE("the loss falls over twenty steps on the device") {
    if (gpu_missing()) return;
    ThreadPool pool;
    const StreamOwner stream(gpu, &pool);
    Training how = settings(2, 16);
    how.warm_up = 1;
    Trainer<bf16> trainer(stream, tiny(), 1, how, 3);
    const auto batch = blobs(2, 16, 4);
    trainer.step(batch);
    const double start = trainer.losses().total();
    for (int s = 1; s < 20; ++s) trainer.step(batch);
    const double end = trainer.losses().total();
    MESSAGE("loss " << start << " -> " << end);
    CHECK(end < 0.8 * start);
}

TEST_CASE("detection on the device gives the CPU's catalogue") {
    if (gpu_missing()) return;
    ThreadPool pool(2);
    const StreamOwner device(gpu, &pool);
    const Stream cpu{{}, &pool};
    DetectionScene scene;
    const auto find = [&](Stream s, Flow flow) { return scene.detector(s).detect(s, scene.sky(), flow); };
    const Detections ours = find(device, {}), theirs = find(cpu, {});
    REQUIRE(theirs.units.size() > 10);
    // A unit whose score lies within rounding of the threshold, or of a rival's, may fall on the other side.
    REQUIRE(ours.units.size() == theirs.units.size());
    for (std::size_t i = 0; i < ours.units.size(); ++i) {
        CHECK(ours.units[i].label == theirs.units[i].label);
        CHECK(ours.units[i].score == doctest::Approx(theirs.units[i].score).epsilon(1e-4));
        CHECK(ours.units[i].box.x() == doctest::Approx(theirs.units[i].box.x()).epsilon(1e-4));
        CHECK(ours.units[i].box.y() == doctest::Approx(theirs.units[i].box.y()).epsilon(1e-4));
    }
    CHECK(ours.tiles == 4);
    for (const Flow flow : {Flow{4, 1}, Flow{1, 2}, Flow{1, 3}, Flow{2, 2}, Flow{3, 2}, Flow{1, 8}}) {
        CAPTURE(flow.tiles);
        CAPTURE(flow.streams);
        const Detections several = find(device, flow);
        CHECK(several.tiles_done == ours.tiles_done);
        REQUIRE(several.units.size() == ours.units.size());
        for (std::size_t i = 0; i < ours.units.size(); ++i) {
            CHECK(several.units[i].score == ours.units[i].score);
            CHECK(several.units[i].box == ours.units[i].box);
            CHECK(std::equal(several.units[i].chances, several.units[i].chances + most_classes, ours.units[i].chances));
        }
    }
}
