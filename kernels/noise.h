// What a detector makes of light, pixel by pixel: the contract of the CPU's code (sim/noise_simd.h) and the GPU's.
#pragma once
#include <cstdint>

#include "kernels/device.h"

namespace star {

/// From this mean on, counts come from an expansion of the Poisson's quantiles; below, they are exact.
inline constexpr float many_photons = 30;
/// Counts end here. Above 30 the chance of a count beyond is 1e-51.
inline constexpr int most_counts = 160;

/// A run of consecutive pixels of one field. For pixel `first` + i, with i < count:
///   mean = max(image[i], 0) + background;  n ~ Poisson(mean), at most `well`;  seen = n + read * Gaussian, rounded to
///   a multiple of `step` if step > 0. image[i] = unit * seen; with `noise`: image[i] = mean, noise[i] = seen - mean.
///   full[i] = n reached the well ? 1 : 0.
struct NoiseRun {
    float* image;
    float* noise;        ///< or null
    std::uint8_t* full;  ///< or null
    std::int64_t count;
    std::uint64_t seed, first;
    float background, well, read, step, unit;
};

inline constexpr int most_drizzle_taps = 23;  ///< of a kernel of sigma = 2 px

namespace cuda {

/// A run, its arrays on the device: the CPU's bits. Queued.
void expose(Stream, const NoiseRun&);

/// Noise through a drizzle: image = (image + blurred noise) * unit, where blurred is the convolution with kernel x
/// kernel, renormalised over the pixels there are. The CPU's bits (sums in double, rounded to float after rows and
/// after columns).
///   image, noise (1,H,W,1)      kernel  `taps` weights on the host, odd in number, most_drizzle_taps at most
///   rows  workspace of H x W floats
void drizzle_noise(Stream, View<float> image, View<const float> noise, const double* kernel, int taps, float unit,
                   float* rows);

}  // namespace cuda
}  // namespace star
