// Detection in all orientations: what is found doesn't depend on which way up the image is.
#include <doctest/doctest.h>

#include <algorithm>

#include "kernels/orient.h"
#include "nn/detector.h"
#include "tests/nn_tiny.h"

using namespace star;
using namespace star::test;

namespace {

constexpr int side = 96;  // three tiles of 32, of which the middle one stays the middle one

Procedure procedure(int seen) {
    Procedure p;
    p.core = 32, p.halo = 16, p.top_k = 1000;
    p.mesh.size = 4096;
    p.suppress = 0;  // every candidate is a row: suppression would choose between nearly equal ones by their last bit
    p.threshold = 0.02f;
    p.orientations = seen;
    return p;
}

// Blobs on noise, read-out noise 5 on a sky of 0.
std::vector<float> image() {
    std::vector<float> v(side * side);
    Random r(8, 0);
    for (float& x : v) x = float(0.3 * r.normal());
    for (int i = 0; i < 60; ++i) add_blob(v.data(), side, side, r.uniform(0, side), r.uniform(0, side), r.below(3));
    for (float& x : v) x *= 5;
    return v;
}

std::vector<Detection> units(const Detector<float>& detector, const std::vector<float>& pixels) {
    return detector.detect(one_thread(), {{pixels.data(), {1, side, side, 1}}, {nullptr, nothing}, {4, 400, 1}}, {2})
        .units;
}

// A unit of orientation g as the image itself has it.
Detection turned_back(int g, Detection d) {
    const auto place = [&](float x, float y) {
        if (g & 4) std::swap(x, y);
        return std::pair{g & 1 ? float(side) - x : x, g & 2 ? float(side) - y : y};
    };
    const auto [ax, ay] = place(d.box.x0, d.box.y0);
    const auto [bx, by] = place(d.box.x1, d.box.y1);
    d.box = {std::min(ax, bx), std::min(ay, by), std::max(ax, bx), std::max(ay, by)};
    return d;
}

// The largest difference in score or edges between units of `some` and those of `all` that are nearest to them.
double apart(const std::vector<Detection>& some, const std::vector<Detection>& all) {
    double worst = 0;
    for (const Detection& d : some) {
        if (d.score < 0.03f) continue;  // its counterpart may lie below the threshold
        double nearest = INFINITY;
        for (const Detection& e : all)
            nearest = std::min(nearest, double(std::max({std::fabs(d.score - e.score), std::fabs(d.box.x0 - e.box.x0),
                                                         std::fabs(d.box.y0 - e.box.y0), std::fabs(d.box.x1 - e.box.x1),
                                                         std::fabs(d.box.y1 - e.box.y1)})));
        worst = std::max(worst, nearest);
    }
    return worst;
}

}  // namespace

TEST_CASE("detect: seen in all orientations, an image has the same units whichever way up it is") {
    const Weights weights = loud_weights(tiny(), 11);
    const Detector<float> all(one_thread(), tiny(), procedure(orientations), weights.finder()),
        one(one_thread(), tiny(), procedure(1), weights.finder());
    const std::vector<float> pixels = image();
    const auto want = units(all, pixels), plain = units(one, pixels);
    REQUIRE(want.size() > 200);
    CHECK(apart(want, plain) > 0.1);  // the other orientations have their say
    for (int g = 1; g < orientations; ++g) {
        CAPTURE(g);
        std::vector<float> turned(pixels.size());
        for (int i = 0; i < side; ++i)
            for (int j = 0; j < side; ++j) {
                const Cell of = seen_at(g, {i, j}, side);
                turned[std::size_t(i * side + j)] = pixels[std::size_t(of.row * side + of.column)];
            }
        const auto back = [&](std::vector<Detection> list) {
            for (Detection& d : list) d = turned_back(g, d);
            return list;
        };
        const auto got = back(units(all, turned));
        // Eight numbers in another order, and a background from pixels in another order: roundings of 1e-7, which a
        // network of ten layers magnifies a little. One sign or axis turned wrongly makes tenths.
        CHECK(apart(want, got) < 1e-4);
        CHECK(apart(got, want) < 1e-4);
        CHECK(apart(back(units(one, turned)), plain) > 0.1);
    }
}

TEST_CASE("detect: all orientations, equal bits for any number of tiles in flight") {
    const Weights weights = loud_weights(tiny(), 11);
    const Detector<bf16> detector(one_thread(), tiny(), procedure(orientations), weights.finder());
    const std::vector<float> pixels = image();
    const Sky sky{{pixels.data(), {1, side, side, 1}}, {nullptr, nothing}, {4, 400, 1}};
    const auto want = detector.detect(one_thread(), sky, {1}).units;
    ThreadPool pool(3);
    const auto got = detector.detect({{}, &pool}, sky, {4}).units;
    CHECK(std::equal(want.begin(), want.end(), got.begin(), got.end(), [](const Detection& a, const Detection& b) {
        return a.box == b.box && a.score == b.score && a.label == b.label;
    }));
    CHECK(
        detector.memory_bytes(one_thread(), side, side, {}) >
        Detector<bf16>(one_thread(), tiny(), procedure(1), weights.finder()).memory_bytes(one_thread(), side, side, {}));
}

TEST_CASE("detect: orientations need anchors that turn into each other") {
    const Weights weights = loud_weights(tiny_paper(), 11);
    const auto open = [&](int seen) {
        Procedure p = procedure(seen);
        p.core = p.halo = 64;
        return Detector<float>(one_thread(), tiny_paper(), p, weights.finder());
    };
    CHECK_NOTHROW(open(1));
    CHECK_THROWS_AS(open(8), Error);
    CHECK_THROWS_AS(open(3), Error);
}
