// starblend train: a network from nothing, or from given weights.
#include <memory>

#include "tools/command.h"
#include "tools/training_session.h"

namespace star {

Command add_train(CLI::App& program, Common& common) {
    struct Options {
        TrainingOptions training;
        std::string preset, architecture = "native";
    };
    CLI::App* app = program.add_subcommand("train", "Train a network on fields simulated as it goes");
    auto o = std::make_shared<Options>();
    app->add_option("-o,--output", o->training.output,
                    "Where the trained model goes (safetensors); beside it .csv, .svg and .checkpoint")
        ->required();
    app->add_option("--preset", o->preset,
                    "Instrument: csst-g, csst-r, csst-i, csst-paper, hst-acs-f475w-drz, ground-1arcsec");
    app->add_option("--architecture", o->architecture, "native (default) or paper")->capture_default_str();
    const auto weights = app->add_option("--weights", o->training.weights,
                                         "Start from these (safetensors; names as torchvision's RetinaNet)");
    app->add_option("--backbone", o->training.backbone,
                    "Start from this ResNet-50 (safetensors; names as torchvision's or timm's)")
        ->excludes(weights);
    app->add_flag("--resume", o->training.resume, "Go on from OUTPUT.checkpoint, bit for bit");
    return {app, [o, &common] { return run_training(o->training, common, common.layers(o->preset, o->architecture)); }};
}

}  // namespace star
