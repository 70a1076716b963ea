// The way of an image to the network's input: background, noise, stretch.
#include <doctest/doctest.h>

#include "nn/sky.h"
#include "tests/nn_tiny.h"

using namespace star;
using namespace star::test;

namespace {

std::vector<float> white_noise(int height, int width, double level, double sigma, std::uint64_t seed) {
    Random r(seed, 0);
    std::vector<float> v(std::size_t(height) * std::size_t(width));
    for (float& x : v) x = float(level + sigma * r.normal());
    return v;
}

Sky sky_of(const std::vector<float>& v, int height, int width, Noise noise = {}) {
    return {{v.data(), {1, height, width, 1}}, {nullptr, nothing}, noise};
}

// Bounds on the estimate for white noise / its true value, from `cells` cells of n pixels. The median of n independent
// |d| has a relative standard error of 1.166 / sqrt(n); the filter's outputs are correlated by (1,-4,6,-4,1)/6 each
// way, and indicators no more than their variables squared: (1 + 2 (16 + 1) / 36)^2 = 3.78 times the variance at most.
// The lower quartile of the cells lies 0.674 such errors below, give or take 1.36 / sqrt(cells), of which five are
// allowed.
struct Interval {
    double low, high;
};
Interval estimate_bounds(double n, double cells) {
    const double one = 1.166 * std::sqrt(3.78 / n), spread = 5 * 1.36 / std::sqrt(cells);
    return {1 - one * (0.674 + spread), 1 + one * (spread - 0.674)};
}

}  // namespace

TEST_CASE("the noise model: photons of the level, read-out, correlation") {
    CHECK((Noise{4, 0, 1}.sigma(100)) == 5);       // sqrt(400) / 4
    CHECK((Noise{4, 225, 1}.sigma(100)) == 6.25);  // sqrt(400 + 225) / 4
    CHECK((Noise{4, 225, 0.5}.sigma(100)) == 3.125);
    CHECK((Noise{4, 225, 1}.sigma(-1000)) == 3.75);  // below zero there are no photons
    CHECK(std::isnan(Noise{}.sigma(100)));
    CHECK(std::isnan(Noise{NAN, 1, 1}.sigma(100)));
    CHECK(std::isnan(Noise{-1, 1, 1}.sigma(100)));
}

TEST_CASE("unknown noise is estimated from the image, within its confidence") {
    const int side = 256;
    Procedure p;
    const Interval bounds = estimate_bounds(64 * 64, 16);
    for (std::uint64_t seed : {1, 2, 3})
        for (const auto& [level, sigma] : {std::pair{100.0, 5.0}, {0.0, 1e-3}, {-3e4, 200.0}}) {
            CAPTURE(sigma);
            const auto v = white_noise(side, side, level, sigma, seed);
            const PreparedSky s = prepare_sky(one_thread(), sky_of(v, side, side), p);
            CHECK(s.sigma_estimated);
            CHECK(s.usable_pixels == side * side);
            CHECK(s.sigma / sigma > bounds.low);
            CHECK(s.sigma / sigma < bounds.high);
            // the mean of 2.5 medians - 1.5 means: error sigma sqrt(2.5^2 * 1.571 - 2 * 2.5 * 1.5 + 1.5^2) / sqrt(n), 5
            // of them
            CHECK(std::fabs(s.background - level) < 5 * sigma * 2.14 / side);
            // half the input lies beyond asinh(0.674), up to the noise's own error
            int beyond = 0;
            for (std::int64_t i = 0; i < side * side; ++i)
                beyond += std::fabs(std::sinh(s.normalised.data()[i])) * s.sigma > 0.6745 * sigma;
            CHECK(beyond / double(side * side) == doctest::Approx(0.5).epsilon(0.05));
        }
}

TEST_CASE("known noise is used as told; masked and bad pixels change nothing") {
    const int side = 192;
    auto v = white_noise(side, side, 100, 50, 4);
    std::vector<std::uint8_t> mask(v.size(), 0);
    for (int y = 20; y < 40; ++y)
        for (int x = 20; x < 40; ++x) v[std::size_t(y * side + x)] = 1e9f, mask[std::size_t(y * side + x)] = 1;
    v[100] = NAN, v[101] = INFINITY, v[102] = -INFINITY;
    Sky sky = sky_of(v, side, side);
    sky.mask = {mask.data(), sky.image.shape};
    Procedure p;
    const PreparedSky blind = prepare_sky(one_thread(), sky, p);
    const Interval bounds = estimate_bounds(64 * 64 * 0.75, 9);
    CHECK(blind.usable_pixels == side * side - 400 - 3);
    CHECK((blind.sigma / 50 > bounds.low && blind.sigma / 50 < bounds.high));
    sky.noise = {4, 0, 1};
    const PreparedSky told = prepare_sky(one_thread(), sky, p);
    CHECK_FALSE(told.sigma_estimated);
    CHECK(told.sigma == sky.noise.sigma(told.background));
    CHECK(told.background == blind.background);
    for (std::size_t i = 0; i < v.size(); ++i) {
        const float y = told.normalised.data()[i];
        CHECK(std::isfinite(y));
        if (mask[i] || !std::isfinite(v[i])) CHECK(y == 0);
    }
}

