// Stars fitted to the pixels of one unit: a known number of them, a known PSF. Internal to the oracle.
#pragma once
#include <vector>

#include "sim/fisher_stamp.h"
#include "sim/render.h"

namespace star {

/// Pixels of a rectangle; row-major.
struct OracleData {
    int x0 = 0, y0 = 0, width = 0, height = 0;
    std::vector<double> value;   ///< electrons
    std::vector<double> weight;  ///< 1 / variance; 0: unusable
};

struct OracleFit {
    std::vector<PointSource> stars;
    double chi2 = 0;
    std::vector<double> information;  ///< of (x, y, ln flux) of each star: 3k rows of 3k
    std::vector<double> residual;     ///< of each pixel, electrons
    bool converged = false;
};

/// Least squares in (x, y, ln flux) from where the stars are; places stay in the rectangle, fluxes above 1 /
/// `largest_ratio` of the brightest. Levenberg-Marquardt, at most 40 iterations; at rest when no step is longer than
/// 1e-4 px or 1e-4 of a flux, or none makes chi^2 smaller.
OracleFit fit_stars(const OracleData& data, const FisherStamp& stamp, std::vector<PointSource> start,
                    double largest_ratio);

/// Where a star would explain most of the residual: the pixel centre in the rectangle's middle (a FWHM of `rim` px off
/// each side) of highest signal-to-noise, with its flux, at least `least_flux`.
PointSource best_addition(const OracleData& data, const FisherStamp& stamp, const std::vector<double>& residual,
                          int rim, double least_flux);

/// A += the star's light.
void add_light(const OracleData& data, const FisherStamp& stamp, const PointSource& star, double times,
               std::vector<double>& pixels);

/// In place: the upper triangle of a symmetric matrix of n rows becomes its Cholesky factor; false if it isn't positive
/// definite.
bool cholesky(std::vector<double>& a, int n);

}  // namespace star
