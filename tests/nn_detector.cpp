// Detection with tiny networks: equal bits however the work is split, no seams, bad pixels stay local, cancelling,
// memory.
#include <doctest/doctest.h>
#include <malloc.h>

#include <algorithm>
#include <set>
#include <thread>

#include "nn/detector.h"
#include "tests/nn_tiny.h"
#include "tests/skip.h"

using namespace star;
using namespace star::test;

namespace {

// How far from an anchor's centre a pixel can change its outputs. Level 1 (stride 4): three 3x3 in pyramid and heads,
// (1 + 1 + 1) * 4, the second block of stage 1, 4, its first, 2, stage 0, 2, the stem, 1 + 1: 22, and 2 between the
// cell's first pixel and its centre. Level 0 reaches less.
constexpr int reach = 24;

Procedure procedure(int core, int halo) {
    Procedure p;
    p.core = core, p.halo = halo;
    p.mesh.size = 4096;  // one background for the whole image, unless a test wants otherwise
    p.top_k = 1000;
    return p;
}

// An image whose normalised pixels are (nearly) the given ones: sky 100, 4 electrons per unit, so sigma = 5.
struct Image {
    int height, width;
    std::vector<float> pixels;
    std::vector<std::uint8_t> mask;
    Noise noise{4, 0, 1};

    Image(int height, int width, const std::vector<float>& normalised) : height(height), width(width) {
        for (float v : normalised) pixels.push_back(100 + 5 * std::sinh(v));
    }
    Sky sky() const {
        const Shape shape{1, height, width, 1};
        return {{pixels.data(), shape}, {mask.empty() ? nullptr : mask.data(), mask.empty() ? nothing : shape}, noise};
    }
};

std::vector<float> noise_field(int height, int width, std::uint64_t seed) {
    Random r(seed, 0);
    std::vector<float> v(std::size_t(height) * std::size_t(width));
    for (float& x : v) x = float(0.3 * r.normal());
    return v;
}

// Noise with blobs everywhere.
Image busy_image(int height, int width, std::uint64_t seed) {
    auto v = noise_field(height, width, seed);
    Random r(seed, 1);
    for (int i = 0; i < height * width / 150; ++i)
        add_blob(v.data(), height, width, r.uniform(0, width), r.uniform(0, height), r.below(3));
    return {height, width, v};
}

const Weights& loud() {
    static const Weights w = loud_weights(tiny(), 11);
    return w;
}

const Weights& trained() {
    static const Weights w = [] {
        Training how = settings(8, 32);
        how.average = 0.9f;
        how.warm_up = 20;
        how.steps = 250;
        ThreadPool pool;
        Trainer<float> trainer({{}, &pool}, tiny(), 1, how, 3);
        for (int s = 0; s < how.steps; ++s) trainer.step(blobs(how.batch, 32, 1000 + std::uint64_t(s)));
        return Weights(trainer.averaged_weights());
    }();
    return w;
}

bool equal(const Detection& a, const Detection& b) {
    return a.box == b.box && a.score == b.score && a.label == b.label &&
           std::equal(a.chances, a.chances + most_classes, b.chances);
}

bool same(const std::vector<Detection>& a, const std::vector<Detection>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), equal);
}

}  // namespace

TEST_CASE("anchors are numbered in 32 bits") {
    Fault fault = Fault::internal;
    try {
        anchor_grid(Architecture{}, 1 << 20, 1 << 20);
    } catch (const Error& e) {
        fault = e.fault;
    }
    CHECK(fault == Fault::usage);  // such settings are the model's mistake
}

TEST_CASE_TEMPLATE("detect: equal bits for any number of tiles at once, of streams and of threads", T, float, bf16) {
    const Image image = busy_image(75, 110, 1);  // 3 x 4 tiles, the last row and column cut short
    const Detector<T> detector(one_thread(), tiny(), procedure(32, 16), loud().finder());
    const Detections want = detector.detect(one_thread(), image.sky(), {1});
    CHECK(want.tiles == 12);
    CHECK(want.tiles_done == 12);
    CHECK(want.units.size() > 50);
    CHECK(std::is_sorted(want.units.begin(), want.units.end(), [](auto& a, auto& b) { return a.score > b.score; }));
    for (int threads : {1, 2, 3})
        for (const Flow flow : {Flow{1, 1}, Flow{2, 1}, Flow{3, 1}, Flow{7, 1}, Flow{1, 2}, Flow{5, 2}, Flow{2, 5}}) {
            CAPTURE(threads);
            CAPTURE(flow.tiles);
            CAPTURE(flow.streams);
            ThreadPool pool(threads);
            CHECK(same(detector.detect({{}, &pool}, image.sky(), flow).units, want.units));
        }
}

