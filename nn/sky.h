// What every image goes through before a network sees it, in training and in use: sky, noise, stretch. Once per image,
// before it is cut into tiles.
#pragma once
#include <vector>

#include "kernels/sky_level.h"
#include "nn/architecture.h"
#include "nn/layers.h"

namespace star {

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

/// Allocates what it needs, queues everything and waits once, for the whole of it. Without a usable pixel everything is
/// 0. Noise that is unknown, or 0 by its model (a subtracted sky, no read-out given), is estimated:
/// high_frequency_noise(), or the mesh's mean rms where no pixel has eight usable neighbours. A constant image gets
/// sigma = 1: whatever the unit, nothing stands above its sky. Throws Error if shapes disagree; with Fault::usage if
/// the paper's `full` isn't above the background.
PreparedSky prepare_sky(Stream stream, const Sky& sky, const Procedure& how);

}  // namespace star
