// What the detector's noise needs of each instruction set: noise_simd.cpp is compiled once per instruction set.
#pragma once
#include "kernels/isa.h"
#include "kernels/noise.h"

namespace star {

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
