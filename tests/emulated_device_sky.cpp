// Fields drawn on the emulated device: the same bits in every order of threads.
#include <doctest/doctest.h>

#include "kernels/random.h"
#include "sim/device_sky.h"
#include "tests/in_all_orders.h"

using namespace star;
using namespace star::test;

TEST_CASE("a field drawn on a device has the same bits in every order of threads") {
    Exposure e;
    e.drizzle_sigma = 0.4;
    const Psf psf = image_psf(Psf::gaussian(2, {4, 8}), e);
    Random r(2, 0);
    std::vector<Star> stars;
    for (int i = 0; i < 40; ++i) stars.push_back({r.uniform(-3, 43), r.uniform(-3, 23), 0, r.uniform(10, 1e4), -1});
    CHECK(same_in_all_orders([&](Stream stream) {
        const Output<float> image(stream, Shape{1, 20, 40, 1});
        DeviceSky sky(stream, psf, e);
        sky.observe(stars, {1, 2}, {image.data(), {1, 20, 40, 1}});
        sky.observe(stars, {1, 3}, {image.data(), {1, 20, 40, 1}});  // with the workspace of the call before
        CHECK(image.intact());
        return image.values();
    }));
}