TEST_CASE_TEMPLATE("detect: several detections at once on one model give the bits of each alone", T, float, bf16) {
    const Detector<T> detector(one_thread(), tiny(), procedure(32, 8), loud().finder());
    std::vector<Image> images;
    std::vector<Detections> alone;
    for (int i = 0; i < 4; ++i) {
        images.push_back(busy_image(40 + 13 * i, 70 - 9 * i, 20 + std::uint64_t(i)));
        alone.push_back(detector.detect(one_thread(), images.back().sky(), {2}));
        CHECK(alone.back().units.size() > 10);
    }
    for (const bool shared : {false, true})
        for (std::size_t at_once : {2, 4}) {
            ThreadPool common(2);
            std::vector<Detections> found(at_once);
            std::vector<std::thread> callers;
            for (std::size_t i = 0; i < at_once; ++i)
                callers.emplace_back([&, i] {
                    ThreadPool own(2);
                    found[i] = detector.detect({{}, shared ? &common : &own}, images[i].sky(), {1 + int(i)});
                });
            for (auto& c : callers) c.join();
            for (std::size_t i = 0; i < at_once; ++i) CHECK(same(found[i].units, alone[i].units));
        }
}

TEST_CASE("detect: a temperature changes the classes' chances as its formula says, and nothing else") {
    const Image image = busy_image(75, 110, 1);
    const auto units_at = [&](float temperature) {
        Procedure how = procedure(32, 16);
        how.temperature = temperature;
        return Detector<float>(one_thread(), tiny(), how, loud().finder()).detect(one_thread(), image.sky(), {2}).units;
    };
    const auto plain = units_at(1);
    REQUIRE(plain.size() > 50);
    for (const float t : {0.5f, 2.0f}) {
        const auto heated = units_at(t);
        REQUIRE(heated.size() == plain.size());
        for (std::size_t i = 0; i < plain.size(); ++i) {
            const Detection &a = plain[i], &b = heated[i];
            CHECK((a.box == b.box && a.score == b.score && a.label == b.label));
            const float most = *std::max_element(a.chances, a.chances + tiny().classes);
            // A quotient, whose rounding a power of 1/t magnifies by 1/t, 1/t itself (exact here), and powf to an ulp.
            for (int k = 0; k < tiny().classes; ++k) {
                const double want = std::pow(double(a.chances[k]) / most, 1.0 / t);
                CHECK(std::fabs(b.chances[k] - want) <= (1.0 / t + 2) * 0x1p-24 * want);
            }
        }
    }
}

TEST_CASE("detect: seams don't show") {
    // Units on corners and borders of 32 px tiles; then the same sky shifted by half a tile, so that none lies on any.
    // Sky and noise wrap around, so the background is the same; nothing is closer to the image's edge than the reach.
    constexpr int side = 160, shift = 16;
    struct Unit {
        double x, y;
        int label;
    };
    const std::vector<Unit> units{{64, 64, 0}, {96, 64, 1}, {64, 96, 2}, {95.9, 96.1, 0}, {64, 80, 0}, {80.3, 96, 1}};
    auto v = noise_field(side, side, 5);
    for (const Unit& u : units) add_blob(v.data(), side, side, u.x - 1.1 * u.label, u.y, u.label);
    std::vector<float> shifted(v.size());
    for (int y = 0; y < side; ++y)
        for (int x = 0; x < side; ++x)
            shifted[std::size_t((y + shift) % side * side + (x + shift) % side)] = v[std::size_t(y * side + x)];

    // The detections whose centre lies within 4 px of each unit: neighbours are 16 px away or more.
    const auto near = [&](const Detections& d, const Unit& u, double by) {
        std::vector<Detection> list;
        for (const Detection& found : d.units)
            if (std::hypot(found.box.x() - u.x - by, found.box.y() - u.y - by) < 4) list.push_back(found);
        return list;
    };
    for (int halo : {0, 4, 8, 12, 16, 24, 32}) {
        Procedure p = procedure(32, halo);
        p.suppress = 2.5;  // 5 px: a briefly trained network sees a wide unit twice
        const Detector<float> detector(one_thread(), tiny(), p, trained().finder());
        const auto on_seams = detector.detect(one_thread(), Image(side, side, v).sky(), {4});
        const auto off_seams = detector.detect(one_thread(), Image(side, side, shifted).sky(), {4});
        int wrong = 0;
        double worst_score = 0, worst_place = 0;
        for (const Unit& u : units) {
            const auto on = near(on_seams, u, 0), off = near(off_seams, u, shift);
            if (on.size() != 1 || off.size() != 1) {
                ++wrong;
                continue;
            }
            worst_score = std::max(worst_score, double(std::fabs(on[0].score - off[0].score)));
            worst_place = std::max({worst_place, std::fabs(on[0].box.x() + shift - off[0].box.x() + 0.0),
                                    std::fabs(on[0].box.y() + shift - off[0].box.y() + 0.0)});
        }
        MESSAGE("halo " << halo << " px, reach " << reach << ": not found exactly once " << wrong << " of "
                        << units.size() << ", score off by up to " << worst_score << ", place by up to " << worst_place
                        << " px");
        if (halo >= 8) CHECK(wrong == 0);
        if (halo < reach + 8) continue;
        // Whoever wins the suppression saw all that it can see: the same sums of the same pixels, in the same order.
        // Only the offset to image coordinates is added to another number: each edge and the mean of two round at below
        // 256 px.
        CHECK(worst_score == 0);
        CHECK(worst_place <= 4 * 256 * 0x1p-24);
    }
}

