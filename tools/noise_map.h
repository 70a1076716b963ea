// A plane of errors, variances or weights: the variance of every pixel, and what it says about the noise as a whole.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "io/fits_image.h"
#include "tools/layout.h"

namespace star {

struct NoiseMap {
    std::vector<float> variance;  ///< image units squared; NaN where a pixel is unusable
    double sky_sigma = 0;  ///< image units: at pixels without much starlight. For Weight::weight in units of its own
    /// 1 / slope of the variance with the flux, where it has one: the stars' own photons are in the map. Else 0.
    double electrons_per_unit = 0;
    /// The variances are those of the pixels' measured values, noise included (LSST's, JWST's), not of expected ones.
    bool follows_noise = false;

    /// Of pixel i without the stars' photons, where `light` stands in it above the sky and one unit is so many
    /// electrons. Never below a tenth of the sky's.
    double empty(std::size_t i, double light, double electrons) const;
};

/// `plane` as its kind has it; not finite or not above zero: unusable. `pixels` and `states` are the image's. The sky
/// is the fainter half of the usable pixels; the slope, that between its medians and those of the brightest twentieth.
/// It counts where it makes the bright ones' variance larger by a tenth: by less, and no star's noise would be wrong
/// by more. Throws Error (Fault::input), naming the plane, if it has another extent.
NoiseMap noise_map(const FitsImage& plane, Weight kind, const FitsImage& image, std::span<const std::uint8_t> states);

/// Variances times `factor`, sigma its root.
void scale(NoiseMap& map, double factor);

}  // namespace star
