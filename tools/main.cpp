// The starblend program: its commands, and what exceptions mean to a shell.
#include <cstdio>
#include <exception>
#include <new>

#include "kernels/check.h"
#include "tools/command.h"
#include "tools/version.h"

using namespace star;

int main(int argc, char** argv) {
    CLI::App program{"starblend finds the stars in crowded astronomical images: blending units, how many stars each holds, and where.\n"
                     "Exit codes: 0 ok (no star is ok too), 1 internal, 2 usage or configuration, 3 input, 4 output, 5 device or\n"
                     "memory, 6 partial result, 130 and 143 after Ctrl-C and SIGTERM."};
    program.set_version_flag("--version", version_report());
    program.require_subcommand(1);
    program.fallthrough();  // common options may stand behind the command
    Common common;
    common.add_to(program);
    for (int i = 0; i < argc; ++i) common.command_line += (i ? " " : "") + std::string(argv[i]);
    const std::vector<Command> commands{add_simulate(program, common), add_train(program, common), add_detect(program, common),
                                        add_evaluate(program, common), add_info(program, common)};
    try {
        program.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        const int code = program.exit(e);
        return code == 0 ? 0 : int(Fault::usage);
    }
    try {
        interrupt::catch_signals();
        for (const Command& c : commands)
            if (c.app->parsed()) return c.run();
    } catch (const Error& e) {
        std::fprintf(stderr, "starblend: %s\n", e.what());
        return int(e.fault);
    } catch (const std::bad_alloc&) {
        std::fprintf(stderr, "starblend: out of memory\n");
        return int(Fault::device);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "starblend: internal error: %s\n", e.what());
    }
    return int(Fault::internal);
}
