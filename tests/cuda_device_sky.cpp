// Fields drawn on a device: light against the PSF's own values in double, noise with the CPU's bits.
#include <cmath>

#include "kernels/noise.h"
#include "sim/device_sky.h"
#include "sim/noise_simd.h"
#include "tests/csst_like.h"
#include "tests/cuda_arrays.h"

using namespace star;
using namespace star::reference;
using namespace star::test;

namespace {

std::vector<Star> some_stars(int n, int w, int h) {
    Random r(5, 0);
    std::vector<Star> stars;
    for (int i = 0; i < n; ++i) {
        const double mag = r.uniform(18, 27);
        stars.push_back({r.uniform(-6, w + 6), r.uniform(-6, h + 6), mag, electrons(mag, {}), -1});
    }
    return stars;
}

}  // namespace

TEST_CASE("CUDA exposes with the CPU's bits, few photons and many, clipped or rounded") {
    if (gpu_missing()) return;
    const Queue q;
    const int n = 3001;
    std::vector<float> light(n);
    for (int i = 0; i < n; ++i) light[std::size_t(i)] = float(i % 50 == 7 ? -3 : i % 50 == 8 ? 2e5 : 0.001 * i * i);
    for (const bool whole : {false, true})
        for (const bool split : {false, true}) {
            Exposure e;
            e.sky = 0.02, e.whole_adu = whole, e.gain = 3, e.exposures = 2;
            NoiseRun run = noise_run(e, 11, 4);
            run.first = (std::uint64_t{1} << 32) - 1000, run.count = n;  // the pixel's number wraps its lower half
            std::vector<float> image = light, noise(light.size());
            std::vector<std::uint8_t> full(light.size());
            run.image = image.data(), run.noise = split ? noise.data() : nullptr, run.full = full.data();
            noise_kernels(Isa::baseline).expose(run);
            const Buffer<float> at = upload(q.stream, light);
            const Output<float> apart(q.stream, n);
            const Output<std::uint8_t> marks(q.stream, n);
            run.image = at.data(), run.noise = split ? apart.data() : nullptr, run.full = marks.data();
            cuda::expose(q.stream, run);
            CHECK(same_bits(download(q.stream, static_cast<const float*>(at.data()), n), image));
            if (split) CHECK(same_bits(apart.values(), noise));
            CHECK(same_bits(marks.values(), full));
            CHECK(apart.intact());
            CHECK(marks.intact());
            CHECK(std::count(full.begin(), full.end(), 1) > 10);
        }
}

TEST_CASE("a field drawn on a device is the CPU's, to the rounding of sums of stars") {
    if (gpu_missing()) return;
    const Queue q;
    for (const double drizzle : {0.0, 0.4}) {
        CAPTURE(drizzle);
        Exposure e;
        e.drizzle_sigma = drizzle, e.full_well = 1e9;
        const Psf seen = image_psf(csst_like(), e);
        DeviceSky sky(q.stream, seen, e);
        for (const auto& [w, h] : {std::pair{70, 45}, std::pair{33, 8}, std::pair{1, 1}}) {
            Scene scene;
            scene.width = w, scene.height = h, scene.stars = some_stars(60, w, h);
            const SceneImage want = observe_scene(*q.stream.pool, scene, {}, seen, e, {3, 9});
            const Output<float> image(q.stream, Shape{1, h, w, 1});
            sky.observe(scene.stars, {3, 9}, {image.data(), {1, h, w, 1}});
            const std::vector<float> got = image.values();
            CHECK(image.intact());
            // Both sum each pixel's light from at most 60 stars of 17 products, in float, in different orders: apart by
            // twice 77 roundings of the sum of magnitudes, which the PSF's spline keeps within twice the light (its
            // coefficients alternate but little), and 8 more of the mean and what is made of it. A count is the floor
            // of a quantile of slope 1 + w / (2 sqrt(mean)), below 1.5 for |w| < 6.7 and a mean above 46: it differs by
            // 1.5 times that, and by the floor's 1. A drizzle's weights sum to 1: no pixel is farther off than the
            // worst of its neighbours.
            double most = 0, worst = 0;
            int jumps = 0;
            for (int y = 0; y < h; ++y)
                for (int x = 0; x < w; ++x) {
                    double light = 0;
                    for (const Star& s : scene.stars)
                        light += s.flux * std::fabs(seen.at(x + 0.5 - s.x, y + 0.5 - s.y));
                    const double bound = (2 * 77 * 2 + 8) * 0x1p-24 * (light + background_level(e) + 100);
                    most = std::max(most, bound);
                    const std::size_t i = std::size_t(y * w + x);
                    const double off = std::fabs(double(got[i]) - want.image[i]);
                    jumps += off > bound, worst = std::max(worst, off);
                }
            MESSAGE(w, "x", h, ": ", jumps, " pixels differ by a photon, the most by ", worst);
            CHECK(worst <= std::min(1.5 * most + 1, 2.5));
            CHECK(jumps <= (w * h) / 20 + 1);
        }
    }
}

TEST_CASE("without stars a device's field is noise alone: the CPU's bits") {
    if (gpu_missing()) return;
    const Queue q;
    for (const double drizzle : {0.0, 0.4}) {
        Exposure e;
        e.drizzle_sigma = drizzle;
        const Psf seen = image_psf(csst_like(), e);
        Scene empty;
        empty.width = 37, empty.height = 21;
        const SceneImage want = observe_scene(*q.stream.pool, empty, {}, seen, e, {3, 9});
        const Output<float> image(q.stream, Shape{1, 21, 37, 1});
        DeviceSky(q.stream, seen, e).observe({}, {3, 9}, {image.data(), {1, 21, 37, 1}});
        CHECK(same_bits(image.values(), want.image));
    }
}
