// The whole way of an image to the network's input on the device: what only the emulator can show, the CPU's bits.
#include "nn/sky.h"
#include "tests/cuda_arrays.h"
#include "tests/in_all_orders.h"

using namespace star;
using namespace star::reference;
using namespace star::test;

namespace {

struct Outcome {
    std::vector<float> normalised, background_map;
    double background, sigma;
    bool estimated;
    std::int64_t usable;
    bool operator==(const Outcome&) const = default;
};

Outcome prepared(Stream stream, const Sky& sky, const Procedure& how) {
    const PreparedSky s = prepare_sky(stream, sky, how);
    std::vector<float> y(s.background_map.size());
    copy_to_host(stream, y.data(), s.normalised.data(), y.size() * sizeof(float));
    synchronize(stream);
    return {y, s.background_map, s.background, s.sigma, s.sigma_estimated, s.usable_pixels};
}

}  // namespace

TEST_CASE("prepare_sky on the device: the CPU's bits, in every order of threads, in both stretches") {
    const Shape shape{1, 50, 61, 1};
    std::vector<float> pixels(std::size_t(shape.size()));
    std::vector<std::uint8_t> mask(pixels.size());
    Random r(3, 3);  // whole numbers: sums are exact, in any order
    for (std::size_t i = 0; i < pixels.size(); ++i)
        pixels[i] = std::round(float(100 + 9 * r.normal())), mask[i] = i % 7 == 0;
    pixels[100] = NAN, pixels[200] = INFINITY, pixels[300] = 5000;
    Procedure how;
    how.mesh.size = 16;
    for (const Normalise::By by : {Normalise::By::asinh, Normalise::By::paper})
        for (const Noise noise : {Noise{}, Noise{2, 9, 1}, Noise{2, 0, 1}})
            for (const bool masked : {false, true}) {
                how.normalise.by = by;
                Sky sky{{pixels.data(), shape}, {nullptr, nothing}, noise};
                if (masked) sky.mask = {mask.data(), shape};
                ThreadPool one(1);
                const Outcome want = prepared({{}, &one}, sky, how), got = prepared({gpu, &one}, sky, how);
                CHECK(got.background == want.background);
                CHECK(got.sigma == want.sigma);
                CHECK(got.background_map == want.background_map);
                CHECK(got == want);
                CHECK(same_in_all_orders([&](Stream stream) { return prepared(stream, sky, how); }));
            }
}

TEST_CASE("prepare_sky on the device: no usable pixel, a constant image, a full well below the sky") {
    const Shape shape{1, 20, 30, 1};
    ThreadPool one(1);
    Procedure how;
    for (const float value : {NAN, 7.0f}) {
        const std::vector<float> pixels(600, value);
        const Outcome got = prepared({gpu, &one}, {{pixels.data(), shape}}, how);
        CHECK(got == prepared({{}, &one}, {{pixels.data(), shape}}, how));
        CHECK(got.normalised == std::vector<float>(600, 0.0f));
    }
    const std::vector<float> bright(600, 70000.0f);
    how.normalise.by = Normalise::By::paper;
    CHECK_THROWS_WITH_AS(prepared({gpu, &one}, {{bright.data(), shape}}, how), doctest::Contains("full"), Error);
}
