// What the detector's noise needs of each instruction set: noise_simd.cpp is compiled once per instruction set.
#pragma once
#include <cstdint>

#include "kernels/isa.h"

namespace star {

/// From this mean on, counts come from an expansion of the Poisson's quantiles; below, they are exact.
inline constexpr float many_photons = 30;

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

struct NoiseKernels {
    /// The same bits on every instruction set. Random numbers are the words of philox(seed, pixel, 0): 0 and 1 make two
    /// independent Gaussians (Box-Muller; words of 31 and 32 bits: no deviate beyond 6.7 sigma, which have a chance of
    /// 5e-10), 2 and 3 a uniform of 52 bits for exact counts.
    void (*expose)(const NoiseRun&);
};

const NoiseKernels& noise_kernels(Isa);

namespace baseline {
extern const NoiseKernels noise_kernels;
}
namespace avx2 {
extern const NoiseKernels noise_kernels;
}
namespace avx512 {
extern const NoiseKernels noise_kernels;
}

}  // namespace star
