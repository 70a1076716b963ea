// Whether an image is like those that a model was trained on, and where not.
#pragma once
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "kernels/thread_pool.h"
#include "tools/model_file.h"
#include "tools/observation.h"
#include "tools/plate_detection.h"

namespace star {

/// What images are compared by; NaN: not known.
struct Domain {
    double pixel_scale = NAN;  ///< arcsec
    double psf_fwhm = NAN;     ///< px
    double noise = NAN;        ///< electrons rms of an empty pixel, all exposures together
    double density = NAN;      ///< units/px^2
    double brightest = NAN;    ///< where pixels clip, above the sky, in units of the noise
};

/// Of a model's training. The density is that of one field of 128 x 128 px, simulated as its configuration says; NaN
/// where that asks for a file that isn't here.
Domain domain_of(const Model& model, ThreadPool& pool);

/// Of an image, arcsec: by its WCS, or its card PIXSCALE; NaN if neither says.
double pixel_scale_of(const FitsPlane& image);

/// Before detection: pixels, and the width of the stars in the middle 1024 x 1024 px, NaN where too few stand alone.
Domain domain_of(const Observation& o);
/// After it: noise, density and dynamic range too.
void add_sky(Domain& image, const Observation& o, const WholeSky& sky, std::size_t units);

/// Where the image departs from the training, in words, the training's value in brackets ("stars of FWHM 3.10 px
/// (2.15)"); empty: nowhere. Pixels and PSF count from a ratio of 1.1 and 1.25, noise from 3, density above 2 times or
/// below a fiftieth, clipping from 3 times as far above the noise.
std::vector<std::string> departures(const Domain& image, const Domain& training);

}  // namespace star
