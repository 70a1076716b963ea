// BUNIT as real headers have it: what it counts, and how the FITS standard spells it.
#pragma once
#include <string>

namespace star {

struct FluxUnit {
    enum class Kind {
        unstated,            ///< no BUNIT
        electrons,           ///< or photons: their noise follows from their number
        counts,              ///< ADU, DN, counts: electrons over the gain
        flux_density,        ///< Jy and its parts, per pixel
        surface_brightness,  ///< MJy/sr
        other                ///< not understood
    } kind = Kind::unstated;
    bool per_second = false;
    double jansky = 0;     ///< of one unit: per pixel for flux_density, per steradian for surface_brightness
    std::string standard;  ///< "electron/s", "adu", "MJy/sr"; empty if not understood

    bool countable() const { return kind == Kind::electrons || kind == Kind::counts || kind == Kind::unstated; }
};

/// Understands any case: "ELECTRONS/S", "electron s-1", "e-/s", "DN", "counts/sec", "CPS", "nJy", "MJy/sr".
FluxUnit parse_flux_unit(const std::string& bunit);

}  // namespace star
