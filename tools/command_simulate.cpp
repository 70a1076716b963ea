#include "tools/command.h"
namespace star { Command add_simulate(CLI::App& p, Common&) { return {p.add_subcommand("simulate", "x"), [] { return 0; }}; } }
