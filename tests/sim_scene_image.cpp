// Whole scenes: every part is in the image, and nothing depends on the threads.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "sim/scene.h"

using namespace star;

namespace {

SceneOptions busy() {
    SceneOptions o;
    Cluster c;
    c.stars = 800, c.core_px = 8;
    o.clusters = {c, c};
    o.clusters[1].x = -40;
    Disk d;
    d.density = 0.02;
    o.disks = {d};
    Galaxies g;
    g.counts = LuminosityFunction({{22, 5.6}, {24, 5.6}});  // some in so small a field
    o.galaxies = g;
    CosmicRays rays;
    rays.rate = 20;
    o.cosmic_rays = rays, o.defects = Defects{0.01, 5, 0.01};
    o.sky_gradient_x = 1e-3, o.bleeding = true;
    return o;
}

const Psf& psf() {
    static const Psf p = Psf::moffat_enclosing(0.8, 0.12 / 0.074, 3.0);
    return p;
}

}  // namespace

TEST_CASE("scene: an image is a function of seed and index, for any number of threads") {
    const SceneOptions o = busy();
    ThreadPool one(1), three(3);
    const Scene s = make_scene(o, psf(), {}, {120, 80, 10, 1, 5});
    CHECK(!s.stars.empty());
    CHECK(!s.galaxies.empty());
    CHECK(!s.tracks.empty());
    CHECK(!s.defects.hot.empty());
    CHECK(!s.defects.dead.empty());
    const SceneImage a = observe_scene(one, s, o, psf(), {}, {1, 5}), b = observe_scene(three, s, o, psf(), {}, {1, 5});
    CHECK(a.image == b.image);
    CHECK(a.mask == b.mask);
    CHECK(a.image.size() == 120 * 80);
    for (std::int64_t i : s.defects.dead) CHECK(a.image[std::size_t(i)] == 0);
    CHECK(make_scene(o, psf(), {}, {120, 80, 10, 1, 6}).stars.size() != s.stars.size());
    // The two clusters differ by more than their place.
    CHECK(std::none_of(s.stars.begin() + 1, s.stars.end(), [&](const Star& t) {
        return std::fabs(t.x + 40 - s.stars[0].x) < 1e-9 && t.y == s.stars[0].y;
    }));
}

TEST_CASE("scene: the light in an image is that of its parts") {
    SceneOptions o = busy();
    o.defects.reset(), o.bleeding = false;
    Exposure e;
    e.full_well = 1e9;
    ThreadPool pool(2);
    const int w = 120, h = 80;
    const Scene s = make_scene(o, psf(), e, {w, h, 0, 1, 5});
    const SceneImage a = observe_scene(pool, s, o, psf(), e, {1, 5});
    double expected = w * h * background_level(e) + 1e-3 * e.exptime_s * w * h * w / 2.0;
    std::vector<float> light(std::size_t(w * h));
    for (const Star& t : s.stars)
        for (int i = 0; i < w * h; ++i) expected += t.flux * psf().at(i % w + 0.5 - t.x, i / w + 0.5 - t.y);
    for (const Galaxy& g : s.galaxies) expected += render(pool, galaxy_light(g), psf(), {light.data(), {1, h, w, 1}});
    std::fill(light.begin(), light.end(), 0.0f);
    add_tracks(s.tracks, {light.data(), {1, h, w, 1}});
    expected += std::accumulate(light.begin(), light.end(), 0.0);
    const double seen = std::accumulate(a.image.begin(), a.image.end(), 0.0);
    const double noise = std::sqrt(expected + w * h * e.read_noise * e.read_noise);
    // The cuts of the wings: 0.01 sigma per pixel for the stars, and for each galaxy.
    const double cut = 0.01 * native_sigma(e) * w * h * (1 + double(s.galaxies.size()));
    CHECK(std::fabs(seen - expected) < 5 * noise + cut);
}

TEST_CASE("scene: a saturated star's trail is flagged") {
    SceneOptions o;
    o.bleeding = true;
    Scene s;
    s.width = 41, s.height = 61;
    s.stars = {{20.5, 30.5, 15, electrons(15, {}), -1}};
    ThreadPool pool(1);
    const SceneImage a = observe_scene(pool, s, o, psf(), {}, {1, 1});
    o.bleeding = false;
    const SceneImage b = observe_scene(pool, s, o, psf(), {}, {1, 1});
    const auto column = [&](const SceneImage& i) {
        int n = 0;
        for (int y = 0; y < 61; ++y) n += i.mask[std::size_t(y * 41 + 20)] == mask_saturated;
        return n;
    };
    MESSAGE("saturated pixels of the star's column: ", column(b), ", with bleeding ", column(a));
    CHECK(column(b) > 0);
    CHECK(column(a) > column(b) + 2);
}

TEST_CASE("scene: what can't be is refused") {
    SceneOptions o = busy();
    Exposure drizzled;
    drizzled.drizzle_sigma = 0.4;
    CHECK_THROWS_AS(check_scene(o, drizzled), Error);
    o.cosmic_rays.reset(), o.defects.reset();
    CHECK_NOTHROW(check_scene(o, drizzled));
    ThreadPool pool(2);
    const Scene s = make_scene(o, psf(), drizzled, {30, 20, 5, 1, 1});
    CHECK(observe_scene(pool, s, o, psf(), drizzled, {1, 1}).image.size() == 600);
    o.sky_gradient_x = std::nan("");
    CHECK_THROWS_AS(check_scene(o, {}), Error);
    o = busy(), o.clusters[0].mass_min = 0;
    CHECK_THROWS_AS(make_scene(o, psf(), {}, {30, 20, 5, 1, 1}), Error);
}
