// The options of an image that `detect` and `measure` share.
#pragma once
#include <CLI/CLI.hpp>

#include "tools/observation.h"

namespace star {

void add_observation_options(CLI::App& app, ObservationOptions& options);

}  // namespace star