TEST_CASE("detect: images without a usable pixel give no units, and all tiles are done") {
    const Detector<float> detector(one_thread(), tiny(), procedure(32, 16), loud().finder());
    for (const bool masked : {false, true}) {
        Image image = busy_image(50, 70, 2);
        if (masked)
            image.mask.assign(image.pixels.size(), 1);
        else
            std::fill(image.pixels.begin(), image.pixels.end(), NAN);
        int calls = 0, done = -1;
        const auto d = detector.detect(one_thread(), image.sky(), {3}, [&](int now, int tiles) {
            CHECK(tiles == 6);
            return ++calls, done = now, true;
        });
        CHECK(d.units.empty());
        CHECK(d.tiles == 6);
        CHECK(d.tiles_done == 6);
        CHECK(done == 6);
        CHECK_FALSE(d.cancelled);
        CHECK(d.sky.usable_pixels == 0);
    }
}

TEST_CASE("detect: a bad pixel and a masked block change nothing farther away than they reach") {
    // Cells of 32 px, medians over 3: bad pixels in the first cell change it and, through the filter, its neighbours,
    // whose centres are at 48; the cells' map is interpolated, so background changes up to the next centre, 80. Anchors
    // reach 24 px on, and boxes are off their anchor by less than 16. Noise comes from read-out alone (a sky below zero
    // has no photons), else the mean background would tell every pixel. Nothing is suppressed: suppression could hand
    // changes on.
    constexpr int side = 192, far = 80 + reach + 16;
    Image clean = busy_image(side, side, 3);
    for (float& x : clean.pixels) x -= 200;
    clean.noise = {4, 400, 1};
    Procedure p = procedure(32, 16);
    p.mesh.size = 32, p.mesh.filter = 3;
    p.suppress = 0;
    const Detector<float> detector(one_thread(), tiny(), p, loud().finder());
    const auto distant = [&](const Image& image) {
        std::vector<Detection> kept;
        for (const Detection& d : detector.detect(one_thread(), image.sky(), {5}).units)
            if (d.box.x() > far || d.box.y() > far) kept.push_back(d);
        return kept;
    };
    const auto want = distant(clean);
    CHECK(want.size() > 100);

    Image nan = clean;
    nan.pixels[10 * side + 10] = NAN;
    CHECK(same(distant(nan), want));
    nan.pixels[10 * side + 10] = INFINITY;
    CHECK(same(distant(nan), want));

    Image masked = clean;
    masked.mask.assign(clean.pixels.size(), 0);
    for (int y = 4; y < 28; ++y) std::fill_n(masked.mask.begin() + y * side + 4, 24, 1);
    CHECK(same(distant(masked), want));
    for (int y = 4; y < 28; ++y) std::fill_n(masked.pixels.begin() + y * side + 4, 24, NAN);  // masked twice over
    CHECK(same(distant(masked), want));
}

TEST_CASE_TEMPLATE("detect: images of any size", T, float, bf16) {
    const Detector<T> detector(one_thread(), tiny(), procedure(32, 8), loud().finder());
    for (const auto& [h, w] : {std::pair{1, 1}, {1, 100}, {77, 1}, {2, 2}, {3, 33}, {20, 20}, {32, 32}, {33, 31}}) {
        CAPTURE(h);
        CAPTURE(w);
        for (const bool known : {true, false}) {
            Image image = busy_image(h, w, 4);
            if (!known) image.noise = {};
            const auto d = detector.detect(one_thread(), image.sky(), {2});
            CHECK(d.tiles == ceil_div(h, 32) * ceil_div(w, 32));
            CHECK(d.tiles_done == d.tiles);
            CHECK(d.sky.sigma > 0);
            for (const Detection& u : d.units) {
                CHECK((u.box.x() >= 0 && u.box.x() < float(w) && u.box.y() >= 0 && u.box.y() < float(h)));
                CHECK((u.score > detector.procedure().threshold && u.score <= 1));
            }
        }
    }
    CHECK_THROWS_AS(detector.detect(one_thread(), {{nullptr, {1, 0, 5, 1}}}, {}), Error);
    CHECK_THROWS_AS(detector.detect(one_thread(), busy_image(8, 8, 1).sky(), {0, 1}), Error);
    CHECK_THROWS_AS(detector.detect(one_thread(), busy_image(8, 8, 1).sky(), {1, 0}), Error);
}

