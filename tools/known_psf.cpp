// Model, preset, file or the image itself.
#include "tools/known_psf.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "kernels/check.h"
#include "tools/psf_file.h"
#include "tools/psf_measurement.h"
#include "tools/setup.h"

namespace star {
namespace {

KnownPsf of_configuration(Config c, const std::string& source) {
    const Instrument i = read_instrument(c);
    return {image_psf(i.psf, i.exposure), source, {}};
}

KnownPsf of_model(const Model& model) {
    Config c;
    c.load_text(model.config, "model " + model.name);
    return of_configuration(std::move(c), "model " + model.name);
}

KnownPsf measured(const ObservationOptions& image, Console& console) {
    PsfMeasurementOptions o;
    o.image = image.image, o.planes = image.planes, o.saturate = image.saturate;
    o.window = image.window, o.planes_said = true;
    return {measure_psf_of(o, console).psf, "measured from " + image.image, {}};
}

void refuse_origin(const PsfChoice& choice, const std::string& name) {
    if (!choice.origin.empty()) fail(Fault::usage, "--psf-origin: ", name, " is one PSF, not a library of them");
}

// A library's PSFs over the image; of any other file its one.
KnownPsf of_file(const PsfChoice& choice, const ObservationOptions& image, Console& console) {
    const std::string& name = choice.what;
    const auto library = read_psf_library(name, {});
    if (!library) {
        refuse_origin(choice, name);
        return {read_psf_file(name, {}), "file " + name, {}};
    }
    const FitsPlane plane = describe_image(image.image, false);
    const auto [x, y] =
        choice.origin.size() == 2 ? std::array{choice.origin[0], choice.origin[1]} : origin_in_library(plane);
    KnownPsf known = [&] {
        try {
            return KnownPsf{PsfMap(*library, x, y, plane.width, plane.height), "file " + name, {x, y}};
        } catch (const Error& e) {
            if (std::string(e.what()).starts_with(name)) throw;
            fail(e.fault, name, ": ", e.what());
        }
    }();
    console.say("{}: {} of its PSFs serve the image, which begins at {:.0f}, {:.0f} there", name,
                known.psf.nodes().size(), x, y);
    if (!library->covers(x, y) || !library->covers(x + plane.width, y + plane.height))
        console.warn("{}: reaches beyond the PSFs of {}: the nearest ones serve (--psf-origin says where it begins)",
                     image.image, name);
    return known;
}

}  // namespace

std::optional<KnownPsf> known_psf(const PsfChoice& choice, const Model& model, bool in_domain,
                                  const ObservationOptions& image, Console& console) {
    const std::string& what = choice.what;
    for (const double v : choice.origin)
        if (!std::isfinite(v)) fail(Fault::usage, "--psf-origin: ", v, " is no place");
    const auto presets = preset_names();
    const bool preset = std::find(presets.begin(), presets.end(), what) != presets.end();
    if (preset || what.empty() || what == "none" || what == "model" || what == "measured")
        refuse_origin(choice, what.empty() ? "the default PSF" : "--psf " + what);
    if (what == "none") return std::nullopt;
    if (what == "model") return of_model(model);
    if (what == "measured") return measured(image, console);
    if (!what.empty()) {
        if (!preset) return of_file(choice, image, console);
        Config c;
        c.load_text(preset_text(what), "preset " + what);
        return of_configuration(std::move(c), "preset " + what);
    }
    std::string why = "its pixels aren't those of the model's training";
    if (in_domain) {
        try {
            return of_model(model);
        } catch (const Error& e) {
            why = e.what();
        }
    }
    try {
        return measured(image, console);
    } catch (const Error& e) {
        if (e.fault != Fault::input) throw;
        console.warn("{}: no SOURCES: no PSF is known: model {}: {}; the image: {} (--psf names one)", image.image,
                     model.name, why, e.what());
    }
    return std::nullopt;
}

}  // namespace star
