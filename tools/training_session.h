// A training from its first step, or from a checkpoint, to the model's file: fresh fields from the simulator at every
// step.
#pragma once
#include <map>
#include <string>

#include "tools/command.h"
#include "tools/model_file.h"

namespace star {

struct TrainingOptions {
    std::string
        output;  ///< the model's file; beside it OUTPUT.csv, the log, OUTPUT.svg, its curves, and OUTPUT.checkpoint
    const Model* model = nullptr;                 ///< to start from; alive while the training runs
    std::string weights;                          ///< to start from, whole (model_file.h: load_pretrained); empty: none
    std::string backbone;                         ///< a ResNet-50 to start from; empty: none
    bool resume = false;                          ///< go on from OUTPUT.checkpoint, bit for bit
    std::map<std::string, std::string> metadata;  ///< of the model's file, besides the training's own
};

/// Trains as the configuration says, on the device and with the seed that `common` names; returns the exit code. A
/// checkpoint is written every few minutes and when the user interrupts. Threshold and temperature are fixed at the
/// end, on fields that no step saw. Throws Error; if the loss isn't finite, the last good checkpoint stays as it was.
int run_training(const TrainingOptions& options, const Common& common, const Config& config);

}  // namespace star
