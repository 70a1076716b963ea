// Galaxies behind the stars: truth of the class `extended`.
#pragma once
#include <cstdint>
#include <vector>

#include "sim/detector_noise.h"
#include "sim/field_spec.h"
#include "sim/render.h"
#include "sim/scene_luminosity.h"

namespace star {

/// Counts, sizes and shapes are rounded forms of ours of what deep HST fields show near 0.8 um: 3e4 per deg^2 and mag
/// at 23, rising as 10^(0.35 m) to 25 and 10^(0.25 m) beyond; half-light radii of 0.35 arcsec at 23, as 10^(-0.1 m).
struct Galaxies {
    LuminosityFunction counts{{{18, 2.75}, {25, 5.2}, {28, 5.95}}};  ///< log10 per deg^2 and mag
    double pixel_scale = 0.074;                                      ///< arcsec/px
    double size_arcsec = 0.35, size_mag = 23, size_slope = -0.1;     ///< half-light radius 10^(slope (m - size_mag))
    double size_scatter = 0.2;                                       ///< dex, normal
    double bulges = 0.3;                                             ///< share with Sersic index 4; the others have 1
};

struct Galaxy {
    double x, y;        ///< px, pixel edges
    double mag, flux;   ///< electrons over all exposures
    double half_light;  ///< px, along the major axis
    double sersic;      ///< index
    double axis_ratio;  ///< uniform in 0.2...1
    double angle;       ///< of the major axis from x to y
};

void check_galaxies(const Galaxies& g);  ///< Throws Error (Fault::usage) naming the first value out of range.

/// Poisson in number and uniform over the field and its margin. A pure function of its arguments.
std::vector<Galaxy> make_galaxies(const Galaxies& g, const Exposure& exposure, const FieldSpec& field);

/// The galaxy's light as point sources for render(), which convolves it with the PSF: Sersic's profile (b_n of Ciotti
/// and Bertin 1999, Eq. 18 to the second term) out to 4 half-light radii (index up to 2) or 8, averaged over square
/// cells, all of the flux. Cells are 1 px wide, which adds no ripple, as a pixel's response at that spacing sums to 1;
/// 1/2 px below half-light radii of 4 px; coarser where more than 1,024 lie along a side.
std::vector<PointSource> galaxy_light(const Galaxy& galaxy);

}  // namespace star
