// What a configuration means: from keys to the structs of nn and sim. One function per section; presets and
// architectures are TOML files built into the program.
#pragma once
#include <string>
#include <vector>

#include "io/config.h"
#include "nn/sky.h"
#include "nn/trainer.h"
#include "sim/field.h"
#include "tools/lessons.h"

namespace star {

/// The text of a built-in preset ("csst-g") or architecture ("native"). Throws Error (Fault::usage) listing the names.
std::string preset_text(const std::string& name);
std::string architecture_text(const std::string& name);
std::vector<std::string> preset_names();

/// [exposure] and [psf]: an instrument looking at the sky.
struct Instrument {
    Exposure exposure;
    double pixel_scale = 0;  ///< arcsec/px
    Psf psf;                 ///< on native pixels, before any drizzle
};
Instrument read_instrument(Config&);
Exposure read_exposure(Config&);  ///< the [exposure] part alone

/// [network] and [procedure]. The PSF's width and the boxes' size come from the instrument and the truth.
Architecture read_architecture(Config&);
Procedure read_procedure(Config&, const Architecture&);

/// [training]
struct TrainingRun {
    Training how;
    int fields = 2;                     ///< simulated per step; the batch is cut from them
    std::int64_t distinct = 0;          ///< fields gone through again and again, in changing order; 0: none comes twice
    std::int64_t validate_every = 100;  ///< steps
    int validation_batches = 4;
    double checkpoint_minutes = 5;
};
TrainingRun read_training(Config&);

/// A whole configuration: one file serves every command. Reads all sections and refuses keys that none of them knows.
struct Setup {
    Instrument instrument;
    SceneOptions scene;
    TruthOptions truth;
    double margin;  ///< [simulate] px around a field from which light comes in
    Architecture architecture;
    Procedure procedure;  ///< psf_fwhm and box_half_width follow from the instrument and the truth unless given
    TrainingRun training;
    std::vector<Lesson> lessons;  ///< of training, instead of the one scene above; empty: that alone
    std::string config;           ///< effective, TOML

    FieldSimulator simulator() const { return {instrument.psf, instrument.exposure, scene, truth}; }
};
Setup read_setup(Config);

}  // namespace star
