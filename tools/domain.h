// Whether an image, and each tile of it, is like those that a model was trained on, and where not.
#pragma once
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/thread_pool.h"
#include "tools/model_file.h"
#include "tools/observation.h"
#include "tools/plate_detection.h"

namespace star {

/// From the least to the greatest of some numbers; NaN: none is known.
struct Range {
    double low = NAN, high = NAN;
    void add(double value);
};

/// What a model was trained on.
struct TrainingDomain {
    double pixel_scale = NAN;  ///< arcsec
    double psf_fwhm = NAN;     ///< px
    Range noise;               ///< electrons rms of an empty pixel, all exposures together
    Range density;             ///< units/px^2
    Range brightest;           ///< where pixels clip, above the sky, in units of the noise
};

/// Of all lessons: their variants' exposures, and of each lesson a simulated field of 128 x 128 px, through the PSF of
/// the configuration's own instrument. A lesson that asks for a file that isn't here adds nothing.
TrainingDomain domain_of(const Model& model, ThreadPool& pool);

/// What is the same all over an image; NaN: not known.
struct ImageDomain {
    double pixel_scale = NAN;  ///< arcsec
    double psf_fwhm = NAN;     ///< px
    double density = NAN;      ///< units/px^2, once they are found
};

/// Of an image, arcsec: by its WCS, or its card PIXSCALE; NaN if neither says.
double pixel_scale_of(const FitsPlane& image);

/// Before detection: pixels, and the width of the stars in the middle 1024 x 1024 px, NaN where too few stand alone.
ImageDomain domain_of(const Observation& o);

/// Where all of the image departs from the training, in words, the training's value in brackets ("stars of FWHM 3.10 px
/// (2.15)"); empty: nowhere. Pixels and PSF count from a ratio of 1.1 and 1.25, density from below a fiftieth.
std::vector<std::string> departures(const ImageDomain& image, const TrainingDomain& training);

/// Where tiles do: noise from 3 times, density from twice (and three standard deviations of its count), clipping from 3
/// times as far above the noise.
struct TileDepartures {
    std::vector<bool> outside;       ///< of each tile
    std::vector<std::string> words;  ///< "noise of 31 to 40 electrons (8.6) in 2 of 9 tiles"; empty: none is
};
TileDepartures departures(const std::vector<TileSeen>& tiles, const TrainingDomain& training);

}  // namespace star
