// The noise kernel against its definition in double, bit for bit between instruction sets, and its laws.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

#include "kernels/random.h"
#include "sim/detector_noise.h"
#include "sim/noise_simd.h"

using namespace star;

namespace {

std::vector<Isa> offered() {
    std::vector<Isa> all;
    for (Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512})
        if (isa <= best_isa()) all.push_back(isa);
    return all;
}

/// Giles 2016 up to the term in 1 / mean.
double quantile(double mean, double w) {
    const double root = std::sqrt(mean);
    return mean + root * w + (2 + w * w) / 6 - w * (2 + w * w) / (72 * root) +
           (3 * w * w * w * w + 7 * w * w - 16) / (810 * mean);
}

struct Gaussians {
    double a, b;
};

Gaussians gaussians(const Random4& r) {
    const double u = (double(r.x[0] >> 1) + 0.5) * 0x1p-31, angle = 2 * std::numbers::pi * (r.x[1] * 0x1p-32);
    const double radius = std::sqrt(-2 * std::log(std::min(1.0, u)));
    return {radius * std::cos(angle), radius * std::sin(angle)};
}

int inverse_poisson(double mean, const Random4& r) {
    const double u = (double((std::uint64_t{r.x[2]} << 32 | r.x[3]) >> 12) + 0.5) * 0x1p-52;
    double term = std::exp(-mean), below = term;
    int k = 0;
    for (; below < u && k < 200; ++k) term *= mean / (k + 1), below += term;
    return k;
}

double normal_below(double w) { return 0.5 * std::erfc(-w / std::numbers::sqrt2); }

}  // namespace

TEST_CASE("each pixel's electrons and read noise are what its random numbers say") {
    constexpr std::uint64_t seed = 0x123456789abcdef, first = 0xfffffff0;  // the pixels' index passes 2^32
    constexpr int n = 80001;
    Random random(2, 2);
    std::vector<float> light(n);
    for (float& v : light) v = float(std::pow(10, random.uniform(-1.5, 6)));
    for (int i = 20000; i < n; ++i) light[i] = float(random.uniform(29, 45));  // where the expansion's last term counts
    for (int i = 0; i < 100; ++i) light[i] = -3, light[100 + i] = 0;
    for (Isa isa : offered())
        for (float read : {0.0f, 5.2f}) {
            std::vector<float> image = light;
            std::vector<std::uint8_t> full(n, 9);
            NoiseRun run{image.data(), nullptr, full.data(), n, seed, first, 0.25f, 5e5f, read, 0, 1};
            noise_kernels(isa).expose(run);
            int wrong = 0, on_edge = 0;
            for (int i = 0; i < n; ++i) {
                const Random4 r = philox(seed, first + std::uint64_t(i), 0);
                const double mean = std::max(0.0f, light[i]) + 0.25f;
                const Gaussians g = gaussians(r);
                // float's rounding of a Gaussian is below 1e-6, of the count before it's cut to a whole number 6e-7
                // of its distance from the mean.
                const double cut = quantile(mean, g.a), slack = 2e-6 * (std::sqrt(mean) * (1 + std::fabs(g.a)) + 1);
                double count = mean < many_photons ? inverse_poisson(mean, r) : std::max(0.0, std::floor(cut));
                if (mean >= many_photons && std::fabs(cut - std::round(cut)) < slack) {
                    on_edge += 1;
                    if (std::fabs(image[i] - (count + read * g.b)) > 0.5)
                        count = std::round(cut) - (count == std::round(cut));
                }
                if (full[i] != (count >= 5e5)) ++wrong;
                count = std::min(count, 5e5);
                const double seen = count + read * g.b;
                if (!(std::fabs(image[i] - seen) <= 1e-6 * (read * 7 + std::fabs(seen)))) ++wrong;
            }
            CAPTURE(isa_name(isa));
            CHECK(wrong == 0);
            CHECK(on_edge < 200);  // so nearly all counts were checked exactly
        }
}

TEST_CASE("noise is the same bits on every instruction set, however the pixels are split") {
    Random random(7, 7);
    std::vector<float> light(83 * 61);
    for (float& v : light) v = float(std::pow(10, random.uniform(-2, 5)));
    for (const auto& [drizzle, whole] : {std::pair{0.0, false}, std::pair{0.0, true}, std::pair{0.4, false}}) {
        Exposure e;
        e.sky = 0.01, e.drizzle_sigma = drizzle, e.whole_adu = whole, e.gain = 1.7, e.exposures = 2;
        std::vector<std::vector<float>> images;
        for (Isa isa : offered())
            for (int threads : {1, 3}) {
                ThreadPool pool(threads, isa);
                images.push_back(light);
                expose(pool, {images.back().data(), {1, 61, 83, 1}}, {}, e, 3, 4);
            }
        for (const auto& image : images) CHECK(image == images[0]);
    }
    // In runs of any length, by the pixels' index.
    std::vector<float> whole = light, pieces = light;
    NoiseRun run{whole.data(), nullptr, nullptr, std::int64_t(light.size()), 11, 5, 1, 1e9f, 3, 0, 1};
    noise_kernels(best_isa()).expose(run);
    for (std::int64_t at = 0, step = 1; at < run.count; at += step, ++step) {
        NoiseRun piece = run;
        piece.image = pieces.data() + at, piece.first += std::uint64_t(at),
        piece.count = std::min(step, run.count - at);
        noise_kernels(best_isa()).expose(piece);
    }
    CHECK(pieces == whole);
}

