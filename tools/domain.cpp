// Numbers of the image and its tiles beside those of the training.
#include "tools/domain.h"

#include <algorithm>

#include "kernels/check.h"
#include "sim/psf_measure.h"
#include "tools/middle_part.h"
#include "tools/scene_setup.h"

namespace star {
namespace {

constexpr int field_side = 128;  // px, of the fields that tell the density

bool apart(double a, double b, double ratio) { return std::fabs(std::log(a / b)) > std::log(ratio); }

// Width of the stars in the middle of the image; NaN where too few stand alone.
double measured_fwhm(const Observation& o) {
    const MiddlePart part = middle_part(o);
    try {
        return measure_psf(part.image(), {}).psf.fwhm();
    } catch (const Error&) {
        return NAN;  // crowded or empty: it doesn't tell
    }
}

void add_exposure(TrainingDomain& d, const Exposure& e) {
    d.noise.add(native_sigma(e));
    const double sigma = background_sigma(e);
    if (sigma > 0) d.brightest.add((saturation_level(e) - background_level(e)) / sigma);
}

void add_field(TrainingDomain& d, const Setup& setup, const SceneOptions& scene, ThreadPool& pool) {
    const FieldSimulator simulator(setup.instrument.psf, setup.instrument.exposure, scene, setup.truth);
    const Field field = simulator.plan(pool, {field_side, field_side, setup.margin, 1, 0});
    d.density.add(double(field.truth.units.size()) / (double{field_side} * field_side));
}

// "31 to 40", or "31" where they are the same to two digits.
std::string words(const Range& r, int digits) {
    if (std::fabs(r.high - r.low) <= 0.01 * std::fabs(r.high)) return fmt::format("{:.{}g}", r.high, digits);
    return fmt::format("{:.{}g} to {:.{}g}", r.low, digits, r.high, digits);
}

// One kind of departure of the tiles: which numbers, in how many.
struct Kind {
    Range seen;
    int tiles = 0;
};

}  // namespace

void Range::add(double value) {
    if (std::isnan(value)) return;
    low = std::isnan(low) ? value : std::min(low, value);
    high = std::isnan(high) ? value : std::max(high, value);
}

TrainingDomain domain_of(const Model& model, ThreadPool& pool) {
    TrainingDomain d;
    d.pixel_scale = model.pixel_scale, d.psf_fwhm = model.procedure.psf_fwhm;
    add_exposure(d, model.exposure);
    try {
        Config c;
        c.load_text(model.config, model.name);
        const Setup setup = read_setup(std::move(c));
        if (setup.lessons.empty()) add_field(d, setup, setup.scene, pool);
        for (const Lesson& lesson : setup.lessons) try {
                for (int i = 0; i < lesson.variants; ++i) {
                    Config variant = lesson_config(setup, lesson, i);
                    add_exposure(d, read_exposure(variant));
                    if (i == 0) add_field(d, setup, read_scene(variant, setup.instrument), pool);
                }
            } catch (const Error&) {  // a list of stars that isn't here
            }
    } catch (const Error&) {  // a PSF that isn't
    }
    return d;
}

double pixel_scale_of(const FitsPlane& image) {
    if (const auto wcs = Wcs::from_header(image.header)) return wcs->pixel_scale();
    return image.number_of("PIXSCALE").value_or(NAN);
}

ImageDomain domain_of(const Observation& o) {
    ImageDomain d;
    d.pixel_scale = pixel_scale_of(o.image);
    d.psf_fwhm = measured_fwhm(o);
    return d;
}

std::vector<std::string> departures(const ImageDomain& image, const TrainingDomain& training) {
    std::vector<std::string> out;
    if (apart(image.pixel_scale, training.pixel_scale, other_pixels))
        out.push_back(fmt::format("pixels of {:.3g}\" ({:.3g}\")", image.pixel_scale, training.pixel_scale));
    if (apart(image.psf_fwhm, training.psf_fwhm, 1.25))
        out.push_back(fmt::format("stars of FWHM {:.2f} px ({:.2f})", image.psf_fwhm, training.psf_fwhm));
    if (image.density > 0 && image.density < training.density.low / 50)
        out.push_back(fmt::format("{:.2g} units per pixel ({})", image.density, words(training.density, 2)));
    return out;
}

TileDepartures departures(const std::vector<TileSeen>& tiles, const TrainingDomain& training) {
    TileDepartures out;
    Kind noise, density, brightest;
    const auto judge = [&](Kind& kind, bool departs, double value) {
        if (!departs) return;
        kind.seen.add(value), ++kind.tiles;
        out.outside.back() = true;
    };
    for (const TileSeen& t : tiles) {
        out.outside.push_back(false);
        if (!t.usable) continue;
        judge(noise, t.noise > 3 * training.noise.high || t.noise < training.noise.low / 3, t.noise);
        const double most = 2 * training.density.high * double(t.usable);
        judge(density, t.units > most + 3 * std::sqrt(most), t.units / double(t.usable));
        judge(brightest, t.brightest > 3 * training.brightest.high, t.brightest);
    }
    const auto say = [&](const Kind& kind, const std::string& what) {
        if (!kind.tiles) return;
        const bool all = kind.tiles == int(tiles.size());
        out.words.push_back(what + (all ? "" : fmt::format(" in {} of {} tiles", kind.tiles, tiles.size())));
    };
    say(noise, fmt::format("noise of {} electrons ({})", words(noise.seen, 3), words(training.noise, 3)));
    say(density, fmt::format("{} units per pixel ({})", words(density.seen, 2), words(training.density, 2)));
    say(brightest,
        fmt::format("saturation at {} times the noise ({})", words(brightest.seen, 3), words(training.brightest, 3)));
    return out;
}

}  // namespace star
