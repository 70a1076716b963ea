// Artificial stars put into an image and looked for, trial after trial; and a twin of the image, whose stars are known.
#pragma once
#include <array>
#include <vector>

#include "tools/certificate.h"
#include "tools/detection_run.h"
#include "tools/surface_brightness.h"

namespace star {

struct CertificationOptions {
    int stars = 2000;          ///< artificial ones, all trials together
    double radius_fwhm = 0.5;  ///< found: within this of its place ...
    double magnitude = 0.75;   ///< ... and of its magnitude
    double cell_fwhm = 10;     ///< one star at a time in each cell of so many FWHM a side
    std::uint64_t seed = 1;
};

struct Certification {
    std::vector<ArtificialOutcome> stars;
    std::vector<TwinRow> twin;
    std::array<double, levels_certified - 1> edges{};  ///< of surface brightness, between thirds of the area
    std::vector<double> levels;                        ///< surface brightness at each source, without its own light
    int trials = 0, twins = 0, done = 0;  ///< detections: with artificial stars, of twins, and how many were made
    double radius = 0, cell = 0;          ///< px
    std::array<double, 2> magnitudes{};   ///< brightest and faintest placed
    bool complete() const { return done == trials + twins; }
};

/// A magnitude for every flux: the image's, or instrumental (zero point 0) where none is known. NaN for flux <= 0.
double magnitude_of(double flux, const Observation& o);

/// base: what detect() found in the image as it is, at least with a PSF. Artificial stars lie anywhere on usable
/// pixels, whatever was found there; their magnitudes are uniform from a signal-to-noise of 500 in an empty sky (or
/// from where a star saturates) to one of 2. Each trial is a whole detection. A twin: the image's smooth sky, the
/// stars that were found, as many missed ones as the trials tell, and new noise; what the fit took for one star is one
/// there, so that its purity errs to the good side. Twins hold 2,000 found stars together, but are ten at most.
/// Interrupted, it returns what the finished trials say.
template <class T>
Certification certify(DetectionRun<T>& run, const Model& model, const FitsPlane& image, const ImageFound& base,
                      const CertificationOptions& how, Console& console);

}  // namespace star
