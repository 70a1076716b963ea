// The starblend program: its commands, and what exceptions mean to a shell.
#include <cstdio>
#include <exception>
#include <new>

#include "kernels/check.h"
#include "tools/command.h"
#include "tools/version.h"

using namespace star;

namespace {

// What the user mistook on the command line, in one line.
std::string mistake(const CLI::App& program, const CLI::ParseError& e) {
    if (const auto used = program.get_subcommands(); !used.empty())
        return used[0]->get_name() + ": " + e.what() + "; see starblend " + used[0]->get_name() + " --help";
    std::string commands;
    for (const CLI::App* c : program.get_subcommands(nullptr))
        commands += (commands.empty() ? "" : ", ") + c->get_name();
    const auto rest = program.remaining();
    return (rest.empty() ? "which command? There are " : rest[0] + ": no such command; there are ") + commands;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App program{
        "starblend finds the stars in crowded astronomical images: blending units, how many stars each holds, and "
        "where.\n"
        "Exit codes: 0 ok (no star is ok too), 1 internal, 2 usage or configuration, 3 input, 4 output, 5 device or\n"
        "memory, 6 partial: some of several images or plates failed, 130 and 143 after Ctrl-C and SIGTERM."};
    program.set_version_flag("--version", version_report());
    program.require_subcommand(1);
    program.fallthrough();  // common options may stand behind the command
    Common common;
    common.add_to(program);
    for (int i = 0; i < argc; ++i) common.command_line += (i ? " " : "") + std::string(argv[i]);
    const std::vector<Command> commands{
        add_simulate(program, common), add_train(program, common),   add_adapt(program, common),
        add_detect(program, common),   add_certify(program, common), add_measure(program, common),
        add_evaluate(program, common), add_match(program, common),   add_compare(program, common),
        add_report(program, common),   add_convert(program, common), add_psf(program, common),
        add_info(program, common)};
    try {
        program.parse(argc, argv);
    } catch (const CLI::ParseError& e) {
        if (e.get_exit_code() == 0) return program.exit(e);  // --help, --version
        std::fprintf(stderr, "starblend: %s\n", mistake(program, e).c_str());
        return int(Fault::usage);
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
