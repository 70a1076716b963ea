// Stars that a residual image still shows.
#pragma once
#include <vector>

#include "sim/fit_scene.h"

namespace star {

/// In every pixel, flux and local sky of a star at the pixel's centre are solved for by weighted least squares over the
/// square of side 2 ceil(1.5 FWHM) + 1 around it, on what the scene's model leaves. Returned are the pixels that are
/// usable and whose significance, flux / sigma of the flux, is the highest of their 3 x 3 (of equals the first) where
///     flux > snr sigma + psf_error * (the flux that the same solution finds in the model itself),
/// the light that an error of the PSF may leave behind, so that no star is found in a bright star's wings on the
/// strength of a residual of psf_error of it. sigma is that of independent pixels before any drizzle. Stars are at
/// their pixel's centre, in order of rows. Equal bits for any number of threads.
std::vector<FitStar> residual_peaks(const FitScene& scene, double snr, double psf_error);

}  // namespace star
