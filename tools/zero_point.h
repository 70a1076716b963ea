// The magnitude of one unit of an image, from what its header says about units.
#pragma once
#include <cmath>
#include <string>

#include "io/fits_image.h"
#include "tools/flux_unit.h"

namespace star {

struct ZeroPoint {
    double magnitude = NAN;  ///< of one unit of the image; NaN: unknown
    std::string system;      ///< "AB", "Vega", "unknown"; empty with NaN
    const char* how = "";    ///< "MAGZERO", "PHOTFLAM, PHOTPLAM", ...
};

/// Of these the first that the header has. MAGZERO, MAGZPT or PHOTZP, in MAGSYS. A flux density: AB, 3631 Jy being
/// magnitude 0. MJy/sr: the same through the pixel's solid angle, PIXAR_SR or else `pixel_arcsec` squared (NaN: no
/// WCS). PHOTFLAM and PHOTPLAM, of 1 e-/s (for images in electrons, times exptime_s). FLUXMAG0: the flux of AB
/// magnitude 0.
ZeroPoint header_zero_point(const FitsPlane& image, const FluxUnit& unit, bool rate, double exptime_s,
                            double pixel_arcsec);

}  // namespace star
