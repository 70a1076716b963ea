// Photons, read noise and digits, a pixel per thread, with the CPU's arithmetic: this file is compiled without fused
// multiplications and additions (CMakeLists.txt), so that both draw the same bits.
#include <cmath>

#include "kernels/noise.h"
#include "kernels/pack.cuh"
#include "kernels/random.h"

namespace star::cuda {
namespace {

constexpr int threads = 256;

__device__ float as_float(std::uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}
__device__ std::uint32_t as_bits(float f) {
    std::uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}
__device__ double as_double(std::uint64_t bits) {
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

template <int n>
__device__ float polynomial(const float (&c)[n], float x) {
    float sum = c[n - 1];
    for (int i = n - 2; i >= 0; --i) sum = sum * x + c[i];
    return sum;
}

// The functions of sim/noise_vector.h, of one number; what they are is said there.
__device__ float logarithm(float x) {
    constexpr float c[] = {0.333333312f,  -0.24999997f, 0.200007157f,  -0.166678023f, 0.142490576f,
                           -0.124256873f, 0.116854199f, -0.114797338f, 0.0697161147f};
    const std::int32_t shifted = std::int32_t(as_bits(x)) - 0x3f3504f3, exponent = shifted >> 23;
    const float f = as_float(std::uint32_t((shifted & 0x7fffff) + 0x3f3504f3)) - 1.0f, e = float(exponent);
    const float tail = f * f * (f * polynomial(c, f) - 0.5f);
    return e * 0.693359375f + (f + (tail + e * -2.12194440e-4f));
}

struct Gaussians {
    float a, b;
};

__device__ Gaussians gaussians(std::uint32_t radius_word, std::uint32_t angle_word) {
    constexpr float sine[] = {1.57079633f, -0.645964096f, 0.0796925827f, -0.00468126626f, 0.000158206304f};
    constexpr float cosine[] = {1.0f, -1.23370054f, 0.253669204f, -0.0208600695f, 0.000903628066f};
    const float u = (float(std::int32_t(radius_word >> 1)) + 0.5f) * 0x1p-31f;
    const float radius = std::sqrt(logarithm(u) * -2.0f);
    const std::uint32_t turned = angle_word + 0x20000000u;
    const float s = float(std::int32_t(turned & 0x3fffffffu) - 0x20000000) * 0x1p-30f, z = s * s;
    const float across = s * polynomial(sine, z), along = polynomial(cosine, z);
    const bool odd = turned >> 30 & 1;
    const float x = odd ? across : along, y = odd ? along : across;
    return {radius * as_float(as_bits(x) ^ ((turned + 0x40000000u) & 0x80000000u)),
            radius * as_float(as_bits(y) ^ (turned & 0x80000000u))};
}

__device__ double exp_minus(double x) {
    constexpr double shift = 0x1.8p52;
    const double whole = x * -1.4426950408889634 + shift, n = whole - shift;
    const double r = (-x - n * 0x1.62e42fee00000p-1) - n * 0x1.a39ef35793c76p-33;
    double sum = 1;
    for (int i = 13; i > 0; --i) sum = sum * r * (1.0 / i) + 1.0;
    std::uint64_t bits;
    memcpy(&bits, &whole, sizeof bits);
    return sum * as_double((bits + 1023) << 52);
}

__device__ float few_photons(float mean, std::uint32_t high, std::uint32_t low) {
    const double m = mean, u = as_double((std::uint64_t{high} << 32 | low) >> 12 | 0x3ff0000000000000u) - (1 - 0x1p-53);
    double term = exp_minus(m), below = term;
    int count = 0;
    for (int k = 1; k <= most_counts && below < u; ++k) {
        ++count;
        term *= m * (1.0 / k);
        below += term;
    }
    return float(count);
}

struct Photons {
    float whole, fraction, excess;
};

__device__ Photons photons(float mean, float w, std::uint32_t high, std::uint32_t low) {
    const float whole = std::floor(mean), fraction = mean - whole;
    if (mean < many_photons) return {whole, fraction, few_photons(mean, high, low) - whole};
    const float sigma = std::sqrt(mean), inverse = 1.0f / sigma, w2 = w * w;
    const float third = (w2 * (w2 * (3.0f / 810) + 7.0f / 810) - 16.0f / 810) * inverse;
    const float shift = (w2 + 2.0f) * (1.0f / 6 - w * inverse * (1.0f / 72)) + third * inverse;
    const float excess = std::floor(fraction + (sigma * w + shift));
    return {whole, fraction, excess < -whole ? -whole : excess};
}

__global__ void __launch_bounds__(threads) expose_pixels(NoiseRun run) {
    const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
    if (i >= run.count) return;
    const Random4 random = philox(run.seed, run.first + std::uint64_t(i), 0);
    const Gaussians g = gaussians(random.x[0], random.x[1]);
    const float light = run.image[i], mean = (light > 0.0f ? light : 0.0f) + run.background;
    const Photons p = photons(mean, g.a, random.x[2], random.x[3]);
    const float room = run.well - p.whole;
    const bool full = !(p.excess < room);  // true for what isn't a number, too
    const float excess = (full ? room : p.excess) + run.read * g.b;
    float image = run.unit * (p.whole + excess), noise = excess - p.fraction;
    if (run.step > 0) {
        const float level = std::nearbyint((p.whole + excess) / run.step) * run.step;
        image = run.unit * level, noise = level - mean;
    }
    run.image[i] = run.noise ? mean : image;
    if (run.noise) run.noise[i] = noise;
    if (run.full) run.full[i] = full;
}

struct Taps {
    int reach;
    double weight[most_drizzle_taps];
};

// The sum of weights of the pixels there are around `at` of `size`, as 1 / it: 1 / their sum, as the CPU has it.
__device__ double norm(const Taps& taps, int at, int size) {
    double sum = 0;
    for (int k = -taps.reach; k <= taps.reach; ++k)
        if (at + k >= 0 && at + k < size) sum += taps.weight[k + taps.reach];
    return 1 / sum;
}

// Along rows (step 1) or columns (step w).
__device__ float blurred(const Taps& taps, const float* from, std::int64_t i, int at, int size, int step) {
    double sum = 0;
    for (int k = -taps.reach; k <= taps.reach; ++k)
        if (at + k >= 0 && at + k < size) sum += taps.weight[k + taps.reach] * from[i + std::int64_t{k} * step];
    return float(sum * norm(taps, at, size));
}

__global__ void __launch_bounds__(threads) blur_rows(const float* from, Shape s, Taps taps, float* rows) {
    const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
    if (i < s.size()) rows[i] = blurred(taps, from, i, int(i % s.w), s.w, 1);
}

__global__ void __launch_bounds__(threads) add_columns(const float* rows, Taps taps, float unit, View<float> image) {
    const Shape s = image.shape;
    const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
    if (i < s.size()) image.data[i] = (image.data[i] + blurred(taps, rows, i, int(i / s.w), s.h, s.w)) * unit;
}

}  // namespace

void expose(Stream stream, const NoiseRun& run) {
    if (run.count == 0) return;
    launch(stream, {{block_count(ceil_div(run.count, std::int64_t{threads}))}, threads}, expose_pixels, run);
}

void drizzle_noise(Stream stream, View<float> image, View<const float> noise, const double* kernel, int taps,
                   float unit, float* rows) {
    const Shape s = image.shape;
    require(s.n == 1 && s.c == 1 && noise.shape == s, "drizzle_noise: shapes disagree");
    require(taps % 2 == 1 && taps > 0 && taps <= most_drizzle_taps, "drizzle_noise: ", taps, " taps");
    if (s.size() == 0) return;
    Taps t{taps / 2, {}};
    for (int i = 0; i < taps; ++i) t.weight[i] = kernel[i];
    const Grid grid{{block_count(ceil_div(s.size(), std::int64_t{threads}))}, threads};
    launch(stream, grid, blur_rows, noise.data, s, t, rows);
    launch(stream, grid, add_columns, static_cast<const float*>(rows), t, unit, image);
}

}  // namespace star::cuda
