// The options with which a command writes a catalogue.
#pragma once
#include <CLI/CLI.hpp>
#include <string>

#include "tools/catalogue_file.h"

namespace star {

/// what: it holds, in words.
void add_catalogue_options(CLI::App& app, CatalogueOptions& options, const std::string& what);

}  // namespace star
