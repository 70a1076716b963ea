// starblend adapt: a trained network made fit for another PSF, noise or kind of sky, in minutes.
#include <memory>

#include "kernels/check.h"
#include "tools/command.h"
#include "tools/model_file.h"
#include "tools/setup.h"
#include "tools/training_session.h"

namespace star {
namespace {

struct Options {
    TrainingOptions training;
    std::string model, preset, psf;
    std::int64_t steps = 200;
    bool curriculum = false;
};

// The model's own configuration with another instrument and a short, gentle schedule; --config and --set have the last
// word.
Config configuration(const Options& o, const Common& common, const Model& model) {
    for (const auto& assignment : common.settings)
        if (assignment.rfind("network.", 0) == 0)
            fail(Fault::usage, "--set ", assignment, ": the network is the model's own, not for adapt to change");
    Config c;
    c.load_text(model.config, model.name + ": config");
    for (const char* key : {"procedure.psf_fwhm", "procedure.box_half_width", "training.steps", "training.warm_up"})
        c.forget(key);  // follow from what comes below
    if (!o.curriculum) c.forget("curriculum");
    if (!o.preset.empty()) {
        for (const char* section : {"exposure", "psf"}) c.forget(section);
        c.load_text(preset_text(o.preset), "preset " + o.preset);
    }
    for (const auto& s : {fmt::format("training.steps={}", o.steps), std::string("training.norm_steps=0"),
                          std::string("training.rate=2e-4"), std::string("training.average=0.98")})
        c.set(s);
    for (const auto& file : common.config_files) c.load(file);
    if (!o.psf.empty()) {
        c.forget("psf");
        c.set("psf.kind=file"), c.set("psf.file=" + o.psf);
    }
    for (const auto& assignment : common.settings) c.set(assignment);
    return c;
}

int adapt(Options& o, const Common& common) {
    const Model model = read_model(o.model);
    o.training.model = &model;
    o.training.metadata = {{"adapted_from", model.name + " sha256 " + model.sha256}};
    return run_training(o.training, common, configuration(o, common, model));
}

}  // namespace

Command add_adapt(CLI::App& program, Common& common) {
    CLI::App* app = program.add_subcommand("adapt", "Fine-tune a trained network to another instrument, in minutes");
    auto o = std::make_shared<Options>();
    app->add_option("model", o->model, "Model to start from: a file, or one that is built in");
    app->add_option("-o,--output", o->training.output,
                    "Where the adapted model goes (safetensors); beside it .csv, .svg and .checkpoint")
        ->required();
    app->add_option("--preset", o->preset,
                    "The new instrument; default: the model's own, changed by --psf, --config, --set");
    app->add_option("--psf", o->psf,
                    "FITS file of the new effective PSF (OVERSAMP in its header, or --set psf.oversampling)");
    app->add_option("--steps", o->steps, "Training steps")->capture_default_str()->check(CLI::Range(1, 1000000));
    app->add_flag("--curriculum", o->curriculum, "Keep the lessons of the model's training, not its main scene alone");
    app->add_flag("--resume", o->training.resume, "Go on from OUTPUT.checkpoint, bit for bit");
    return {app, [o, &common] { return adapt(*o, common); }};
}

}  // namespace star
