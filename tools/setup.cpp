// Reading of configurations, with the bounds that make sense for each key.
#include "tools/setup.h"

#include <algorithm>
#include <cmath>

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

Exposure read_exposure(Config& c) {
    Exposure e;
    e.exptime_s = c.number("exposure.exptime", e.exptime_s, 1e-3, 1e7);
    e.exposures = int(c.integer("exposure.exposures", e.exposures, 1, 100000));
    e.gain = c.number("exposure.gain", e.gain, 1e-6, 1e6);
    e.zeropoint = c.number("exposure.zeropoint", e.zeropoint, -50, 100);
    e.sky = c.number("exposure.sky", e.sky, 0, 1e9);
    e.dark = c.number("exposure.dark", e.dark, 0, 1e9);
    e.read_noise = c.number("exposure.read_noise", e.read_noise, 0, 1e6);
    e.full_well = c.number("exposure.full_well", e.full_well, 1, 1e12);
    e.drizzle_sigma = c.number("exposure.drizzle_sigma", e.drizzle_sigma, 0, 2);
    e.rate = c.boolean("exposure.rate", e.rate);
    e.whole_adu = c.boolean("exposure.whole_adu", e.whole_adu);
    return e;
}

Instrument read_instrument(Config& c) {
    const Exposure e = read_exposure(c);
    const double pixel_scale = c.number("exposure.pixel_scale", 0.074, 1e-6, 1e4);
    return {e, pixel_scale, read_psf(c, pixel_scale, e)};
}

Architecture read_architecture(Config& c) {
    Architecture a;
    const auto ints = [&](const char* key, const std::vector<int>& standard) {
        const auto v = c.integers(key, {standard.begin(), standard.end()}, 0, 4096);
        return std::vector<int>(v.begin(), v.end());
    };
    a.in_channels = int(c.integer("network.in_channels", a.in_channels, 1, 3));
    const auto size = ints("network.stem_size", {7}), stride = ints("network.stem_stride", {2}),
               width = ints("network.stem_width", {64});
    if (stride.size() != size.size() || width.size() != size.size())
        c.refuse("network.stem_size", "stem_size, stem_stride and stem_width must have one value per convolution");
    a.stem.clear();
    for (std::size_t i = 0; i < size.size(); ++i) a.stem.push_back({size[i], stride[i], width[i]});
    a.stem_pool = c.boolean("network.stem_pool", a.stem_pool);
    a.blocks = ints("network.blocks", a.blocks);
    a.widths = ints("network.width", a.widths);
    a.strides = ints("network.stride", a.strides);
    a.norm_epsilon = float(c.number("network.norm_epsilon", a.norm_epsilon, 0, 0.1));
    a.pyramid_width = int(c.integer("network.pyramid_width", a.pyramid_width, 8, 1024));
    a.pyramid_first = int(c.integer("network.pyramid_first", a.pyramid_first, 0, 8));
    a.pyramid_levels = int(c.integer("network.pyramid_levels", a.pyramid_levels, 1, 8));
    a.pyramid_extra = int(c.integer("network.pyramid_extra", a.pyramid_extra, 0, 2));
    a.head_depth = int(c.integer("network.head_depth", a.head_depth, 0, 16));
    a.head_width = int(c.integer("network.head_width", a.head_width, 8, 1024));
    a.classes = int(c.integer("network.classes", a.classes, 1, 8));
    a.prior = float(c.number("network.prior", a.prior, 1e-6, 0.5));
    std::vector<double> standard;
    for (const auto& level : a.anchor_sizes) standard.insert(standard.end(), level.begin(), level.end());
    const auto sizes = c.numbers("network.anchor_size", standard, 0.5, 1e5);
    const auto levels = std::size_t(a.head_levels());
    if (sizes.empty() || sizes.size() % levels)
        c.refuse("network.anchor_size", "needs the same number of sizes for each head level");
    a.anchor_sizes.assign(levels, {});
    for (std::size_t i = 0; i < sizes.size(); ++i)
        a.anchor_sizes[i / (sizes.size() / levels)].push_back(float(sizes[i]));
    const auto ratios = c.numbers("network.anchor_ratio", {0.5, 1, 2}, 0.05, 20);
    a.anchor_ratios.assign(ratios.begin(), ratios.end());
    a.anchors_centred = c.boolean("network.anchors_centred", a.anchors_centred);
    check(a);
    return a;
}

Procedure read_procedure(Config& c, const Architecture& a) {
    Procedure p;
    p.input_scale = int(c.integer("procedure.input_scale", p.input_scale, 1, 32));
    const bool paper = c.choice("procedure.normalisation", "asinh", {"asinh", "paper"}) == "paper";
    p.normalise.by = paper ? Normalise::By::paper : Normalise::By::asinh;
    p.normalise.full = float(c.number("procedure.full", p.normalise.full, 1e-30, 1e30));
    p.normalise.softening = float(c.number("procedure.softening", p.normalise.softening, 1e-3, 1e3));
    p.mesh.size = int(c.integer("procedure.mesh", p.mesh.size, 8, 4096));
    p.core = int(c.integer("procedure.core", p.core, 8, 4096));
    p.halo = int(c.integer("procedure.halo", p.halo, 0, 1024));
    p.box_half_width = float(c.number("procedure.box_half_width", p.box_half_width, 0.5, 1000));
    p.psf_fwhm = float(c.number("procedure.psf_fwhm", p.psf_fwhm, 0.1, 1000));
    p.suppress_by_centre = c.choice("procedure.suppress_by", "centre", {"centre", "iou"}) == "centre";
    p.suppress = float(c.number("procedure.suppress", p.suppress, 0, 100));
    p.threshold = float(c.number("procedure.threshold", p.threshold, 0, 1));
    p.top_k = int(c.integer("procedure.top_k", p.top_k, 1, 1 << 20));
    p.temperature = float(c.number("procedure.temperature", p.temperature, 0.1, 10));
    check(p, a.largest_stride());
    return p;
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
