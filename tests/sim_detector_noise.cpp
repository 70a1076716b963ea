// The detector: laws of the noise within five standard errors, saturation, units, and what a drizzle does to noise and
// stars.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "sim/detector_noise.h"

using namespace star;

namespace {

struct Law {
    double mean = 0, variance = 0, third = 0;  // third central moment about the expected mean
};

Law law_of(const std::vector<float>& v, double expected) {
    Law l;
    for (float x : v) {
        const double d = x - expected;
        l.mean += d, l.variance += d * d, l.third += d * d * d;
    }
    const double n = double(v.size());
    return {expected + l.mean / n, l.variance / n, l.third / n};
}

Exposure quiet() {
    Exposure e;
    e.exptime_s = 100, e.sky = e.dark = e.read_noise = 0, e.full_well = 1e9;
    return e;
}

}  // namespace

TEST_CASE("photons are Poisson: mean, variance and skewness, on both sides of the switch to the fast path") {
    ThreadPool pool(2);
    const int n = 700;
    for (double mean : {0.3, 9.5, 29.9, 30.0, 31.0, 60.0, 2000.0, 50000.0}) {
        std::vector<float> image(n * n, float(mean / 2));
        Exposure e = quiet();
        e.sky = mean / 2 / e.exptime_s;
        expose(pool, {image.data(), {1, n, n, 1}}, {}, e, 1, 2);
        const double m = double(float(mean / 2)) + mean / 2, k = double(n) * n;
        const Law l = law_of(image, m);
        CAPTURE(mean);
        CHECK(std::fabs(l.mean - m) < 5 * std::sqrt(m / k));
        CHECK(std::fabs(l.variance - m) < 5 * std::sqrt((m + 2 * m * m) / k));
        // Variance of d^3 of a Poisson: mu6 - mu3^2 = m + 24 m^2 + 15 m^3.
        CHECK(std::fabs(l.third - m) < 5 * std::sqrt((m + 24 * m * m + 15 * m * m * m) / k));
        CHECK(std::all_of(image.begin(), image.end(), [](float v) { return v >= 0 && v == std::floor(v); }));
    }
}

TEST_CASE("at the switch the fast path has the Poisson's own distribution") {
    ThreadPool pool(2);
    const int n = 1000;
    std::vector<float> image(n * n, 30.0f);
    expose(pool, {image.data(), {1, n, n, 1}}, {}, quiet(), 5, 5);
    std::vector<double> counts(200);
    for (float v : image) ++counts[std::size_t(v)];
    double p = std::exp(-30.0), expected = 0, seen = 0;
    for (int k = 0; k < 100; ++k, p *= 30.0 / k) {
        expected += p, seen += counts[std::size_t(k)] / (double(n) * n);
        CHECK(std::fabs(seen - expected) < 5 * std::sqrt(expected * (1 - expected) / (double(n) * n)) + 1e-6);
    }
}

TEST_CASE("read noise is Gaussian, of each exposure, and independent of the photons") {
    ThreadPool pool(2);
    const int n = 500;
    Exposure e = quiet();
    e.read_noise = 5.2, e.exposures = 4;
    std::vector<float> image(n * n, 0.0f);
    expose(pool, {image.data(), {1, n, n, 1}}, {}, e, 1, 1);
    const double k = double(n) * n, variance = 4 * 5.2 * 5.2;
    const Law l = law_of(image, 0);
    CHECK(std::fabs(l.mean) < 5 * std::sqrt(variance / k));
    CHECK(std::fabs(l.variance - variance) < 5 * variance * std::sqrt(2 / k));
    CHECK(std::fabs(l.third) < 5 * std::sqrt(15 / k) * std::pow(variance, 1.5));
    for (double mean : {20.0, 100.0}) {
        std::fill(image.begin(), image.end(), float(mean));
        expose(pool, {image.data(), {1, n, n, 1}}, {}, e, 1, 3);
        const double both = variance + mean;  // any correlation of the two would show here
        CHECK(std::fabs(law_of(image, mean).variance - both) < 5 * std::sqrt((2 * both * both + mean) / k));
    }
}

