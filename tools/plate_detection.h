// From pixels to rows: what `detect` does with an image, or with each plate of one too large to be held whole.
#pragma once
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tools/cosmic_rays.h"
#include "tools/plates.h"
#include "tools/star_fit.h"

namespace star {

/// P1 ... P5: a detection's chances over their sum; all alike where it has none.
std::array<double, classes_in_catalogue> class_chances(const Detection& d);

/// What is the same for all plates; the caller's.
struct DetectionPlan {
    /// What is done to a plate's observation before anyone looks at it; empty: nothing.
    using Alter = std::function<void(Observation&, const Plate&)>;

    const ObservationOptions& image;
    const Model& model;
    const StarOptions& stars;
    const std::optional<KnownPsf>& psf;
    CosmicRaySetting cosmic_rays;
    std::int64_t memory;  ///< bytes, for maps and tiles in work
    Alter alter;
};

/// The sky of a whole image, found before any plate is detected on, so that all are stretched alike.
struct WholeSky {
    double background = 0, sigma = 0;  ///< means over the plates' usable pixels, of sigma that of its square
    bool estimated = false;            ///< sigma: in any of them
    std::int64_t usable = 0;           ///< pixels, of the cores
};

/// What was met in one of the network's tiles; NaN: not known.
struct TileSeen {
    int column = 0, row = 0;  ///< of the image, in tiles
    int units = 0;            ///< whose centres lie in it
    std::int64_t usable = 0;  ///< pixels
    double noise = NAN;       ///< electrons rms of an independent empty pixel: the median
    double brightest = NAN;   ///< where pixels clip, above the sky, in units of the noise
};

struct PlateFound {
    PlateRows rows;
    std::vector<TileSeen> seen;
    WholeSky sky;  ///< of this plate alone
    int tiles = 0, tiles_done = 0;
    bool complete = true;                ///< false: interrupted
    std::unique_ptr<FittedStars> stars;  ///< of an image that is one plate: for its pictures
};

/// The image, or of its plates the middle one, else the first that can be read: what is said about all of them. Sets
/// options.window to it.
Observation open_first(ObservationOptions& options, const std::vector<Plate>& plates, const Model& model,
                       Console& console);

/// One of several plates, without saying again what is true of all.
Observation open_plate(const DetectionPlan& plan, const Plate& plate);

/// Reads and prepares every plate once.
WholeSky sky_of_plates(Stream stream, const DetectionPlan& plan, const std::vector<Plate>& plates, Console& console);

/// Detects, flags, fits. `sky`: of the whole image, null where the plate is all of it. Throws Error (Fault::device) if
/// plan.memory is too little for a single tile.
template <class T>
PlateFound detect_plate(Stream stream, const Detector<T>& detector, const DetectionPlan& plan, const Plate& plate,
                        const WholeSky* sky, Observation& observation, Console& console);

/// Bytes that a plate needs beside its tiles: its pixels, masks and maps while stars are fitted.
std::int64_t plate_bytes(const Plate& plate);

}  // namespace star
