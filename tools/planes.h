// The planes of an image, found and read: its pixels' states, and the map of its noise.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "io/fits_window.h"
#include "tools/console.h"
#include "tools/layout.h"

namespace star {

/// What the user said about them. Empty: what the image's own file holds.
struct PlaneOptions {
    std::string mask;         ///< a file, "file.fits[DQ]", or "none"
    std::string weight;       ///< likewise
    std::string weight_type;  ///< weight_named(); empty: as the plane's EXTNAME says
    std::string mask_bits;    ///< which bits make a pixel unusable: "1", "0x11"; empty: as its pipeline means them
};

struct Planes {
    std::vector<std::uint8_t> states;  ///< PixelState of each pixel; empty: all good
    std::optional<FitsImage> noise;    ///< as it lies in its file
    Weight weight = Weight::none;      ///< of noise; or background, without a plane
};

/// Of an image, or of a window of it. Reads them and says in a line what it took from the image's own file. Throws
/// Error: Fault::input naming the plane for another extent; Fault::usage if --weight names a plane whose kind nothing
/// says.
Planes read_planes(const std::string& image, const std::optional<Window>& window, const PlaneOptions& options,
                   Console& console);

}  // namespace star
