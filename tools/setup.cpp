// Reading of configurations, with the bounds that make sense for each key.
#include "tools/setup.h"

#include <algorithm>

#include "kernels/check.h"
#include "tools/embedded.h"
#include "tools/psf_setup.h"
#include "tools/scene_setup.h"

namespace star {
namespace {

std::string embedded_text(const std::vector<EmbeddedFile>& files, const std::string& name, const char* what) {
    std::string names;
    for (const EmbeddedFile& f : files) {
        if (f.name == name) return std::string(f.bytes);
        names += (names.empty() ? "" : ", ") + std::string(f.name);
    }
    fail(Fault::usage, name, ": no such ", what, "; there are ", names);
}

}  // namespace

std::string preset_text(const std::string& name) { return embedded_text(embedded_presets(), name, "preset"); }
std::string architecture_text(const std::string& name) {
    return embedded_text(embedded_architectures(), name, "architecture");
}

std::vector<std::string> preset_names() {
    std::vector<std::string> names;
    for (const EmbeddedFile& f : embedded_presets()) names.emplace_back(f.name);
    return names;
}

Instrument read_instrument(Config& c) {
    const Exposure e = read_exposure(c);
    const double pixel_scale = c.number("exposure.pixel_scale", 0.074, 1e-6, 1e4);
    return {e, pixel_scale, read_psf(c, pixel_scale, e)};
}

TrainingRun read_training(Config& c) {
    TrainingRun r;
    Training& t = r.how;
    t.batch = int(c.integer("training.batch", t.batch, 1, 4096));
    t.height = t.width = int(c.integer("training.side", t.height, 8, 4096));  // of a field, sky px
    t.steps = c.integer("training.steps", t.steps, 1, 1000000000);
    t.rate = float(c.number("training.rate", t.rate, 1e-9, 1));
    t.warm_up = c.integer("training.warm_up", std::min<std::int64_t>(t.warm_up, t.steps / 10), 0, t.steps);
    t.last_rate = float(c.number("training.last_rate", t.last_rate, 0, 1));
    t.weight_decay = float(c.number("training.weight_decay", t.weight_decay, 0, 1));
    t.clip = float(c.number("training.clip", t.clip, 0, 1e6));
    t.average = float(c.number("training.average", t.average, 0, 0.999999));
    t.focal.alpha = float(c.number("training.alpha", t.focal.alpha, -1, 1));
    t.focal.gamma = float(c.number("training.gamma", t.focal.gamma, 0, 10));
    t.boxes.beta = float(c.number("training.beta", t.boxes.beta, 0, 100));
    t.boxes.weight = float(c.number("training.box_weight", t.boxes.weight, 0, 1000));
    t.matching.foreground = float(c.number("training.foreground", t.matching.foreground, 0, 1));
    t.matching.background = float(c.number("training.background", t.matching.background, 1e-6, t.matching.foreground));
    t.norm_steps = c.integer("training.norm_steps", t.steps, 0, t.steps);
    r.fields = int(c.integer("training.fields", std::min(r.fields, t.batch), 1, t.batch));
    if (t.batch % r.fields) c.refuse("training.fields", "must divide training.batch");
    r.distinct = c.integer("training.distinct", 0, 0, 100000000);
    r.validate_every = c.integer("training.validate_every", r.validate_every, 1, 1000000000);
    r.validation_batches = int(c.integer("training.validation_batches", r.validation_batches, 1, 10000));
    r.checkpoint_minutes = c.number("training.checkpoint_minutes", r.checkpoint_minutes, 0, 1e6);
    check(t);
    return r;
}

Setup read_setup(Config c) {
    const Instrument instrument = read_instrument(c);
    const SceneOptions scene = read_scene(c, instrument);
    const TruthOptions truth = read_truth_options(c, scene);
    const double margin = c.number("simulate.margin", 24, 0, 200);
    const double fwhm = image_psf(instrument.psf, instrument.exposure).fwhm();
    if (!c.has("procedure.psf_fwhm")) c.set("procedure.psf_fwhm=" + std::to_string(fwhm));
    if (!c.has("procedure.box_half_width"))
        c.set("procedure.box_half_width=" + std::to_string(std::max(truth.box_fwhm * fwhm, truth.box_min)));
    const Architecture architecture = read_architecture(c);
    const Procedure procedure = read_procedure(c, architecture);
    const TrainingRun training = read_training(c);
    const std::vector<Lesson> lessons = read_lessons(c);
    c.refuse_unknown();
    return {instrument, scene, truth, margin, architecture, procedure, training, lessons, c.dump()};
}

}  // namespace star
