// From detections to scored stars.
#include "tools/trial_stars.h"

#include <cmath>

#include "tools/plate_detection.h"
#include "tools/sources.h"
#include "tools/star_fit.h"

namespace star {
ScoredField fitted_stars(Stream stream, TriedField& tried, const FieldSimulator& simulator) {
    const Field& field = tried.field;
    const Exposure& e = simulator.exposure();
    Observation o;
    o.image.width = field.width, o.image.height = field.height, o.image.pixels = field.image;
    o.mask = field.mask;
    for (std::uint8_t& m : o.mask) m = m ? pixel_saturated : 0;
    o.noise = noise_of(e);
    const StarOptions defaults;
    const FitInput input(o, tried.detections.sky, e.drizzle_sigma, usual_psf_error);
    FieldFit fit(stream, input.image(), simulator.psf(), defaults.limits);
    std::vector<FitUnit> units;
    for (const Detection& d : tried.detections.units) units.push_back({d.box, class_chances(d)});
    fit.find(units);
    for (Found& f : tried.scored.found) f.fitted = 0;
    for (const FieldStar& s : fit.stars())
        if (s.unit >= 0) ++tried.scored.found[std::size_t(s.unit)].fitted;

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
