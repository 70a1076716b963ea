// Common options and provenance.
#include "tools/command.h"

#include <algorithm>
#include <filesystem>

#include "io/fits_hdu.h"
#include "kernels/check.h"
#include "tools/setup.h"
#include "tools/version.h"

namespace star {

void Common::add_to(CLI::App& app) {
    const auto group = "Common";
    app.add_option("--config", config_files, "TOML files, later ones win")->group(group);
    app.add_option("--set", settings, "One value of the configuration: section.key=value")->group(group);
    app.add_flag("--dump-config", dump_config, "Print the effective configuration as TOML and stop")->group(group);
    app.add_option("--seed", seed, "Of everything random")
        ->capture_default_str()
        ->check(CLI::Range(std::uint64_t{0}, std::uint64_t(INT64_MAX)))
        ->check(CLI::NonNegativeNumber)
        ->group(group);
    app.add_option("--threads", threads, "Threads; 0: one per processor. Never changes a result")
        ->capture_default_str()
        ->check(CLI::Range(0, 4096))
        ->group(group);
    app.add_option("--device", device, "cpu, cuda, cuda:N, or auto: a GPU if there is one")
        ->capture_default_str()
        ->group(group);
    app.add_option("--precision", precision,
                   "Of the network's activations: float, bf16, or auto: float on a CPU, bf16 on a GPU. On a processor "
                   "with matrix tiles (AMX) bf16 is some times faster")
        ->capture_default_str()
        ->check(CLI::IsMember({"auto", "float", "bf16"}))
        ->group(group);
    app.add_flag("--overwrite", overwrite, "Replace existing outputs")->group(group);
    app.add_flag("-q,--quiet", quiet, "Warnings and errors only")->group(group);
    app.add_flag("-v,--verbose", verbose, "Say more")->group(group);
}

Console Common::console() const {
    return Console(quiet ? Console::Level::quiet : verbose ? Console::Level::verbose : Console::Level::normal);
}

Device Common::chosen_device() const {
    if (device == "auto" && cuda_devices() > 0) return {Device::Kind::cuda, 0};
    if (device == "auto" || device == "cpu") return {};
    const bool numbered = device.rfind("cuda:", 0) == 0;
    if (device != "cuda" && !numbered) fail(Fault::usage, "--device ", device, ": choose auto, cpu, cuda or cuda:N");
    int index = 0;
    if (numbered) {
        const std::string digits = device.substr(5);
        if (digits.empty() || digits.size() > 3 || digits.find_first_not_of("0123456789") != std::string::npos)
            fail(Fault::usage, "--device ", device, ": N is a number");
        index = std::stoi(digits);
    }
    const int usable = cuda_devices();
    if (usable == 0) fail(Fault::device, "--device ", device, ": ", cuda_trouble());
    if (index >= usable) fail(Fault::device, "--device ", device, ": ", usable, " CUDA devices can be used here");
    return {Device::Kind::cuda, index};
}

Config Common::layers(const std::string& preset, const std::string& architecture) const {
    Config c;
    if (!preset.empty()) c.load_text(preset_text(preset), "preset " + preset);
    if (!architecture.empty()) c.load_text(architecture_text(architecture), "architecture " + architecture);
    for (const auto& file : config_files) c.load(file);
    for (const auto& assignment : settings) c.set(assignment);
    return c;
}

void Common::refuse_configuration(const char* command) const {
    if (!config_files.empty() || !settings.empty())
        fail(Fault::usage, command,
             " takes no configuration: what it needs is in the file and in its own options; --config and --set are for "
             "simulate, train, evaluate and psf");
}

std::vector<Card> Common::provenance() const {
    return {{"CREATOR", std::string("starblend ") + version(), "program and version"},
            {"COMMIT", commit(), "of its source"},
            {"SEED", std::int64_t(seed), "of everything random"},
            {"HISTORY", {}, "command: " + command_line}};
}

void refuse_to_replace(const std::vector<std::string>& outputs, const std::vector<std::string>& inputs) {
    for (const std::string& output : outputs)
        for (const std::string& input : inputs) {
            std::error_code none;
            if (!output.empty() && !input.empty() &&
                std::filesystem::equivalent(output, parse_image_name(input).file, none))
                fail(Fault::usage, output, ": is an input of this run");
        }
}

void add_orientations_option(CLI::App& app, int& orientations) {
    app.add_option("--orientations", orientations,
                   "8: the network sees the image in all its flips and quarter turns, and the mean counts: steadier, 8 "
                   "times the work. 1: as it is (default: the model's)")
        ->check(CLI::IsMember({1, 8}));
}

void append_config(std::vector<Card>& cards, const std::string& toml) {
    cards.push_back({"COMMENT", {}, "effective configuration (TOML):"});
    for (std::size_t at = 0; at < toml.size();) {
        const std::size_t end = std::min(toml.find('\n', at), toml.size());
        cards.push_back({"COMMENT", {}, toml.substr(at, end - at)});
        at = end + 1;
    }
}

}  // namespace star
