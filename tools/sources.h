// The SOURCES table: a row per star (README, "The catalogue").
#pragma once
#include <span>
#include <string>
#include <vector>

#include "io/fits_table.h"
#include "nn/sky.h"
#include "sim/fit_field.h"
#include "sim/fit_quality.h"
#include "tools/catalogue.h"
#include "tools/observation.h"

namespace star {

/// What a pixel's state (tools/layout.h, PixelState) says about a star on it: bits of FLAGS.
std::int32_t flags_of(std::uint8_t state);

/// One star. Coordinates in px, pixel edges; fluxes in image units; NaN where undefined.
struct Source {
    int id = 0;     ///< SOURCE_ID, from 1
    int blend = 0;  ///< BLEND_ID of its unit, from 1; 0: in none
    FitStar at;
    FitErrors error;
    double magnitude = 0, magnitude_error = 0;
    double sky = 0;  ///< image units per pixel, all of it
    StarQuality quality;
    std::int32_t flags = 0;
};

/// An observation as a fit wants it: in units of the noise at the mean background (whatever BUNIT is, floats hold it),
/// saturated pixels unusable. Variance of an empty pixel: the noise model at the background's level there; without a
/// model, the estimate from the image, and stars have no photon noise of their own.
class FitInput {
public:
    /// drizzle_sigma: px, of the noise's correlation (Exposure). psf_error: FitImage's.
    FitInput(const Observation& o, const PreparedSky& sky, double drizzle_sigma, double psf_error);

    const FitImage& image() const { return image_; }
    double unit() const { return unit_; }  ///< one unit of the fit in units of the image

private:
    double unit_;
    std::vector<float> pixels_, sky_, variance_;
    std::vector<std::uint8_t> unusable_;
    FitImage image_;
};

/// The rows of a fit, in its order. Flags of a star look at the pixels within 1 FWHM.
std::vector<Source> sources_of(const FieldFit& fit, const FitInput& input, const Observation& o);

/// upper_limits: adds LIMIT3, the flux that three standard errors above the larger of 0 and FLUX_PSF are.
Table sources_table(const std::vector<Source>& sources, const CatalogueInfo& info, bool upper_limits = false);

/// The units with the number of their stars.
std::vector<Blend> counted(std::vector<Blend> blends, const std::vector<Source>& sources);

/// Units for a fit.
std::vector<FitUnit> fit_units(const std::vector<Blend>& blends);

/// In image units: sky and stars; and the image without them, NaN where a pixel is unusable.
std::vector<float> model_picture(const FieldFit& fit, const FitInput& input);
std::vector<float> residual_picture(const FieldFit& fit, const FitInput& input);

}  // namespace star
