// The places of each plate, fitted with their neighbours, put back in the list's order.
#include "tools/forced_photometry.h"

#include <cmath>

#include "kernels/check.h"

namespace star {
namespace {

Source unmeasured(const Place& p) {  // nothing was there to measure on
    Source s;
    s.at = {p.x, p.y, NAN}, s.error = {NAN, NAN, NAN};
    s.magnitude = s.magnitude_error = s.sky = NAN;
    s.quality = {NAN, 0, NAN, NAN, NAN, NAN, NAN};
    s.flags = flag_no_convergence;
    return s;
}

// Fits the places that the plate's core needs, and keeps the rows of those in it.
FittedStars measure_plate(Stream stream, const DetectionPlan& plan, const Plate& plate, const WholeSky* whole,
                          const std::vector<Place>& places, double moves, Observation& o, Forced& out) {
    if (whole) o.whole_sigma = whole->sigma, o.fitted = fitted_in_plate(plate);
    PreparedSky sky = prepare_sky(stream, o.sky(), plan.model.procedure);
    if (whole) sky.sigma_estimated = whole->estimated;
    FitInput input(o, sky, plan.model.exposure.drizzle_sigma, plan.stars.psf_error);
    FieldFit fit(stream, input.image(), plan.psf->psf.part(plate.seen.x0, plate.seen.y0), plan.stars.limits);
    FittedStars fitted{std::move(input), std::move(fit), {}, true};
    std::vector<FitStar> stars;
    std::vector<std::size_t> which;
    for (std::size_t i = 0; i < places.size(); ++i) {
        const double x = places[i].x - plate.seen.x0, y = places[i].y - plate.seen.y0;
        const bool off_image = (out.sources[i].flags & flag_truncated) != 0;
        if (!off_image && inside(fitted_in_plate(plate), x, y)) stars.push_back({x, y, 0}), which.push_back(i);
    }
    fitted.fit.measure(stars, moves);
    fitted.sources = sources_of(fitted.fit, fitted.input, o);
    for (std::size_t i = 0; i < which.size(); ++i) {
        const Place& place = places[which[i]];
        if (!inside(plate.core, place.x, place.y)) continue;
        Source& row = out.sources[which[i]];
        row = fitted.sources[i];
        row.at.x += plate.seen.x0, row.at.y += plate.seen.y0;
        if (!(row.error.flux > 0))  // no pixel tells
            row.at.flux = row.error.flux = row.magnitude = row.magnitude_error = NAN;
    }
    out.usable += sky.usable_pixels;
    return fitted;
}

}  // namespace

Forced measure_places(Stream stream, const DetectionPlan& plan, const FitsPlane& image,
                      const std::vector<Plate>& plates, Observation& first, const std::vector<Place>& places,
                      double moves, Console& console) {
    Forced out;
    const double margin = plan.psf->psf.middle().fwhm();
    for (const Place& p : places) {
        out.sources.push_back(unmeasured(p));
        const bool seen =
            p.x >= -margin && p.y >= -margin && p.x <= image.width + margin && p.y <= image.height + margin;
        if (!seen) out.sources.back().flags |= flag_truncated;
    }
    if (plates.size() == 1) {
        out.stars =
            std::make_unique<FittedStars>(measure_plate(stream, plan, plates[0], nullptr, places, moves, first, out));
    } else {
        first.image.pixels = {}, first.mask = {}, first.hidden = {}, first.map.reset();  // read again in its turn
        const WholeSky sky = sky_of_plates(stream, plan, plates, console);
        for (std::size_t i = 0; i < plates.size(); ++i) {
            if (interrupt::requested()) {
                out.complete = false;
                break;
            }
            console.say("plate {} of {}: {}", i + 1, plates.size(), words_for(plates[i]));
            try {
                Observation o = open_plate(plan, plates[i]);
                measure_plate(stream, plan, plates[i], &sky, places, moves, o, out);
            } catch (const Error& e) {
                if (e.fault != Fault::input && e.fault != Fault::device) throw;
                console.warn("{}: {}: {}; nothing is measured there", plan.image.image, words_for(plates[i]), e.what());
                ++out.failed;
            }
        }
    }
    for (std::size_t i = 0; i < places.size(); ++i)
        out.sources[i].id = places[i].id, out.sources[i].blend = places[i].blend;
    return out;
}

}  // namespace star
