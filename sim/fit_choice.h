// How many stars a unit has, and where.
#pragma once
#include <array>
#include <vector>

#include "kernels/types.h"
#include "sim/fit_group.h"

namespace star {

/// A unit: the light of everything else is taken away from `pixels`, whose weights aren't 0 where it is looked at.
struct UnitLight {
    const FitPixels& pixels;
    Box box;                       ///< px, pixel edges of the image
    std::array<double, 5> chance;  ///< the network's, of 1, 2, 3, 4, 5 or more stars; not negative
    LocalPsf psf;                  ///< there
    double fwhm;                   ///< px
};

struct Choice {
    std::vector<FitStar> stars;  ///< 1 to 5; none if no fit makes sense (no pixels, no light)
    bool converged = false;
};

/// The k of highest
///     -chi^2_k / 2 - (3 k / 2) ln n + ln max(P_k, 1e-3),
/// n the number of pixels looked at (Schwarz's criterion, three parameters a star; the sky is common to all k), P_k =
/// chance_k over their sum. k runs from 1 to 5, and no further than one above the likeliest class or one above the best
/// k so far. k = 1 starts at the highest peak of the matched filter in the box, k from the result of k - 1 twice: with
/// one more star at the highest peak of the matched filter in its residuals, and with the star that leaves the largest
/// chi^2 split along the long axis of its residuals; the lower chi^2 of the two counts. A k is out if a star of its fit
/// has no positive flux or lies more than half a FWHM outside the box.
Choice choose_stars(GroupFit& fit, const UnitLight& unit);

}  // namespace star
