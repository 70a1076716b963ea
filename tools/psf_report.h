// What a PSF is, for people: figures, comparisons, a picture.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "sim/psf.h"

namespace star {

struct NamedPsf {
    Psf psf;
    std::string name;
};

/// FWHM, peak, noise area, the light held and the enclosed energy at radii, pixel response included.
std::string describe_psf(const NamedPsf& psf, double pixel_scale);

/// The same of both, side by side, and the largest differences of enclosed energy and of the values themselves (each
/// PSF over its own total, since files rarely say how much of the light they hold), in units of the first one's peak.
std::string compare_psfs(const NamedPsf& first, const NamedPsf& second, double pixel_scale);

/// The table as grey values, top row first: 255 at the peak, 0 at 1e-5 of it and below, logarithmic.
std::vector<std::uint8_t> psf_grey(const Psf& psf);

}  // namespace star