TEST_CASE("neighbouring pixels, fields and seeds are independent") {
    ThreadPool pool(2);
    const int n = 400;
    const auto field = [&](std::uint64_t seed, std::uint64_t index) {
        std::vector<float> image(n * n, 100.0f);
        expose(pool, {image.data(), {1, n, n, 1}}, {}, quiet(), seed, index);
        return image;
    };
    const auto a = field(1, 1), b = field(1, 2), c = field(2, 1);
    double next = 0, below = 0, other = 0, seed = 0;
    for (int i = 0; i + n < n * n; ++i) {
        const double d = (a[i] - 100) / 100;
        next += d * (a[i + 1] - 100), below += d * (a[i + n] - 100), other += d * (b[i] - 100),
            seed += d * (c[i] - 100);
    }
    for (double r : {next, below, other, seed}) CHECK(std::fabs(r / (n * n)) < 5.0 / n);
    CHECK(field(1, 1) == a);
}

TEST_CASE("units, zero point and the noise of an empty pixel") {
    ThreadPool pool(2);
    Exposure e;
    CHECK(electrons(e.zeropoint, e) == doctest::Approx(150));
    CHECK(magnitude(electrons(23.4, e), e) == doctest::Approx(23.4));
    e.gain = 2.5, e.exposures = 3;
    for (bool rate : {false, true})
        for (double drizzle : {0.0, 0.4}) {
            e.rate = rate, e.drizzle_sigma = drizzle;
            const int n = 600;
            std::vector<float> image(n * n, 0.0f);
            expose(pool, {image.data(), {1, n, n, 1}}, {}, e, 4, 4);
            std::vector<float> inside;  // away from edges, where the kernel is renormalised
            for (int y = 8; y < n - 8; ++y)
                inside.insert(inside.end(), image.begin() + y * n + 8, image.begin() + (y + 1) * n - 8);
            const Law l = law_of(inside, background_level(e));
            const double sigma = background_sigma(e), k = double(inside.size());
            // Correlation of the drizzle: the mean's variance is that of white noise, the variance's at most 4 times
            // larger.
            CHECK(std::fabs(l.mean - background_level(e)) < 5 * native_sigma(e) * image_unit(e) / std::sqrt(k));
            CHECK(std::fabs(l.variance / (sigma * sigma) - 1) < 5 * 2 * std::sqrt(2 / k));
        }
    CHECK(background_level(e) == doctest::Approx(0.31));
    // mission.md's F475W image: 1,720 s in 5 exposures, sky 0.11 e/s, read noise 4.2 e: about 0.007 e/s per drizzled
    // pixel.
    Exposure hst;
    hst.exptime_s = 1720, hst.exposures = 5, hst.sky = 0.11, hst.dark = 0, hst.read_noise = 4.2,
    hst.drizzle_sigma = 0.4, hst.rate = true;
    MESSAGE("noise of a drizzled HST pixel: ", background_sigma(hst), " e/s");
    CHECK(std::fabs(background_sigma(hst) - 0.007) < 0.0005);
}

TEST_CASE("the drizzle's kernel has the variance it is named for") {
    for (double sigma : {0.0, 0.1, 0.4, 1.0, 2.0}) {
        const auto k = drizzle_kernel(sigma);
        double sum = 0, variance = 0;
        for (std::size_t i = 0; i < k.size(); ++i)
            sum += k[i], variance += k[i] * std::pow(double(i) - double(k.size() / 2), 2);
        CHECK(sum == doctest::Approx(1).epsilon(1e-14));
        CHECK(variance == doctest::Approx(sigma * sigma).epsilon(1e-4));
    }
}

TEST_CASE("a drizzle leaves light where it is and correlates its noise") {
    ThreadPool pool(2);
    const Psf native = Psf::gaussian(1.6);
    Exposure e = quiet();
    e.drizzle_sigma = 0.4, e.full_well = 1e12;
    CHECK(image_psf(native, e).fwhm() == doctest::Approx(native.convolved_gaussian(0.4).fwhm()));
    const int n = 500;
    std::vector<float> image(n * n, 1000.0f);
    image[250 * n + 250] = 1e8;
    expose(pool, {image.data(), {1, n, n, 1}}, {}, e, 1, 1);
    CHECK(std::fabs(image[250 * n + 250] - 1e8) < 6 * std::sqrt(1e8) + 8);  // half a unit of a float
    double next = 0, same = 0;
    for (int y = 10; y < 240; ++y)
        for (int x = 10; x < n - 10; ++x) {
            const double d = image[y * n + x] - 1000;
            same += d * d, next += d * (image[y * n + x + 1] - 1000);
        }
    const auto k = drizzle_kernel(0.4);
    double k0 = 0, k1 = 0;
    for (std::size_t i = 0; i < k.size(); ++i) k0 += k[i] * k[i], k1 += i + 1 < k.size() ? k[i] * k[i + 1] : 0;
    CHECK(std::fabs(next / same - k1 / k0) <
          5 * 2 / std::sqrt(230.0 * 480));  // a correlation's error, doubled for the kernel
}

