// What the commands of the program share: common options, the configuration in layers, provenance, exit codes.
#pragma once
#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <vector>

#include "io/config.h"
#include "io/fits_header.h"
#include "kernels/device.h"
#include "kernels/types.h"
#include "tools/console.h"

namespace star {

/// Options that every command understands.
struct Common {
    std::vector<std::string> config_files, settings;
    bool dump_config = false, overwrite = false, quiet = false, verbose = false;
    std::uint64_t seed = 1;
    int threads = 0;
    std::string device = "auto", precision = "auto", command_line;

    void add_to(CLI::App& app);
    Console console() const;
    /// The device that --device names; "auto" is the first CUDA device, or the CPU where there is none. Throws Error
    /// (Fault::device).
    Device chosen_device() const;
    /// Built-in preset, built-in architecture, --config files in order, then --set: later layers win. Empty names are
    /// left out.
    Config layers(const std::string& preset, const std::string& architecture) const;
    /// For commands that work from a model or a file alone. Throws Error (Fault::usage) if a configuration was given.
    void refuse_configuration(const char* command) const;
    /// Cards that say where a file comes from: program, version, commit, command line.
    std::vector<Card> provenance() const;
};

template <class T>
inline constexpr const char* activations_name = std::is_same_v<T, bf16> ? "bf16" : "float";

/// Calls f.operator()<T>() with the type of the network's activations: what --precision says, and for auto float on a
/// CPU, bf16 on CUDA; then throws as chosen_device().
template <class F>
auto with_activations(const Common& common, F&& f) {
    const bool half =
        common.precision == "bf16" || (common.precision == "auto" && common.chosen_device().kind == Device::Kind::cuda);
    return half ? f.template operator()<bf16>() : f.template operator()<float>();
}

/// --overwrite is for old outputs, not for what this run reads: Error (Fault::usage) if an output is the same file as
/// an input. Inputs are images or tables ("file.fits[EXT]"); what is empty, or no file (a built-in model's name), is no
/// clash.
void refuse_to_replace(const std::vector<std::string>& outputs, const std::vector<std::string>& inputs);

/// --orientations: how many the network sees an image in, 1 or 8; 0, which stays if it isn't given, is as the model
/// says.
void add_orientations_option(CLI::App& app, int& orientations);

/// The effective configuration, a line of TOML per COMMENT card.
void append_config(std::vector<Card>& cards, const std::string& toml);

/// A command adds its options and what runs it.
struct Command {
    CLI::App* app;
    std::function<int()> run;
};
Command add_simulate(CLI::App& program, Common&);
Command add_train(CLI::App& program, Common&);
Command add_adapt(CLI::App& program, Common&);
Command add_detect(CLI::App& program, Common&);
Command add_certify(CLI::App& program, Common&);
Command add_measure(CLI::App& program, Common&);
Command add_evaluate(CLI::App& program, Common&);
Command add_psf(CLI::App& program, Common&);
Command add_info(CLI::App& program, Common&);
Command add_convert(CLI::App& program, Common&);
Command add_report(CLI::App& program, Common&);
Command add_match(CLI::App& program, Common&);
Command add_compare(CLI::App& program, Common&);

}  // namespace star
