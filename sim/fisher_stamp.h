// A star's light and how it changes as the star moves, pixel by pixel: what Fisher information is summed over.
#pragma once
#include <vector>

#include "sim/psf.h"

namespace star {

/// Square stamps of 2 radius() + 1 pixels around a star's own pixel, of e (sim/psf.h) and its derivatives by the star's
/// place: exact for the PSF's spline. Immutable; refers to the PSF's table, of which it keeps a copy.
class FisherStamp {
public:
    /// The radius is the smallest that leaves at most `lost` of the sum of e^2 outside, so that the signal-to-noise of
    /// a star alone is at most lost/2 too low; where e has fallen that far, moving the star changes little either.
    explicit FisherStamp(const Psf& psf, double lost = 1e-3);

    int radius() const { return radius_; }
    int side() const { return 2 * radius_ + 1; }
    /// out: rows of [de/dx | de/dy | e], each side() long; 3 side()^2 numbers, overwritten. (x, y) in px, pixel edges;
    /// the stamp's middle is the pixel (floor(x), floor(y)).
    void fill(double x, double y, double* out) const;
    /// The largest sum of e^2 over pixels at any sub-pixel place (sampled in steps of 1/8 px).
    double sharpest() const { return sharpest_; }

private:
    Psf psf_;
    int radius_;
    double sharpest_ = 0;
};

}  // namespace star
