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

/// What queue_sky() found, on the device.
struct QueuedSky {
    View<const float> background;  ///< (1,H,W,1): what is subtracted
    const SkyLevel* level;         ///< one
};

/// Replaces an image that lies on the device by what the network sees of it. Queued: waits for nothing, so that fields
/// can be made and prepared while the device is at work. Rules as prepare_sky(), of which it is the heart, but for an
/// image without a usable pixel, and a `full` below the background, which the host can't see from here.
///   image (1,H,W,1), at least one usable pixel      mask  likewise, non-zero = unusable; data = null for none
///   memory  lent until the queued work is done; rehearse with a dry stream
QueuedSky queue_sky(Stream stream, View<float> image, View<const std::uint8_t> mask, const Noise& noise,
                    const Procedure& how, Arena& memory);

/// Allocates what it needs, queues everything and waits once, for the whole of it. Without a usable pixel everything is
/// 0. Noise that is unknown, or 0 by its model (a subtracted sky, no read-out given), is estimated:
/// high_frequency_noise(), or the mesh's mean rms where no pixel has eight usable neighbours. A constant image gets
/// sigma = 1: whatever the unit, nothing stands above its sky. Throws Error if shapes disagree; with Fault::usage if
/// the paper's `full` isn't above the background.
PreparedSky prepare_sky(Stream stream, const Sky& sky, const Procedure& how);

}  // namespace star