TEST_CASE("from a mean of 30 on, counts are within 1.5e-5 of the Poisson in total variation") {
    double last = 1.5e-5;
    for (double mean : {30.0, 30.7, 35.0, 46.5, 100.0, 1000.0, 10000.0}) {
        double sum = 0, below = 0, spread = 12 * std::sqrt(mean);
        for (int k = 0; k < mean + spread; ++k) {
            // The normal deviate from which on a count is above k: the quantile rises, so bisect.
            double low = -20, high = 20;
            for (int i = 0; i < 60; ++i) {
                const double middle = 0.5 * (low + high);
                // Below the far tail the expansion turns round; there is nothing there.
                (middle < -9 || quantile(mean, middle) < k + 1 ? low : high) = middle;
            }
            const double through = normal_below(low);
            int sign;
            const double chance = std::exp(k * std::log(mean) - mean - lgamma_r(k + 1.0, &sign));
            sum += std::fabs(through - below - chance), below = through;
        }
        CAPTURE(mean);
        CHECK(0.5 * sum < last);
        last = std::min(last, 0.5 * sum * 1.01);
    }
}

TEST_CASE("small counts have the Poisson's distribution, each count by itself") {
    ThreadPool pool(2);
    const int n = 700;
    for (double mean : {0.05, 0.7, 4.0, 12.0, 29.9}) {
        std::vector<float> image(n * n, float(mean));
        Exposure e;
        e.exptime_s = 1, e.sky = e.dark = e.read_noise = 0;
        expose(pool, {image.data(), {1, n, n, 1}}, {}, e, 21, 1);
        std::vector<double> seen(200);
        for (float v : image) ++seen[std::size_t(v)];
        const double total = double(n) * n, m = float(mean);
        double chance = std::exp(-m), chi2 = 0;
        int cells = 0;
        for (int k = 0; k < 199; ++k, chance *= m / k)
            if (total * chance > 25) {
                const double z = (seen[std::size_t(k)] - total * chance) / std::sqrt(total * chance * (1 - chance));
                chi2 += z * z, ++cells;
                CHECK(std::fabs(z) < 5.5);  // 1e-6 for all of them
            }
        CAPTURE(mean);
        CHECK(chi2 < cells + 5 * std::sqrt(2.0 * cells) + 15);  // 1e-6 and less
    }
}

TEST_CASE("read noise follows the Gaussian, in its middle and its tails") {
    ThreadPool pool(2);
    const int n = 1000;
    Exposure e;
    e.sky = e.dark = 0, e.read_noise = 1;
    std::vector<float> image(n * n, 0.0f);
    expose(pool, {image.data(), {1, n, n, 1}}, {}, e, 31, 1);
    std::sort(image.begin(), image.end());
    const double total = double(n) * n;
    double distance = 0;
    for (std::size_t i = 0; i < image.size(); ++i)
        distance = std::max(distance, std::fabs(normal_below(image[i]) - (double(i) + 0.5) / total));
    CHECK(distance < std::sqrt(-0.5 * std::log(1e-7 / 2) / total));  // Kolmogorov-Smirnov, a false alarm in 1e7
    for (double w : {3.0, 4.0, 4.5}) {
        const double expected = total * normal_below(-w);
        const auto low = double(std::lower_bound(image.begin(), image.end(), float(-w)) - image.begin());
        const auto high = double(image.end() - std::upper_bound(image.begin(), image.end(), float(w)));
        CHECK(std::fabs(low - expected) < 5 * std::sqrt(expected) + 3);
        CHECK(std::fabs(high - expected) < 5 * std::sqrt(expected) + 3);
    }
}

TEST_CASE("whole ADU: whole numbers, no bias, and the variance of rounding each exposure") {
    ThreadPool pool(2);
    const int n = 800;
    for (int exposures : {1, 4}) {
        Exposure e;
        e.gain = 20, e.read_noise = 6, e.exposures = exposures, e.whole_adu = true;
        std::vector<float> image(n * n, 100.0f);
        expose(pool, {image.data(), {1, n, n, 1}}, {}, e, 41, 1);
        double mean = 0, variance = 0;
        CHECK(std::all_of(image.begin(), image.end(), [](float v) { return v == std::round(v); }));
        const double expected = (100 + (e.sky + e.dark) * e.exptime_s) / e.gain, total = double(n) * n;
        for (float v : image) mean += v - expected, variance += (v - expected) * (v - expected);
        // native_sigma() is of the sky; the stars' 100 e come on top. Its Gaussian is wide: rounding's own law holds to
        // 2 exp(-2 pi^2 (sigma / gain)^2) of gain^2.
        const double law = (native_sigma(e) * native_sigma(e) + 100) / (e.gain * e.gain);
        const double width = std::sqrt(law - 1.0 / 12), tail = 8 * std::exp(-2 * std::pow(std::numbers::pi * width, 2));
        CHECK(std::fabs(mean / total) < 5 * std::sqrt(law / total) + tail);
        CHECK(std::fabs(variance / total - law) < 5 * law * std::sqrt(2 / total) + tail);
        // With rates and a drizzle too: the noise of an empty pixel is the stated one.
        e.rate = true, e.drizzle_sigma = 0.5;
        std::fill(image.begin(), image.end(), 0.0f);
        expose(pool, {image.data(), {1, n, n, 1}}, {}, e, 41, 2);
        double squares = 0;
        for (int y = 10; y < n - 10; ++y)
            for (int x = 10; x < n - 10; ++x) squares += std::pow(image[y * n + x] - background_level(e), 2);
        const double inner = double(n - 20) * (n - 20), sigma = background_sigma(e);
        CHECK(std::fabs(squares / inner / (sigma * sigma) - 1) < 5 * 2 * std::sqrt(2 / inner) + 8 * tail);
    }
}
