// One number each for an image's sky and its noise, from the mesh that background.h makes.
#pragma once
#include <cmath>

#include "kernels/device.h"

namespace star {

/// The random noise as a function of the sky's level: photons and read-out (mission: "sigma means noise").
struct Noise {
    double electrons_per_unit = 0;  ///< gain, or gain times exposure time for rates; 0: unknown
    double read_variance = 0;       ///< electrons^2 per pixel, of all exposures together
    double correlation = 1;         ///< a resampled image's noise per pixel / that of independent pixels

    /// Image units; never less than sigma(0). NaN if electrons_per_unit is unknown.
    constexpr double sigma(double level) const {
        if (!(electrons_per_unit > 0)) return NAN;
        // One rounding for product and sum, wherever it is computed: a compiler may or may not make them one.
        const double electrons = std::fma(level > 0 ? level : 0.0, electrons_per_unit, read_variance);
        return std::sqrt(electrons) / electrons_per_unit * correlation;
    }
};

struct SkyLevel {
    double background, sigma;                 ///< image units
    float rounded_background, rounded_sigma;  ///< the same, for kernels
    int estimated;                            ///< 1: sigma is from the image, 0: from the noise model
};

/// background = the mean of `level`. sigma = noise.sigma(background) if that is > 0; else *estimate, or if that is NaN
/// the mean of `rms`; 1 if what was found isn't > 0. Means are sums in double: part i of 256 adds cells i, i + 256, ...
/// in order, then the parts are added in order. Equal bits on every device.
///   level     (1,h,w,1) float, rms likewise, at least one cell: background_mesh()
///   estimate  one float on the device: high_frequency_noise(); null is NaN, and right where noise.sigma(0) > 0
///   out       one SkyLevel on the device, overwritten
/// Queued on `stream`. Throws Error if the shapes differ or there is no cell.
void sky_level(Stream stream, View<const float> level, View<const float> rms, const float* estimate, Noise noise,
               SkyLevel* out);

inline constexpr int sky_parts = 256;

/// What both devices make of the two means.
constexpr SkyLevel sky_level_of(double background, double rms, float estimate, Noise noise) {
    double sigma = noise.sigma(background);
    const bool estimated = !(sigma > 0);
    if (estimated) sigma = estimate == estimate ? double(estimate) : rms;
    if (!(sigma > 0)) sigma = 1;
    return {background, sigma, float(background), float(sigma), estimated};
}

namespace cuda {
void sky_level(Stream, View<const float> level, View<const float> rms, const float* estimate, Noise noise,
               SkyLevel* out);
}  // namespace cuda

}  // namespace star