TEST_CASE("a noise model that knows of no noise isn't believed") {  // a subtracted sky, a gain, no read-out noise given
    const int side = 256;
    const auto v = white_noise(side, side, -0.1, 0.02, 5);
    const PreparedSky s = prepare_sky(one_thread(), sky_of(v, side, side, {2.5, 0, 1}), Procedure{});
    const Interval bounds = estimate_bounds(64 * 64, 16);
    CHECK(s.sigma_estimated);
    CHECK((s.sigma / 0.02 > bounds.low && s.sigma / 0.02 < bounds.high));
}

TEST_CASE("a strip without whole neighbourhoods takes the rms of its background") {
    // 4096 pixels in one cell: the standard deviation is known to 1 / sqrt(2 * 4096), and clipping at 3 sigma until
    // nothing changes takes 1.3 to 2 % off.
    Procedure p;
    p.mesh.size = 4096;
    for (const auto& [h, w] : {std::pair{1, 4096}, {4096, 1}, {2, 2048}}) {
        CAPTURE(h);
        const auto v = white_noise(h, w, 1000, 30, 6);
        const PreparedSky s = prepare_sky(one_thread(), sky_of(v, h, w), p);
        const double error = 5 / std::sqrt(2 * 4096.0);
        CHECK(s.sigma_estimated);
        CHECK(s.sigma > 30 * (0.98 - error));
        CHECK(s.sigma < 30 * (0.987 + error));
    }
}

TEST_CASE("constant and unusable images are all sky") {
    for (float value : {0.0f, 7.0f, -1e6f, NAN}) {
        CAPTURE(value);
        const std::vector<float> v(70 * 90, value);
        const PreparedSky s = prepare_sky(one_thread(), sky_of(v, 70, 90), Procedure{});
        if (!std::isnan(value)) CHECK(s.sigma == 1);
        CHECK(s.background == (std::isnan(value) ? 0 : value));
        for (std::int64_t i = 0; i < 70 * 90; ++i) CHECK(s.normalised.data()[i] == 0);
        for (float b : s.background_map) CHECK(b == float(s.background));
    }
}

TEST_CASE("the paper's normalisation: one background, its full range becomes 1") {
    const int side = 128;
    auto v = white_noise(side, side, 200, 10, 7);
    v[0] = 65535, v[1] = 0, v[2] = NAN, v[3] = 32000;
    Procedure p;
    p.normalise.by = Normalise::By::paper;
    const PreparedSky s = prepare_sky(one_thread(), sky_of(v, side, side), p);
    const auto background = float(s.background);
    for (float b : s.background_map) CHECK(b == background);
    const float* y = s.normalised.data();
    CHECK(y[0] == 1);
    CHECK(y[1] == 0);
    CHECK(y[2] == 0);
    for (std::size_t i = 3; i < v.size(); ++i) {  // two subtractions and a division
        const double want = std::max(0.0, (double(v[i]) - background) / (65535.0 - background));
        CHECK(std::fabs(y[i] - want) <= 4 * 0x1p-24 * want);
    }
    p.normalise.full = 150;
    CHECK_THROWS_WITH_AS(prepare_sky(one_thread(), sky_of(v, side, side), p), doctest::Contains("full"), Error);
}

TEST_CASE("shapes that disagree are refused") {
    const std::vector<float> v(12, 1.0f);
    const std::vector<std::uint8_t> mask(12, 0);
    Sky sky = sky_of(v, 3, 4);
    sky.mask = {mask.data(), {1, 4, 3, 1}};
    CHECK_THROWS_AS(prepare_sky(one_thread(), sky, Procedure{}), Error);
    sky.image.shape = {1, 3, 2, 2};
    CHECK_THROWS_AS(prepare_sky(one_thread(), sky, Procedure{}), Error);
}
