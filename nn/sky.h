// What every image goes through before a network sees it, in training and in use: sky, noise, stretch. Once per image,
// before it is cut into tiles.
#pragma once
#include <vector>

#include "nn/architecture.h"
#include "nn/layers.h"

namespace star {

/// The random noise as a function of the sky's level: photons and read-out (mission: "sigma means noise").
struct Noise {
    double electrons_per_unit = 0;  ///< gain, or gain times exposure time for rates; 0: unknown
    double read_variance = 0;       ///< electrons^2 per pixel, of all exposures together
    double correlation = 1;         ///< a resampled image's noise per pixel / that of independent pixels

    /// Image units. NaN if electrons_per_unit is unknown.
    double sigma(double level) const;
};

/// Pixels on the host.
struct Sky {
    View<const float> image;                          ///< (1,H,W,1); not finite = unusable
    View<const std::uint8_t> mask{nullptr, nothing};  ///< (1,H,W,1), non-zero = unusable; data = null for none
    Noise noise{};                                    ///< unknown: estimated from the image's high frequencies

    bool usable(std::int64_t i) const;
};

struct PreparedSky {
    Buffer<float> normalised;           ///< (1,H,W,1) on the device
    std::vector<float> background_map;  ///< (H,W): what was subtracted, image units
    double background = 0;              ///< mean of the mesh, image units
    double sigma = 0;                   ///< the noise at that level, image units
    bool sigma_estimated = false;       ///< from the image, not from a noise model
    std::int64_t usable_pixels = 0;
};

/// Allocates what it needs, returns when done. Without a usable pixel everything is 0. Noise that is unknown, or 0 by
/// its model (a subtracted sky, no read-out given), is estimated: high_frequency_noise(), or the mesh's mean rms where
/// no pixel has eight usable neighbours. A constant image gets sigma = 1: whatever the unit, nothing stands above its
/// sky. Throws Error if shapes disagree; with Fault::usage if the paper's `full` isn't above the background.
PreparedSky prepare_sky(Stream stream, const Sky& sky, const Procedure& how);

}  // namespace star
