// What mustn't change when an image does: turned, in another unit, on a pedestal, damaged far away.
#include <cmath>
#include <functional>

#include "io/fits_image.h"
#include "io/fits_writer.h"
#include "kernels/orient.h"
#include "tests/program_run.h"
#include "tools/catalogue.h"

using namespace star;
using namespace star::test;

namespace {

constexpr int side = 448;  // two tiles of 224, seven cells of the sky's mesh: turned, they cover each other

// A crowded field in CSST's g band and its variance, as the network that is built in has seen thousands.
struct Scene {
    std::vector<float> pixels, variance;

    explicit Scene(const Bench& b) {
        b.must("simulate -q -o field.fits --seed 5 --width " + std::to_string(side) +
               " --set mock.slope=0 --set mock.mag_max=23.5");
        pixels = read_image(b / "field.fits").pixels;
        variance = read_image(b / "field.fits[VARIANCE]").pixels;
    }

    /// The units that `detect` finds, the noise being given.
    std::vector<Blend> units(const Bench& b, const std::string& options, const std::string& model = "csst-g") const {
        write_image(b / "image.fits", pixels, side, side, {{"PIXSCALE", 0.074, ""}}, true);
        write_image(b / "variance.fits", variance, side, side, {}, true);
        b.must(
            "detect -q image.fits -o units.fits --overwrite --psf none --cosmic-rays off --weight "
            "variance.fits --weight-type variance --model " +
            model + " " + options);
        return read_blends(b / "units.fits");
    }
};

// Of the units with a signal-to-noise ratio of 10 and more: the share that is found again at most 0.1 px away with the
// same class. `place`: where one is to be found again; nothing where none needs to be.
using Place = std::function<std::optional<std::pair<double, double>>(double x, double y)>;
double kept(const std::vector<Blend>& before, const std::vector<Blend>& after, const Place& place) {
    int asked = 0, found = 0;
    for (const Blend& b : before) {
        const auto at = place(b.x, b.y);
        if (!at || !(b.flux >= 10 * b.flux_error)) continue;
        ++asked;
        for (const Blend& a : after)
            if (std::hypot(a.x - at->first, a.y - at->second) <= 0.1 && a.stars == b.stars) {
                ++found;
                break;
            }
    }
    REQUIRE(asked > 1000);
    return double(found) / asked;
}

const Place same_place = [](double x, double y) { return std::optional(std::pair{x, y}); };

}  // namespace

TEST_CASE("properties: another unit, a pedestal and distant damage change no unit") {
    const Bench b;
    const Scene scene(b);
    const auto want = scene.units(b, "");
    const auto share = [&](const Scene& changed, const Place& place = same_place) {
        const double value = kept(want, changed.units(b, ""), place);
        MESSAGE("kept: " << value);
        return value;
    };
    Scene gain = scene;
    for (float& v : gain.pixels) v *= 3.7f;
    for (float& v : gain.variance) v *= 3.7f * 3.7f;
    CHECK(share(gain) >= 0.99);

    Scene pedestal = scene;
    for (float& v : pedestal.pixels) v += 1234;
    CHECK(share(pedestal) >= 0.99);

    // A corner without pixels. The sky's cells of 64 px are smoothed over three and interpolated, which reaches two
    // further; the network's halo is 16 px.
    Scene damaged = scene;
    constexpr int hole = 64, far = hole + 2 * 64 + 16;
    for (int y = 0; y < hole; ++y) std::fill_n(damaged.pixels.begin() + y * side, hole, NAN);
    CHECK(share(damaged, [](double x, double y) {
              return x > far || y > far ? std::optional(std::pair{x, y}) : std::nullopt;
          }) >= 0.99);
}

TEST_CASE("properties: in all orientations, an image that is turned has the same units") {
    const Bench b;
    const Scene scene(b);
    for (const int g : {1, 6}) {  // a flip and a quarter turn: all others are made of these
        CAPTURE(g);
        Scene turned = scene;
        for (int i = 0; i < side; ++i)
            for (int j = 0; j < side; ++j) {
                const Cell of = seen_at(g, {i, j}, side);
                const auto to = std::size_t(i * side + j), from = std::size_t(of.row * side + of.column);
                turned.pixels[to] = scene.pixels[from], turned.variance[to] = scene.variance[from];
            }
        const auto share = [&](const std::string& options, const std::string& model) {
            const double value =
                kept(scene.units(b, options, model), turned.units(b, options, model), [&](double x, double y) {
                    x = g & 1 ? side - x : x, y = g & 2 ? side - y : y;
                    return std::optional(g & 4 ? std::pair{y, x} : std::pair{x, y});
                });
            MESSAGE(model << " " << options << ", orientation " << g << ": kept " << value);
            return value;
        };
        CHECK(share("--orientations 8", "csst-g") >= 0.99);
        // For the record, and the README: a PSF that is turned is another one to a network that sees it as it is.
        for (const char* model : {"csst-g", "csst-g-paper"}) share("--orientations 1", model);
    }
}
