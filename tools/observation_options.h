// The options of an image that `detect`, `measure` and `psf --measure` share.
#pragma once
#include <CLI/CLI.hpp>

#include "tools/observation.h"

namespace star {

/// only_with: an option without which these make no sense, or null.
void add_plane_options(CLI::App& app, PlaneOptions& options, CLI::Option* only_with = nullptr);

void add_observation_options(CLI::App& app, ObservationOptions& options);

}  // namespace star
