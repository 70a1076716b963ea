// From detections to scored stars.
#include "tools/trial_stars.h"

#include <cmath>

#include "tools/plate_detection.h"
#include "tools/sources.h"
#include "tools/star_fit.h"
#include "tools/trial_fields.h"

namespace star {
ScoredField fitted_stars(Stream stream, const Field& field, const Detections& detections,
                         const FieldSimulator& simulator) {
    const Exposure& e = simulator.exposure();
    Observation o;
    o.image.width = field.width, o.image.height = field.height, o.image.pixels = field.image;
    o.mask = field.mask;
    for (std::uint8_t& m : o.mask) m = m ? pixel_saturated : 0;
    o.noise = noise_of(e);
    const StarOptions defaults;
    const FitInput input(o, detections.sky, e.drizzle_sigma, usual_psf_error);
    FieldFit fit(stream, input.image(), simulator.psf(), defaults.limits);
    std::vector<FitUnit> units;
    for (const Detection& d : detections.units) units.push_back({d.box, class_chances(d)});
    fit.find(units);

    const double electron = magnitude(1, e);
    ScoredField out{field.width, field.height, {}, wanted_stars(field.truth, electron)};
    for (const FieldStar& s : fit.stars()) {
        const auto x = float(s.at.x), y = float(s.at.y);
        const double electrons = s.at.flux * input.unit() / image_unit(e), snr = s.at.flux / s.error.flux;
        Found f{{x, y, x, y}, s.at.x, s.at.y, std::isfinite(snr) ? snr : 0};
        if (electrons > 0) f.magnitude = electron - 2.5 * std::log10(electrons);
        out.found.push_back(f);
    }
    return out;
}

}  // namespace star
