// What can be said of a fitted star besides its numbers: is it a star, is it alone, was it seen whole.
#pragma once
#include <span>
#include <vector>

#include "sim/fit_field.h"

namespace star {

/// Sums run over the pixels whose centres lie within 1.5 FWHM of the star, over usable ones unless said otherwise; e =
/// the PSF there, w = 1 / variance (FitScene), own = flux e, r = image - sky - model. NaN without a usable pixel.
struct StarQuality {
    double chi2 = 0;       ///< mean of w r^2 / FitScene::pixel_variance(): 1 where noise is all there is
    double good = 0;       ///< sum e / sum e over all the pixels, those beyond the image's edge included
    double own_share = 0;  ///< sum e own / sum e model: 1 for a star alone
    double foreign = 0;    ///< sum e (model - own) / sum e^2: the star's flux that its neighbours' light looks like
    double crowd = 0;  ///< mag: how much brighter it were if its neighbours hadn't been fitted too: 2.5 lg of sum w e
                       ///< model / sum w e own, at least 0 (DOLPHOT's crowding)
    double sharp = 0;  ///< sum w r t / (flux sum w t^2), t = e - (e blurred with (1 2 1)/4 along both axes): about 0
                       ///< for a star, positive for what is sharper (a cosmic ray), negative for what is broader
    double snr = 0;    ///< flux sqrt(sum w e^2): flux over its error were its place, the sky and its neighbours known.
                     ///< Noise counts as white: where a drizzle has smoothed it along with the star, up to a tenth low
};

/// Equal bits for any number of threads.
std::vector<StarQuality> star_quality(const FitScene& scene, std::span<const FieldStar> stars);

}  // namespace star