TEST_CASE("the expected variance is that of many exposures, drizzled or not, at the edges too") {
    ThreadPool pool(2);
    const int w = 12, h = 9, draws = 4000;
    const Shape shape{1, h, w, 1};
    std::vector<float> light(std::size_t(w * h));
    for (int i = 0; i < w * h; ++i) light[std::size_t(i)] = float(i % 7 == 3 ? 4000 : 20 * i);
    for (double drizzle : {0.0, 0.4}) {
        Exposure e;
        e.drizzle_sigma = drizzle, e.exposures = 3, e.gain = 2;
        std::vector<float> variance(light.size());
        expected_variance(pool, {light.data(), shape}, {variance.data(), shape}, e);
        std::vector<double> sum(light.size()), sum2(light.size());
        for (int k = 0; k < draws; ++k) {
            std::vector<float> image = light;
            expose(pool, {image.data(), shape}, {}, e, 5, std::uint64_t(k));
            for (std::size_t i = 0; i < image.size(); ++i) {
                const double d = image[i] - (light[i] * image_unit(e) + background_level(e));
                sum[i] += d, sum2[i] += d * d;
            }
        }
        // Nearly Gaussian: the variance's own relative error is sqrt(2 / draws); 108 pixels within five of it.
        double worst = 0;
        for (std::size_t i = 0; i < sum.size(); ++i) {
            const double seen = sum2[i] / draws - sum[i] / draws * sum[i] / draws;
            worst = std::max(worst, std::fabs(seen / double(variance[i]) - 1));
        }
        MESSAGE("drizzle ", drizzle, ": the worst pixel is off by ", worst);
        CHECK(worst < 5 * std::sqrt(2.0 / draws));
    }
}

TEST_CASE("saturation clips each exposure and is marked") {
    ThreadPool pool(2);
    Exposure e = quiet();
    e.exposures = 3, e.full_well = 1000, e.gain = 2;
    std::vector<float> image{2000, 2700, 3600, 1e7f};
    std::vector<std::uint8_t> mask(4, 9);
    expose(pool, {image.data(), {1, 1, 4, 1}}, {mask.data(), {1, 1, 4, 1}}, e, 1, 1);
    CHECK(mask == std::vector<std::uint8_t>{0, 0, mask_saturated, mask_saturated});
    CHECK(image[2] == 1500);
    CHECK(image[3] == 1500);
    CHECK(saturation_level(e) == 1500);
    CHECK(image[1] < 1500);
    e.drizzle_sigma = 0.4;
    std::vector<float> field(25, 0.0f);
    std::vector<std::uint8_t> marked(25, 9);
    field[12] = 1e6;
    expose(pool, {field.data(), {1, 5, 5, 1}}, {marked.data(), {1, 5, 5, 1}}, e, 1, 1);
    for (int i = 0; i < 25; ++i)
        CHECK(marked[i] == ((i == 12 || i == 7 || i == 17 || i == 11 || i == 13) ? mask_saturated : 0));
}

TEST_CASE("noise is the same bits for any number of threads") {
    Exposure e;
    e.drizzle_sigma = 0.4;
    std::vector<std::vector<float>> images;
    for (int threads : {1, 2, 3}) {
        ThreadPool pool(threads);
        images.emplace_back(97 * 131, 12.0f);
        expose(pool, {images.back().data(), {1, 97, 131, 1}}, {}, e, 8, 9);
    }
    CHECK(images[0] == images[1]);
    CHECK(images[0] == images[2]);
}

TEST_CASE("an exposure out of range is named") {
    Exposure e;
    e.gain = 0;
    CHECK_THROWS_WITH_AS(check_exposure(e), "gain = 0 is outside 1e-06...1e+06", Error);
    e = {};
    e.sky = std::nan("");
    CHECK_THROWS_AS(check_exposure(e), Error);
    e = {};
    e.drizzle_sigma = 0.01;
    CHECK_THROWS_AS(check_exposure(e), Error);
    e = {};
    e.exposures = 0;
    CHECK_THROWS_AS(check_exposure(e), Error);
}
