// The most that can be known of how many stars a unit holds: fits with 1...5 stars by one who knows the true PSF, the
// noise, everything around the unit, and where its stars are. A reference for networks, not a detector.
#pragma once
#include <array>
#include <vector>

#include "sim/field.h"

namespace star {

/// What the oracle holds possible of a unit's fainter stars, each on its own: places uniform over a circle, magnitudes
/// uniform from the brightest star's down.
struct OraclePrior {
    double contrast = 2.5;  ///< mag, above 0
    double reach_fwhm = 0;  ///< radius of the circle in FWHM; 0: the mock's dist_max at half the contrast (sim/mock.h)
};

struct OracleVerdict {
    bool asked = false;                ///< not for units that are ignored, nor where no pixel is usable
    std::array<double, 5> evidence{};  ///< ln of it for 1...5 stars, but for a constant of the unit
    std::array<bool, 5> converged{};   ///< the fit came to rest within its 40 iterations
};

/// A verdict for each unit of field.truth.
///   data: the unit's box and a FWHM around it; from the pixels is taken, exactly, what isn't the unit's: sky, dark,
///     other units' stars, and the unit's own stars that don't count. Masked pixels aren't used.
///   fit with k stars: least squares with each pixel's true variance, in places and logarithms of fluxes, started at
///   the
///     true places of the k brightest; where the unit has fewer, one more each time, where the residuals of the fit
///     with k - 1 match the PSF best. Places stay in the data, fluxes within the contrast. Levenberg-Marquardt, at most
///     40 iterations.
///   evidence: Laplace's approximation, ln Z = -chi^2/2 + ln prior + (d/2) ln 2 pi - ln det(H + L) / 2 + ln (k-1)!, H
///   the
///     Fisher information, L the inverse variances of the uniform priors, which keep a star that the data don't see
///     from counting as known; (k-1)! orders of the fainter stars are one sky. Not BIC: of the few pixels of a unit
///     "how many data" has no clear answer, while H is at hand.
/// psf: of the image, which is FieldSimulator::psf(). Independent pixels only: Error (Fault::usage) for a drizzled
/// exposure. Equal bits for any number of threads.
std::vector<OracleVerdict> consult_oracle(ThreadPool& pool, const Field& field, const Psf& psf,
                                          const Exposure& exposure, const OraclePrior& prior);

/// Probabilities of 1...5 stars, given the relative numbers of units that hold so many. All 0 where nobody was asked.
std::array<double, 5> oracle_posterior(const OracleVerdict& verdict, const ClassMix& mix);

}  // namespace star