TEST_CASE("detect: progress never falls back and ends at the last tile; cancelling returns what was found") {
    Procedure p = procedure(32, 8);
    p.suppress = 0;  // so that what a tile finds doesn't depend on later tiles
    const Detector<float> detector(one_thread(), tiny(), p, loud().finder());
    Image image = busy_image(96, 96, 6);
    for (int y = 0; y < 32; ++y)
        std::fill_n(image.pixels.begin() + y * 96, 32, NAN);  // the first tile has nothing to see
    std::vector<int> seen;
    const auto whole = detector.detect(one_thread(), image.sky(), {2}, [&](int done, int tiles) {
        CHECK(tiles == 9);
        return seen.push_back(done), true;
    });
    CHECK(seen == std::vector<int>{1, 3, 5, 7, 9});
    CHECK_FALSE(whole.cancelled);

    for (int stop_at : {1, 5}) {
        const auto part =
            detector.detect(one_thread(), image.sky(), {2}, [&](int done, int) { return done < stop_at; });
        CHECK(part.cancelled);
        CHECK(part.tiles_done == stop_at);
        CHECK(part.units.empty() == (stop_at == 1));
        CHECK(part.units.size() < whole.units.size());
        for (const Detection& d : part.units)
            CHECK(std::any_of(whole.units.begin(), whole.units.end(), [&](const Detection& w) { return equal(w, d); }));
    }
}

TEST_CASE_TEMPLATE("detect: memory_bytes is what is taken", T, float, bf16) {
    const auto held = [] {
        const auto m = mallinfo2();
        return std::int64_t(m.uordblks) + std::int64_t(m.hblkhd);
    };
    const auto idle = held();
    const std::vector<char> probe(1 << 22, 1);
    if (held() - idle < std::int64_t(probe.size()))
        return skip("this allocator (a sanitizer's?) doesn't say what it holds");

    const int H = 70, W = 90;
    const Image image = busy_image(H, W, 1);
    for (int threads : {1, 3})
        for (const Flow flow : {Flow{1, 1}, Flow{4, 1}, Flow{2, 3}}) {
            ThreadPool pool(threads);
            const Stream stream{{}, &pool};
            const Detector<T> detector(stream, tiny(), procedure(32, 16), loud().finder());
            const std::int64_t told = detector.memory_bytes(stream, H, W, flow), before = held();
            std::int64_t during = 0;
            detector.detect(stream, image.sky(), flow, [&](int done, int) {
                if (done == 0) during = held() - before;
                return true;
            });
            // told: the arenas, the way back, and 13 bytes a pixel, for the sky's preparation. While tiles run, a pixel
            // holds 4 there and 4 of the background on the host. The allocator rounds five arrays, and seven a
            // stream, up to pages and keeps small lists.
            const std::int64_t slack = (5 + 7 * flow.streams) * (4096 + 256) + 8192, pixels = H * W;
            CHECK(during <= told + slack);
            CHECK(during >= told - (13 - 8) * pixels - slack);
        }
}

TEST_CASE("a model that doesn't fit is refused by name") {
    Weights w = loud();
    w.by_name.erase("backbone.fpn.layer_blocks.1.0.bias");
    const auto make = [&](const Weights& from, const Architecture& a, const Procedure& p) {
        Detector<float>(one_thread(), a, p, from.finder());
    };
    CHECK_THROWS_WITH_AS(make(w, tiny(), procedure(32, 8)), doctest::Contains("backbone.fpn.layer_blocks.1.0.bias"),
                         Error);
    w = loud();
    w.by_name["backbone.body.bn1.running_var"].shape = {9};
    CHECK_THROWS_WITH_AS(make(w, tiny(), procedure(32, 8)), doctest::Contains("backbone.body.bn1.running_var"), Error);
    CHECK_THROWS_WITH_AS(make(loud(), tiny(), procedure(34, 8)), doctest::Contains("core"), Error);
    CHECK_THROWS_WITH_AS(make(loud(), tiny(), procedure(32, 6)), doctest::Contains("halo"), Error);
    Architecture nine = tiny();
    nine.classes = most_classes + 1;
    CHECK_THROWS_WITH_AS(make(loud(), nine, procedure(32, 8)), doctest::Contains("classes"), Error);
}
