#include "tools/command.h"
namespace star { Command add_info(CLI::App& p, Common&) { return {p.add_subcommand("info", "x"), [] { return 0; }}; } }
