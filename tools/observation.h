// A telescope's image and what its header, the user and the model say about its noise and its magnitudes.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "io/fits_image.h"
#include "nn/sky.h"
#include "tools/console.h"
#include "tools/model_file.h"

namespace star {

/// What the user said; NaN and empty: nothing.
struct ObservationOptions {
    std::string image;     ///< "file.fits", "file.fits[SCI]"
    std::string mask;      ///< likewise; non-zero pixels are unusable
    double exptime = NAN;  ///< s, all exposures together
    double exposures = NAN;
    double gain = NAN;             ///< e-/ADU
    double read_noise = NAN;       ///< e- rms per exposure
    double zeropoint = NAN;        ///< magnitude of one unit of the image
    std::string magnitude_system;  ///< of zeropoint: "AB", "Vega"
    double saturate = NAN;         ///< level from which pixels are saturated, image units
};

/// Where a number came from.
struct Sourced {
    double value = NAN;
    const char* source = "unknown";  ///< "option", "header", "model"
};

struct Observation {
    FitsImage image;
    std::vector<std::uint8_t> mask;  ///< empty: none
    Noise noise;
    Sourced exptime, exposures, gain, read_noise, zeropoint, saturate;
    bool rate = false;             ///< image in something per second
    std::string flux_unit;         ///< of the image, as the FITS standard spells it; empty if BUNIT isn't understood
    std::string magnitude_system;  ///< empty: no magnitudes

    Sky sky() const;
};

/// Options win over the header, the header over the model's training exposure. Says on the console which came from the
/// model. Throws Error (Fault::input, Fault::usage).
Observation open_observation(const ObservationOptions& options, const Model& model, Console& console);

}  // namespace star
