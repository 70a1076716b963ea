// A star's light and how it changes as the star moves, pixel by pixel: what Fisher information is summed over.
#pragma once
#include <vector>

#include "sim/fisher_simd.h"
#include "sim/psf_map.h"

namespace star {

/// Square stamps of 2 radius() + 1 pixels around a star's own pixel, of e (sim/psf.h) and its derivatives by the star's
/// place: exact for the PSF's spline. Copies share the PSF's table.
class FisherStamp {
public:
    /// The radius is the smallest that leaves at most `lost` of the sum of e^2 outside a centred star's stamp, and one
    /// more. The signal-to-noise of a star alone is at most lost/2 too low. In blends a cut has the opposite effect:
    /// where the stamps of two stars end in different pixels they look less alike than they are. Of 7,500 blends
    /// 17 get the wrong verdict at 1e-3 though they are 5 % from the limit, none at 1e-5
    /// (tests/sim_truth_survival.cpp).
    explicit FisherStamp(const Psf& psf, double lost = 1e-5);

    /// From now on of the PSF at another place of the same map (all on one grid), on the same square. Keeps none of it.
    void move_to(const LocalPsf& psf);

    int radius() const { return radius_; }
    int side() const { return 2 * radius_ + 1; }
    /// out: rows of [de/dx | de/dy | e], each side() long; 3 side()^2 numbers, overwritten. (x, y) in px, pixel edges;
    /// the stamp's middle is the pixel (floor(x), floor(y)).
    void fill(double x, double y, double* out) const;
    /// What fill() needs of a star's place, for kernels that sum pixels without keeping stamps.
    FisherTaps taps(double x, double y) const;
    /// Of a stamp with these taps, the part that begins at its pixel (column, row). How large that is, and where it
    /// goes, is still to be said.
    FisherPart part(const FisherTaps& taps, int column, int row) const;
    /// The largest sum of e^2 over pixels at any sub-pixel place (sampled in steps of 1/8 px), of the first PSF.
    double sharpest() const { return sharpest_; }

private:
    const float* coefficients() const { return mixed_.empty() ? psf_.coefficients() : mixed_.data(); }

    Psf psf_;                   // its grid, and its coefficients where there are no mixed ones
    std::vector<float> mixed_;  // as Psf::coefficients(); of each plane only what the square needs
    int radius_;
    double sharpest_ = 0;
};

}  // namespace star
