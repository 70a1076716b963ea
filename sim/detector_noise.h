// What the detector makes of the light: photon noise, dark current, read noise, saturation, gain, and a drizzle's blur.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels/noise.h"
#include "kernels/sky_level.h"
#include "kernels/thread_pool.h"
#include "kernels/types.h"
#include "sim/psf.h"

namespace star {

/// Several equal exposures added up. The names of presets and their sources are the caller's affair.
struct Exposure {
    double exptime_s = 150;  ///< total, over all exposures
    int exposures = 1;
    double gain = 1;           ///< e per ADU
    double zeropoint = 26.32;  ///< magnitude of a star that gives 1 e/s
    double sky = 0.29;         ///< e/s/px
    double dark = 0.02;        ///< e/s/px
    double read_noise = 5.2;   ///< e rms per exposure
    double full_well = 65535;  ///< e per exposure and pixel, sky and dark included
    double drizzle_sigma = 0;  ///< px; the blur that resampling onto the output grid adds, 0 = none, else 1/32...2
    bool rate = false;         ///< the image is in e/s; else in ADU, all exposures added
    bool whole_adu = false;    ///< each exposure's signal is read out as a whole number of ADU
};

inline constexpr std::uint8_t mask_saturated = 4;  ///< SExtractor's flag

void check_exposure(const Exposure& e);  ///< Throws Error (Fault::usage) naming the first value out of range.

double electrons(double magnitude, const Exposure& e);  ///< of a star, over all exposures
double magnitude(double electrons, const Exposure& e);
double image_unit(const Exposure& e);        ///< what one electron adds to the image: 1/gain or 1/exptime
double background_level(const Exposure& e);  ///< mean of an empty pixel, in units of the image
double native_sigma(const Exposure& e);      ///< rms of an empty pixel before any drizzle, in electrons
double background_sigma(const Exposure& e);  ///< rms of an empty pixel, drizzle included, in units of the image
Noise noise_of(const Exposure& e);           ///< as a function of the sky's level
double saturation_level(const Exposure& e);  ///< where pixels clip, in units of the image

/// The kernel that noise passes through along one axis in a drizzle, odd and centred: Lindeberg's discrete Gaussian
/// exp(-t) I_n(t), t = sigma^2, whose variance is sigma^2 exactly (that of a Gaussian sampled at pixels is half of it
/// at sigma = 0.4). {1} for sigma = 0.
std::vector<double> drizzle_kernel(double sigma_px);

/// Passes independent noise through drizzle_kernel() along both axes, in place, renormalised at the edges.
/// noise (1,H,W,1). Throws Error (Fault::usage) for a sigma that drizzle_kernel() doesn't take.
void drizzle_noise(ThreadPool& pool, double sigma_px, View<float> noise);

/// The PSF of stars in the output image: psf blurred by the drizzle's Gaussian. Dithered exposures average over pixel
/// phases, so the blur of stars is continuous: HST's F475W goes from a FWHM of 1.6 px to 2.15 (2.2 in the real image).
Psf image_psf(const Psf& psf, const Exposure& e);

/// The variance that expose() gives each pixel, in units of the image squared: Poisson of stars, sky and dark, read
/// noise and rounding, through the drizzle. What clipping takes away from it isn't counted: pixels are taken to hold
/// the full well at most. electrons (1,H,W,1): expected, of the stars, as expose() takes them;  variance (1,H,W,1):
/// overwritten
void expected_variance(ThreadPool& pool, View<const float> electrons, View<float> variance, const Exposure& e);

/// What a run of pixels of field `index` of `seed` needs to know but for where they are: expose()'s own numbers.
NoiseRun noise_run(const Exposure& e, std::uint64_t seed, std::uint64_t index);

/// In place, expected electrons of the stars, rendered with image_psf() (all exposures together), become an observed
/// image:
///   mean = stars + sky + dark;  seen = min(Poisson(mean), exposures * full_well) + Gaussian(read_noise *
///   sqrt(exposures)), with whole_adu rounded to a multiple of the gain;  image = image_unit() * (mean + noise),
///   noise = seen - mean, passed through drizzle_kernel() along both axes (renormalised at the edges) where
///   drizzle_sigma > 0: pixels are then correlated, and their noise is background_sigma().
/// The Poisson is exact below a mean of 30 (its distribution function is summed in double: 1e-14); above, its total
/// variation distance from the law is 1.5e-5 at most and falls faster than 1 / mean. Gaussians end at 6.7 sigma.
/// Several exposures are rounded as one; what more their own roundings would scatter, gain^2/12 each, is Gaussian.
/// image  (1,H,W,1), finite; values below 0 count as 0
/// mask   (1,H,W,1), overwritten: mask_saturated where a pixel clipped (with drizzle: where such pixels make up 5 % of
/// the
///        kernel or more), else 0; data = null for none
/// Exposures being equal, clipping their sum is clipping each. With drizzle, light is compared with the full well after
/// the blur, so that stars saturate a few tenths of a magnitude late. A pure function of seed, index and the pixels'
/// places in the image: the same bits for any threads and any instruction set.
void expose(ThreadPool& pool, View<float> image, View<std::uint8_t> mask, const Exposure& e, std::uint64_t seed,
            std::uint64_t index);

}  // namespace star
