// Detection over several streams when something goes wrong: no memory, a word to stop, an error from the one who
// listens.
#include <doctest/doctest.h>

#include "kernels/simt.h"
#include "tests/cuda_support.h"
#include "tests/detection_scene.h"

using namespace star;
using namespace star::test;

namespace {

struct Limit {
    explicit Limit(std::int64_t bytes) { simt::limit_memory(bytes); }
    ~Limit() { simt::limit_memory(INT64_MAX); }
};

bool same(const std::vector<Detection>& a, const std::vector<Detection>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const Detection& x, const Detection& y) { return x.box == y.box && x.score == y.score; });
}

}  // namespace

TEST_CASE("detect: with less memory fewer tiles and streams at once give the same units; with none for one, an error") {
    ThreadPool pool(2);
    const StreamOwner stream(gpu, &pool);
    DetectionScene scene;
    const Detector<float> detector = scene.detector(stream);
    const auto want = detector.detect(stream, scene.sky(), {}).units;
    REQUIRE(want.size() > 10);

    const std::int64_t before = simt::held_memory();
    const auto held_by = [&](Flow flow) {  // while tiles run
        std::int64_t held = 0;
        detector.detect(stream, scene.sky(), flow, [&](int done, int) {
            if (done == 0) held = simt::held_memory() - before;
            return true;
        });
        CHECK(simt::held_memory() == before);
        return held;
    };
    const std::int64_t whole = held_by({2, 2}), one_each = held_by({1, 2}), one = held_by({1, 1});
    REQUIRE(one < one_each);
    REQUIRE(one_each < whole);
    for (const std::int64_t bytes : {whole, whole - 1, one_each, one_each - 1, one}) {
        CAPTURE(bytes);
        const Limit limit(before + bytes);
        CHECK(same(detector.detect(stream, scene.sky(), {2, 2}).units, want));
        CHECK(held_by({2, 2}) == (bytes == whole ? whole : bytes >= one_each ? one_each : one));
    }
    {
        const Limit limit(before + one - 1);
        Fault fault = Fault::internal;
        try {
            detector.detect(stream, scene.sky(), {2, 2});
        } catch (const Error& e) {
            fault = e.fault;
        }
        CHECK(fault == Fault::device);
        CHECK(simt::held_memory() == before);
    }
}

TEST_CASE("detect: told to stop, it ends with what was on its way; an error passes with nothing held") {
    ThreadPool pool(2);
    const StreamOwner stream(gpu, &pool);
    DetectionScene scene;
    const Detector<float> detector = scene.detector(stream);
    const std::int64_t before = simt::held_memory();
    for (const auto& [stop_at, done] : {std::pair{0, 0}, {1, 2}, {2, 3}, {3, 4}}) {  // one more is on its way
        CAPTURE(stop_at);
        const auto found = detector.detect(stream, scene.sky(), {1, 2}, [&](int now, int) { return now < stop_at; });
        CHECK(found.tiles_done == done);
        CHECK(found.cancelled == (done < 4));
    }
    for (const int at : {0, 1, 3}) {
        CAPTURE(at);
        CHECK_THROWS_WITH_AS(detector.detect(stream, scene.sky(), {1, 2},
                                             [&](int now, int) {
                                                 if (now == at) fail(Fault::usage, "enough");
                                                 return true;
                                             }),
                             "enough", Error);
        CHECK(simt::held_memory() == before);
    }
}
