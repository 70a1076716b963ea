// Photon noise, saturation, read noise and drizzle, pixel by pixel from counter-based random numbers.
#include "sim/detector_noise.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"
#include "sim/noise_simd.h"
#include "sim/streams.h"

namespace star {

const NoiseKernels& noise_kernels(Isa isa) {
    return of_isa(isa, baseline::noise_kernels, avx2::noise_kernels, avx512::noise_kernels);
}

namespace {

// Convolves with a kernel along an axis of n pixels, as if there were nothing beyond its ends: 1 / the weight inside.
std::vector<double> norms(const std::vector<double>& kernel, int n) {
    const int reach = int(kernel.size()) / 2;
    std::vector<double> norm(std::size_t(n), 0.0);
    for (int at = 0; at < n; ++at) {
        double sum = 0;
        for (int k = std::max(-reach, -at); k <= std::min(reach, n - 1 - at); ++k)
            sum += kernel[std::size_t(k + reach)];
        norm[std::size_t(at)] = 1 / sum;
    }
    return norm;
}

// Convolves with kernel x kernel, renormalised over the pixels there are: rows, then columns.
void blur(ThreadPool& pool, const std::vector<double>& kernel, float* data, int width, int height) {
    const int reach = int(kernel.size()) / 2;
    const std::vector<double> across = norms(kernel, width), down = norms(kernel, height);
    std::vector<float> rows(std::size_t(width) * height);
    std::vector<std::vector<double>> scratch(std::size_t(pool.threads()));
    pool.for_each(height, [&](std::int64_t y, int worker) {
        auto& sums = scratch[std::size_t(worker)];
        sums.assign(std::size_t(width), 0.0);
        for (int k = -reach; k <= reach; ++k) {
            const double weight = kernel[std::size_t(k + reach)];
            const float* from = data + y * width + k;
            for (int x = std::max(0, -k); x < std::min(width, width - k); ++x) sums[std::size_t(x)] += weight * from[x];
        }
        float* to = rows.data() + y * width;
        for (int x = 0; x < width; ++x) to[x] = float(sums[std::size_t(x)] * across[std::size_t(x)]);
    });
    pool.for_each(height, [&](std::int64_t row, int worker) {
        const int y = int(row);
        auto& sums = scratch[std::size_t(worker)];
        sums.assign(std::size_t(width), 0.0);
        for (int k = std::max(-reach, -y); k <= std::min(reach, height - 1 - y); ++k) {
            const double weight = kernel[std::size_t(k + reach)];
            const float* from = rows.data() + std::size_t(y + k) * width;
            for (int x = 0; x < width; ++x) sums[std::size_t(x)] += weight * from[x];
        }
        for (int x = 0; x < width; ++x) data[row * width + x] = float(sums[std::size_t(x)] * down[std::size_t(y)]);
    });
}

// The variance of rounding one exposure, electrons.
double rounding(const Exposure& e) { return e.whole_adu ? e.gain * e.gain / 12 : 0; }

// Pixels that one thread takes at a time.
constexpr std::int64_t grain = 8192;

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
    if (e.drizzle_sigma != 0) in_range("drizzle_sigma", e.drizzle_sigma, Psf::least_blur, 2);
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
    return std::sqrt((e.sky + e.dark) * e.exptime_s + e.exposures * (e.read_noise * e.read_noise + rounding(e)));
}
double saturation_level(const Exposure& e) { return e.full_well * e.exposures * image_unit(e); }

double background_sigma(const Exposure& e) {
    double squares = 0;  // of one axis; noise is white before the kernel, so its variance falls by the kernel's energy
    for (double w : drizzle_kernel(e.drizzle_sigma)) squares += w * w;
    return native_sigma(e) * squares * image_unit(e);
}

Noise noise_of(const Exposure& e) {
    return {1 / image_unit(e), e.exposures * e.read_noise * e.read_noise,
            background_sigma(e) / (native_sigma(e) * image_unit(e))};
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

void drizzle_noise(ThreadPool& pool, double sigma_px, View<float> noise) {
    require(noise.shape == Shape{1, noise.shape.h, noise.shape.w, 1}, "drizzle_noise: shapes disagree");
    blur(pool, drizzle_kernel(sigma_px), noise.data, noise.shape.w, noise.shape.h);
}

Psf image_psf(const Psf& psf, const Exposure& e) { return psf.convolved_gaussian(e.drizzle_sigma); }

void expected_variance(ThreadPool& pool, View<const float> electrons, View<float> variance, const Exposure& e) {
    check_exposure(e);
    const int height = electrons.shape.h, width = electrons.shape.w;
    require(electrons.shape == Shape{1, height, width, 1} && variance.shape == electrons.shape,
            "expected_variance: shapes disagree");
    const double background = (e.sky + e.dark) * e.exptime_s, well = e.full_well * e.exposures;
    const double rest = e.exposures * (e.read_noise * e.read_noise + rounding(e));
    const double unit2 = image_unit(e) * image_unit(e);
    pool.for_range(variance.size(), grain, [&](std::int64_t first, std::int64_t last, int) {
        for (std::int64_t i = first; i < last; ++i) {
            const double mean = std::max(0.0, double(electrons.data[i])) + background;
            variance.data[i] = float((std::min(mean, well) + rest) * unit2);
        }
    });
    if (e.drizzle_sigma == 0) return;
    // White noise through weights w has the variance sum of w^2 v: a blur by the squares, which blur() makes sum to 1,
    // times what they do sum to, where the weights themselves are made to sum to 1.
    const std::vector<double> kernel = drizzle_kernel(e.drizzle_sigma);
    std::vector<double> squares;
    for (double w : kernel) squares.push_back(w * w);
    blur(pool, squares, variance.data, width, height);
    const auto factors = [&](int size) {
        std::vector<double> out = norms(kernel, size);
        const std::vector<double> of_squares = norms(squares, size);
        for (std::size_t i = 0; i < out.size(); ++i) out[i] *= out[i] / of_squares[i];
        return out;
    };
    const std::vector<double> across = factors(width), down = factors(height);
    pool.for_each(height, [&](std::int64_t y, int) {
        for (int x = 0; x < width; ++x)
            variance.data[y * width + x] *= float(across[std::size_t(x)] * down[std::size_t(y)]);
    });
}

NoiseRun noise_run(const Exposure& e, std::uint64_t seed, std::uint64_t index) {
    NoiseRun run{};
    run.seed = seed_of(seed, Draw::noise, index);
    run.background = float((e.sky + e.dark) * e.exptime_s);
    run.well = float(e.full_well * e.exposures);
    run.read = float(std::sqrt(e.exposures * e.read_noise * e.read_noise + (e.exposures - 1) * rounding(e)));
    run.step = e.whole_adu ? float(e.gain) : 0;
    run.unit = float(image_unit(e));
    return run;
}

void expose(ThreadPool& pool, View<float> image, View<std::uint8_t> mask, const Exposure& e, std::uint64_t seed,
            std::uint64_t index) {
    check_exposure(e);
    const int height = image.shape.h, width = image.shape.w;
    require(image.shape == Shape{1, height, width, 1} && (!mask.data || mask.shape == image.shape),
            "expose: shapes disagree");
    const bool drizzle = e.drizzle_sigma > 0;
    const std::int64_t size = image.size();
    std::vector<float> noise(drizzle ? std::size_t(size) : 0), clipped(mask.data ? noise.size() : 0);
    const NoiseRun whole = noise_run(e, seed, index);
    const NoiseKernels& kernels = noise_kernels(pool.isa());
    pool.for_range(size, grain, [&](std::int64_t first, std::int64_t last, int) {
        NoiseRun run = whole;
        run.image = image.data + first, run.first = std::uint64_t(first), run.count = last - first;
        run.noise = drizzle ? noise.data() + first : nullptr;
        run.full = mask.data ? mask.data + first : nullptr;
        kernels.expose(run);
        if (run.full)
            for (std::int64_t i = first; i < last; ++i) mask.data[i] = mask.data[i] ? mask_saturated : 0;
        if (!clipped.empty())
            for (std::int64_t i = first; i < last; ++i) clipped[std::size_t(i)] = mask.data[i] ? 1 : 0;
    });
    if (!drizzle) return;

    const std::vector<double> kernel = drizzle_kernel(e.drizzle_sigma);
    blur(pool, kernel, noise.data(), width, height);
    if (!clipped.empty()) blur(pool, kernel, clipped.data(), width, height);
    pool.for_range(size, grain, [&](std::int64_t first, std::int64_t last, int) {
        for (std::int64_t i = first; i < last; ++i)
            image.data[i] = (image.data[i] + noise[std::size_t(i)]) * whole.unit;
        if (!clipped.empty())
            for (std::int64_t i = first; i < last; ++i)
                mask.data[i] = clipped[std::size_t(i)] >= 0.05f ? mask_saturated : 0;
    });
}

}  // namespace star
