// How near two stars must be to blend, and how large the box around one is.
#pragma once
#include <algorithm>

#include "sim/psf.h"

namespace star {

/// Eq. 2's dist_max, px: where the brighter star's profile falls to half of the fainter one's peak, plus where the
/// fainter one's falls to half of its own. Profiles are azimuthal averages of `psf`, that of the image; fluxes > 0.
inline double dist_max(const Psf& psf, double brighter, double fainter) {
    return psf.radius_at(0.5 * fainter / brighter) + psf.radius_at(0.5);
}

/// Half-width of the square around a star, px: box_fwhm FWHM, at least box_min px.
inline double box_half_width(const Psf& psf, double box_fwhm, double box_min) {
    return std::max(box_fwhm * psf.fwhm(), box_min);
}

}  // namespace star
