// Photon noise, saturation, read noise and drizzle, pixel by pixel from counter-based random numbers.
#include "sim/detector_noise.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "sim/streams.h"

namespace star {
namespace {

// From this mean on, the quantile's expansion below is good to 1e-3 of a count in the body of the distribution.
constexpr double many = 30;

struct Normal2 {
    double a, b;
};

Normal2 normals(std::uint64_t seed, std::uint64_t pixel) {  // Box-Muller
    const Random4 r = philox(seed, pixel, 0);
    const double radius = std::sqrt(-2 * std::log(uniform(r.x[0], r.x[1])));
    const double angle = 2 * std::numbers::pi * uniform(r.x[2], r.x[3]);
    return {radius * std::cos(angle), radius * std::sin(angle)};
}

// The Poisson quantile of a normal quantile w: Giles 2016 (ACM TOMS 42, 6), equation for Q_N2.
double many_photons(double mean, double w) {
    const double root = std::sqrt(mean);
    return std::max(0.0, std::floor(mean + root * w + (2 + w * w) / 6 - w * (2 + w * w) / (72 * root)));
}

void in_range(const char* name, double value, double low, double high) {
    if (!(value >= low && value <= high)) fail(Fault::usage, name, " = ", value, " is outside ", low, "...", high);
}

// Convolves with kernel x kernel, renormalised over the pixels there are: rows, then columns.
void blur(ThreadPool& pool, const std::vector<double>& kernel, float* data, int width, int height) {
    const int reach = int(kernel.size()) / 2;
    const auto weight_within = [&](int at, int n) {
        double sum = 0;
        for (int k = std::max(-reach, -at); k <= std::min(reach, n - 1 - at); ++k)
            sum += kernel[std::size_t(k + reach)];
        return sum;
    };
    std::vector<float> rows(std::size_t(width) * height);
    pool.for_each(height, [&](std::int64_t y, int) {
        for (int x = 0; x < width; ++x) {
            double sum = 0;
            for (int k = std::max(-reach, -x); k <= std::min(reach, width - 1 - x); ++k)
                sum += kernel[std::size_t(k + reach)] * data[y * width + x + k];
            rows[std::size_t(y * width + x)] = float(sum / weight_within(x, width));
        }
    });
    pool.for_each(height, [&](std::int64_t row, int) {
        const int y = int(row);
        std::vector<double> sums(std::size_t(width), 0.0);
        for (int k = std::max(-reach, -y); k <= std::min(reach, height - 1 - y); ++k) {
            const double weight = kernel[std::size_t(k + reach)];
            const float* from = rows.data() + std::size_t(y + k) * width;
            for (int x = 0; x < width; ++x) sums[std::size_t(x)] += weight * from[x];
        }
        const double norm = 1 / weight_within(y, height);
        for (int x = 0; x < width; ++x) data[row * width + x] = float(sums[std::size_t(x)] * norm);
    });
}

}  // namespace

void check_exposure(const Exposure& e) {
    in_range("exptime", e.exptime_s, 1e-6, 1e9);
    in_range("exposures", e.exposures, 1, 1e6);
    in_range("gain", e.gain, 1e-6, 1e6);
    in_range("zeropoint", e.zeropoint, -50, 100);
    in_range("sky", e.sky, 0, 1e9);
    in_range("dark", e.dark, 0, 1e9);
    in_range("read_noise", e.read_noise, 0, 1e6);
    in_range("full_well", e.full_well, 1, 1e12);
    if (e.drizzle_sigma != 0) in_range("drizzle_sigma", e.drizzle_sigma, 1.0 / 32, 2);
}

double electrons(double magnitude, const Exposure& e) {
    return std::pow(10.0, 0.4 * (e.zeropoint - magnitude)) * e.exptime_s;
}
double magnitude(double electrons, const Exposure& e) {
    return e.zeropoint - 2.5 * std::log10(electrons / e.exptime_s);
}
double image_unit(const Exposure& e) { return e.rate ? 1 / e.exptime_s : 1 / e.gain; }
double background_level(const Exposure& e) { return (e.sky + e.dark) * e.exptime_s * image_unit(e); }
double native_sigma(const Exposure& e) {
    return std::sqrt((e.sky + e.dark) * e.exptime_s + e.exposures * e.read_noise * e.read_noise);
}
double saturation_level(const Exposure& e) { return e.full_well * e.exposures * image_unit(e); }

double background_sigma(const Exposure& e) {
    double squares = 0;  // of one axis; noise is white before the kernel, so its variance falls by the kernel's energy
    for (double w : drizzle_kernel(e.drizzle_sigma)) squares += w * w;
    return native_sigma(e) * squares * image_unit(e);
}

std::vector<double> drizzle_kernel(double sigma) {
    in_range("drizzle_sigma", sigma, 0, 2);
    const double t = sigma * sigma;
    const int reach = sigma > 0 ? int(std::ceil(5 * sigma)) + 1 : 0;
    std::vector<double> kernel(std::size_t(2 * reach) + 1);
    double sum = 0;
    for (int n = -reach; n <= reach; ++n) {
        // I_n(t) = sum over k of (t/2)^(2k+n) / (k! (k+n)!)
        double term = 1, bessel = 0;
        for (int i = 1; i <= std::abs(n); ++i) term *= t / 2 / i;
        for (int k = 0; k < 40; ++k) bessel += term, term *= t * t / 4 / ((k + 1.0) * (k + 1.0 + std::abs(n)));
        sum += kernel[std::size_t(n + reach)] = bessel;
    }
    for (double& w : kernel) w /= sum;
    return kernel;
}

Psf image_psf(const Psf& psf, const Exposure& e) { return psf.convolved_gaussian(e.drizzle_sigma); }

void expose(ThreadPool& pool, View<float> image, View<std::uint8_t> mask, const Exposure& e, std::uint64_t seed,
            std::uint64_t index) {
    check_exposure(e);
    const int height = image.shape.h, width = image.shape.w;
    require(image.shape == Shape{1, height, width, 1} && (!mask.data || mask.shape == image.shape),
            "expose: shapes disagree");
    const std::uint64_t noise_seed = seed_of(seed, Draw::noise, index);
    const double background = (e.sky + e.dark) * e.exptime_s, well = e.full_well * e.exposures;
    const double read = e.read_noise * std::sqrt(double(e.exposures)), unit = image_unit(e);
    const bool drizzle = e.drizzle_sigma > 0;
    std::vector<float> noise(drizzle ? std::size_t(image.size()) : 0), clipped(mask.data ? noise.size() : 0);
    pool.for_each(height, [&](std::int64_t row, int) {
        for (std::int64_t i = row * width; i < (row + 1) * width; ++i) {
            const double mean = std::max(0.0, double(image.data[i])) + background;
            const Normal2 normal = normals(noise_seed, std::uint64_t(i));
            // The exact draw has a seed of its own: its numbers must not be those of the read noise.
            double n =
                mean >= many ? many_photons(mean, normal.a) : Random(~noise_seed, std::uint64_t(i)).poisson(mean);
            const bool full = n >= well;
            if (full) n = well;
            const double seen = n + read * normal.b;
            if (drizzle) noise[std::size_t(i)] = float(seen - mean);
            image.data[i] = float(drizzle ? mean : seen * unit);
            if (mask.data) mask.data[i] = full ? mask_saturated : 0;
            if (!clipped.empty()) clipped[std::size_t(i)] = full;
        }
    });
    if (!drizzle) return;

    const std::vector<double> kernel = drizzle_kernel(e.drizzle_sigma);
    blur(pool, kernel, noise.data(), width, height);
    for (std::int64_t i = 0; i < image.size(); ++i)
        image.data[i] = float((image.data[i] + noise[std::size_t(i)]) * unit);
    if (clipped.empty()) return;
    blur(pool, kernel, clipped.data(), width, height);
    for (std::int64_t i = 0; i < image.size(); ++i)
        mask.data[i] = clipped[std::size_t(i)] >= 0.05f ? mask_saturated : 0;
}

}  // namespace star
