#include "tools/command.h"
namespace star { Command add_detect(CLI::App& p, Common&) { return {p.add_subcommand("detect", "x"), [] { return 0; }}; } }
