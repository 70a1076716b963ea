// How many stars a unit has, and where.
#pragma once
#include <array>
#include <cmath>
#include <span>
#include <vector>

#include "kernels/types.h"
#include "sim/fit_group.h"
#include "sim/matched_filter.h"

namespace star {

/// A unit: the light of everything else is taken away from `pixels`, whose weights aren't 0 where it is looked at.
struct UnitLight {
    FitPixels pixels;
    Box box;                       ///< px, pixel edges of the image
    std::array<double, 5> chance;  ///< the network's, of 1, 2, 3, 4, 5 or more stars; not negative
    LocalPsf psf;                  ///< there
    double fwhm;                   ///< px
};

/// A fit to a unit's pixels.
struct Attempt {
    std::vector<FitStar> stars;  ///< where it starts; then what it comes to
    GroupResult result;
};

/// The k of highest
///     -chi^2_k / 2 - (3 k / 2) ln n + ln max(P_k, 1e-3),
/// n the number of pixels looked at (Schwarz's criterion, three parameters a star; the sky is common to all k), P_k =
/// chance_k over their sum. k runs from 1 to 5, and no further than one above the likeliest class or one above the best
/// k so far. k = 1 starts at the highest peak of the matched filter in the box, k from the result of k - 1 twice: with
/// one more star at the highest peak of the matched filter in its residuals, and with the star that leaves the largest
/// chi^2 split along the long axis of its residuals; the lower chi^2 of the two counts. A k is out if a star of its fit
/// has no positive flux or lies more than half a FWHM outside the box.
/// Somebody else does the fits, of many choices at once.
class StarChoice {
public:
    explicit StarChoice(UnitLight unit);

    /// The fits it waits for; none: it is made.
    std::span<Attempt> wanted() { return wanted_; }
    /// When they are done. fit: of the unit's PSF.
    void go_on(GroupFit& fit);

    const std::vector<FitStar>& stars() const { return best_.stars; }  ///< 1 to 5; none if no fit makes sense
    bool converged() const { return best_.result.converged; }

private:
    UnitLight unit_;
    MatchedFilter filter_;
    int likeliest_;
    std::vector<Attempt> wanted_;
    Attempt best_;
    double merit_ = -INFINITY;
};

}  // namespace star
