// A telescope's image and what its header, the user and the model say about its noise and its magnitudes.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "io/fits_window.h"
#include "io/wcs.h"
#include "nn/detector.h"
#include "nn/sky.h"
#include "tools/console.h"
#include "tools/flux_unit.h"
#include "tools/model_file.h"
#include "tools/noise_map.h"
#include "tools/planes.h"

namespace star {

/// What the user said; NaN and empty: nothing.
struct ObservationOptions {
    std::vector<std::string> images;  ///< as given: names, @lists, file.fits[*]
    std::string image;                ///< "file.fits", "file.fits[SCI]"
    PlaneOptions planes;
    double exptime = NAN;  ///< s, all exposures together
    double exposures = NAN;
    double gain = NAN;             ///< e-/ADU
    double read_noise = NAN;       ///< e- rms per exposure
    double zeropoint = NAN;        ///< magnitude of one unit of the image
    std::string magnitude_system;  ///< of zeropoint: "AB", "Vega"
    double saturate = NAN;         ///< level from which pixels are saturated, image units
    std::optional<Window> window;  ///< part of the image that is read; none: all
    bool repeated = false;         ///< of a further part of an image: what concerns all of it has been said
};

/// Where a number came from.
struct Sourced {
    double value = NAN;
    const char* source = "unknown";  ///< "option", "header", "model", "noise map"
};

/// Ratio of pixel scales from which an image is another instrument's than a model's training.
inline constexpr double other_pixels = 1.1;

struct Observation {
    FitsImage image;
    std::optional<Wcs> wcs;
    std::vector<std::uint8_t> mask;    ///< PixelState of each pixel; empty: all good
    std::vector<std::uint8_t> hidden;  ///< what the network doesn't see, non-zero: pixel_bad; empty: nothing
    std::optional<NoiseMap> map;
    Noise noise;
    Sourced exptime, exposures, gain, read_noise, zeropoint, saturate;
    bool rate = false;             ///< image in something per second
    bool model_pixels = true;      ///< as large as in the model's training, or of unknown size
    std::string flux_unit;         ///< of the image, as the FITS standard spells it; empty if BUNIT isn't understood
    std::string magnitude_system;  ///< empty: no magnitudes
    double whole_sigma = 0;        ///< noise of the whole image, of which this is a part; 0: this is all of it
    Region fitted;                 ///< where stars are fitted

    Sky sky() const;
    std::uint8_t state(std::size_t i) const { return mask.empty() ? 0 : mask[i]; }
    /// Of independent pixels (before any drizzle), image units squared: from the map, the noise model, or the image.
    double empty_variance(std::size_t i, const PreparedSky& sky) const;
    /// With the photons of what stands there above the sky.
    double variance(std::size_t i, const PreparedSky& sky) const;
    /// px: the blur that the noise went through where the model's exposures were resampled with this one; 0 where the
    /// image's weren't, or nobody knows its noise.
    double noise_blur(double drizzle_sigma) const {
        return model_pixels && noise.electrons_per_unit > 0 ? drizzle_sigma : 0;
    }
    /// Marks the pixels from `saturate` on, as they are now, and hides from the network what the mask says is bad.
    void mark_pixels();
};

/// Options win over the header, the header over the model's training exposure. Says on the console which came from the
/// model. Throws Error (Fault::input, Fault::usage).
Observation open_observation(const ObservationOptions& options, const Model& model, Console& console);

}  // namespace star
