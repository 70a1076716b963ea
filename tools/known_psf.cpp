// Model, preset, file or the image itself.
#include "tools/known_psf.h"

#include <algorithm>

#include "kernels/check.h"
#include "tools/psf_file.h"
#include "tools/psf_measurement.h"
#include "tools/setup.h"

namespace star {
namespace {

KnownPsf of_configuration(Config c, const std::string& source) {
    const Instrument i = read_instrument(c);
    return {image_psf(i.psf, i.exposure), source};
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
    return {measure_psf_of(o, console).psf, "measured from " + image.image};
}

}  // namespace

std::optional<KnownPsf> known_psf(const std::string& what, const Model& model, bool in_domain,
                                  const ObservationOptions& image, Console& console) {
    if (what == "none") return std::nullopt;
    if (what == "model") return of_model(model);
    if (what == "measured") return measured(image, console);
    if (!what.empty()) {
        const auto presets = preset_names();
        if (std::find(presets.begin(), presets.end(), what) == presets.end())
            return KnownPsf{read_psf_file(what, {}), "file " + what};
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
