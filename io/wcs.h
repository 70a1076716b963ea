// Celestial coordinates of an image's pixels, by WCSLIB.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "io/fits_header.h"

namespace star {

struct PixelPosition {
    double x = 0, y = 0;  // FITS: the centre of the first pixel is (1, 1)
};

struct SkyPosition {
    double ra = 0, dec = 0;  // degrees; ra in 0...360
};

/// The celestial WCS of the first two axes. Distortions (SIP, TPV, TAN with PV) are applied as astropy's all_pix2world
/// applies them. Galactic coordinates are turned into ICRS.
///
/// WCSLIB parses text of its own and has overflowed on odd cards, so it never sees the file's: the cards it needs are
/// validated (finite numbers, indices in range) and written anew. One object may be used by several threads, which then
/// wait for each other; copies don't.
class Wcs {
public:
    /// nullopt if the header has no celestial WCS (no RA/DEC or GLON/GLAT pair in CTYPE1 and CTYPE2). Fault::input,
    /// naming the file, if it has one that is invalid.
    static std::optional<Wcs> from_header(const FitsHeader& header);

    Wcs(const Wcs& other);
    Wcs& operator=(const Wcs& other);
    Wcs(Wcs&&) noexcept;
    Wcs& operator=(Wcs&&) noexcept;
    ~Wcs();

    /// NaN where the projection isn't defined.
    SkyPosition to_sky(PixelPosition pixel) const;
    /// The inverse, distortions solved iteratively to 10⁻⁹ px or better where it converges; NaN where it doesn't.
    PixelPosition to_pixel(SkyPosition sky) const;

    /// RADESYS of what to_sky returns: "ICRS", "FK5", "FK4", ...; without the card as the FITS standard infers it from
    /// EQUINOX. "ICRS" for galactic images.
    const std::string& frame() const;
    /// Side of a square of a pixel's area at the reference pixel, arcsec, distortions apart.
    double pixel_scale() const;

private:
    struct State;
    explicit Wcs(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace star
