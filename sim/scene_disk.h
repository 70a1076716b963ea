// Stars spread evenly over a field: a galaxy's disk, or what lies in front of a cluster.
#pragma once
#include <cstdint>
#include <vector>

#include "sim/detector_noise.h"
#include "sim/field_spec.h"
#include "sim/scene_luminosity.h"
#include "sim/star.h"

namespace star {

struct Disk {
    double density = 0;                     ///< stars/px^2 of all magnitudes; the number is Poisson
    double gradient_x = 0, gradient_y = 0;  ///< relative change of the density per px, linear about the field's middle
    LuminosityFunction luminosity{{{22, 0}, {28, 0}}};
};

void check_disk(const Disk& d);  ///< Throws Error (Fault::usage) naming the first value out of range.

/// M31's disk in F475W (Vega): few blue stars above a red-giant branch that rises from 24.5, a red clump that makes the
/// luminosity function peak near 26.2, flat beyond 26.8, and on to 3 mag below `limit`, so that stars too faint to be
/// seen one by one make the background. The shape is ours, chosen by eye so that a simulated field of density 0.045 and
/// sky 0.09 e/s has the pixel histogram of PHAT's image around AP142 (bench/m31.sh scene); no catalogue was used.
/// density: stars/px^2 brighter than 27.4, where a survey of 20 stars/arcsec^2 (72,000 per arcmin^2) has 0.05 at 0.05
/// arcsec/px. magnitude_shift: added to all magnitudes (Vega to AB in F475W: -0.10, from zero points 26.16 and 26.056).
Disk m31_disk(double density, double limit, double magnitude_shift);

/// Uniform over the field and `margin` px around it, but for the gradient; densities below 0 count as 0.
/// A pure function of its arguments. Throws Error (Fault::usage) above 2^26 stars.
std::vector<Star> make_disk(const Disk& d, const Exposure& exposure, const FieldSpec& field);

}  // namespace star
