// starblend evaluate: scores of catalogues against their truth, or of a model on fields simulated for the purpose.
#include <cmath>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>

#include "io/atomic_file.h"
#include "io/fits_image.h"
#include "kernels/check.h"
#include "nn/detector.h"
#include "tools/catalogue.h"
#include "tools/command.h"
#include "tools/model_file.h"
#include "tools/score_report.h"
#include "tools/setup.h"
#include "tools/trial_fields.h"
#include "tools/truth.h"

namespace star {
namespace {

struct Options {
    std::vector<std::string> catalogues, truths;
    std::string model, preset, json;
    bool simulate = false;  // --model was given
    int fields = 50, side = 100;
    double fwhm = 0;  // px; 0: as the input says
};

// Everything the scores need, wherever it came from.
struct Trial {
    std::vector<ScoredField> fields;
    double fwhm = 0;  // px; 0: unknown
    std::vector<std::pair<std::string, std::string>> about;
    bool complete = true;
};

bool finite(const Box& b, double x, double y) {
    return std::isfinite(b.x0) && std::isfinite(b.y0) && std::isfinite(b.x1) && std::isfinite(b.y1) &&
           std::isfinite(x) && std::isfinite(y);
}

ScoredField read_field(const std::string& catalogue, const std::string& truth_file, double& fwhm) {
    const FitsImage image = read_image(truth_file);
    ScoredField field{image.width, image.height, {}, wanted(read_truth(truth_file))};
    for (std::size_t i = 0; i < field.wanted.size(); ++i) {
        const Wanted& w = field.wanted[i];
        if (!finite(w.box, w.x, w.y) || (w.label < 0 && w.label != label_ignored))
            fail(Fault::input, truth_file, ": UNITS: row ", i + 1, ": a place that isn't finite, or LABEL = -1");
    }
    const auto blends = read_blends(catalogue);
    for (std::size_t i = 0; i < blends.size(); ++i) {
        const Blend& b = blends[i];
        if (!finite(b.box, b.x, b.y) || !std::isfinite(b.score) || !std::isfinite(b.expected_stars()))
            fail(Fault::input, catalogue, ": BLENDS: row ", i + 1, ": a place, SCORE or P1...P5 that isn't finite");
        field.found.push_back({b.box, b.x, b.y, b.score, b.stars - 1, b.expected_stars()});
    }
    if (fwhm == 0) {
        fwhm = image.number_of("PSF_FWHM").value_or(0);
        if (!(fwhm >= 0 && fwhm <= 1000)) fail(Fault::input, truth_file, ": PSF_FWHM = ", fwhm);
    }
    return field;
}

Trial read_catalogues(const Options& o) {
    if (o.catalogues.size() != o.truths.size())
        fail(Fault::usage, "evaluate: each catalogue needs a --truth, in the same order; given are ",
             o.catalogues.size(), " and ", o.truths.size());
    Trial trial;
    trial.fwhm = o.fwhm;
    for (std::size_t i = 0; i < o.catalogues.size(); ++i) {
        trial.fields.push_back(read_field(o.catalogues[i], o.truths[i], trial.fwhm));
        trial.about.emplace_back("catalogue", o.catalogues[i] + ", truth " + o.truths[i]);
    }
    return trial;
}

// What the simulator is to draw: the given preset and files, or what the model was trained on.
Config configuration(const Options& o, const Common& common, const Model& model) {
    for (const auto& assignment : common.settings)
        for (const char* section : {"network.", "procedure.", "training."})
            if (assignment.rfind(section, 0) == 0)
                fail(Fault::usage, "--set ", assignment, ": the model's own, not for evaluate to change");
    if (!o.preset.empty() || !common.config_files.empty()) return common.layers(o.preset, "native");
    Config c;
    c.load_text(model.config, model.name + ": config");
    c.forget("training");  // of no concern here, and perhaps another version's
    for (const auto& assignment : common.settings) c.set(assignment);
    return c;
}

// The test fields' own seed. Training uses its --seed as it is and validation its complement; this one is a hash of
// --seed, equal to neither but for one chance in 2^63.
std::uint64_t test_seed(std::uint64_t seed) {
    const Random4 r = philox(seed, 0x74657374ull, 0);  // a stream of its own
    return std::uint64_t{r.x[0]} << 32 | r.x[1];
}

template <class T>
Trial simulate_and_detect(const Options& o, const Common& common, Console& console, const Model& model,
                          const Setup& setup) {
    ThreadPool pool(common.threads);
    const StreamOwner stream(common.chosen_device(), &pool);
    const Detector<T> detector(stream, model.architecture, model.procedure,
                               [&](const std::string& name) { return model.find(name); });
    const FieldSimulator simulator = setup.simulator();
    const std::uint64_t seed = test_seed(common.seed);
    Trial trial;
    trial.fwhm = o.fwhm > 0 ? o.fwhm : double(model.procedure.psf_fwhm);
    for (int i = 0; i < o.fields && trial.complete; ++i) {
        auto scored =
            detect_field<T>(stream, detector, simulator, {o.side, o.side, setup.margin, seed, std::uint64_t(i)});
        if (!scored) {
            trial.complete = false;
            break;
        }
        trial.fields.push_back(std::move(*scored));
        console.progress("evaluating", i + 1, o.fields, "field");
        trial.complete = !interrupt::requested() || i + 1 == o.fields;
    }
    trial.about = {
        {"model", fmt::format("{} (sha256 {})", model.name, model.sha256.substr(0, 16))},
        {"threshold", fmt::format("{:g}", model.procedure.threshold)},
        {"instrument", o.preset.empty() && common.config_files.empty() ? "the model's training"
                       : o.preset.empty()                              ? "configuration files"
                                                                       : o.preset},
        {"test seed", fmt::format("{} (from --seed {}; training and validation draw from others)", seed, common.seed)}};
    return trial;
}

void add_part(ScoreReport& report, const Trial& trial, const MatchRule& rule, const char* key, std::string title,
              std::uint64_t seed) {
    report.parts.push_back({key, std::move(title), evaluate(trial.fields, rule, seed)});
}

ScoreReport score(const Trial& trial, std::uint64_t seed) {
    ScoreReport report;
    report.about = trial.about;
    std::size_t units = 0, rows = 0;
    for (const ScoredField& f : trial.fields) units += f.wanted.size(), rows += f.found.size();
    const ScoredField* first = trial.fields.empty() ? nullptr : &trial.fields[0];
    report.about.emplace_back("fields",
                              fmt::format("{}, the first {}x{} px; {} units, {} detections", trial.fields.size(),
                                          first ? first->width : 0, first ? first->height : 0, units, rows));
    MatchRule rule;
    add_part(report, trial, rule, "by_box",
             fmt::format("By box: IoU >= {:g}, one to one, in order of score", rule.least_iou), seed);
    std::size_t soft = 0;
    Trial certain = trial;
    for (ScoredField& f : certain.fields)
        for (Wanted& w : f.wanted)
            if (w.soft && w.label != label_ignored) w.label = label_ignored, ++soft;
    if (soft > 0)
        add_part(report, certain, rule, "by_box_certain",
                 fmt::format("By box, without the {} units of which a star may or may not count", soft), seed);
    if (trial.fwhm > 0) {
        rule.by = MatchRule::By::centre;
        rule.radius = 0.5 * trial.fwhm;
        add_part(report, trial, rule, "by_centre",
                 fmt::format("By centre: within {:.3f} px (0.5 FWHM), one to one, in order of score", rule.radius),
                 seed);
    } else {
        report.remarks.push_back("Not scored by centre: PSF_FWHM isn't in the truth's header; give --fwhm.");
    }
    report.remarks.push_back(
        "chance: the same detections shifted by eight offsets of 5-15 px. corrected: (P - c) / (1 - c); for MDR and "
        "FAR, of\n"
        "which 0 is perfect, value / chance. 68 %: bootstrap over fields; n/a with one field, or where nothing is "
        "defined.");
    return report;
}

int evaluate_command(const Options& o, const Common& common) {
    Console console = common.console();
    if (o.simulate && !o.catalogues.empty())
        fail(Fault::usage, "evaluate: either catalogues with --truth, or --model: not both");
    if (!o.simulate && o.catalogues.empty()) fail(Fault::usage, "evaluate: give catalogues with --truth, or a --model");
    if (o.simulate && !o.truths.empty()) fail(Fault::usage, "--truth: belongs to a catalogue, and none was given");
    std::optional<Model> model;
    std::optional<Setup> setup;
    if (o.simulate) {
        model = read_model(o.model);
        setup = read_setup(configuration(o, common, *model));
        if (common.dump_config) return std::fputs(setup->config.c_str(), stdout), 0;
    } else if (!o.preset.empty() || !common.config_files.empty() || !common.settings.empty() || common.dump_config) {
        fail(Fault::usage, "evaluate: a configuration is for --model; catalogues are scored as they are");
    }
    std::optional<AtomicFile> json;
    if (!o.json.empty()) json.emplace(o.json, common.overwrite);

    const Trial trial =
        o.simulate
            ? with_activations(common.chosen_device(),
                               [&]<class T>() { return simulate_and_detect<T>(o, common, console, *model, *setup); })
            : read_catalogues(o);
    if (trial.fields.empty()) return interrupt::exit_code();
    const ScoreReport report = score(trial, common.seed);
    if (o.json != "-") std::fputs(report.text().c_str(), stdout);
    if (!trial.complete) {
        console.warn("stopped after {} of {} fields{}", trial.fields.size(), o.fields,
                     json ? "; no JSON was written" : "");
        return interrupt::exit_code();
    }
    if (json) {
        std::ofstream out(json->path(), std::ios::binary);
        out << report.json();
        out.close();
        if (!out) fail(Fault::output, o.json, ": can't be written");
        json->commit();
    }
    return 0;
}

}  // namespace

Command add_evaluate(CLI::App& program, Common& common) {
    CLI::App* app = program.add_subcommand(
        "evaluate", "Score catalogues against their truth, or a model on fields simulated for the purpose");
    auto o = std::make_shared<Options>();
    app->add_option("catalogue", o->catalogues, "FITS files with a BLENDS table, each with a --truth");
    app->add_option("--truth", o->truths, "What `starblend simulate` wrote; once per catalogue, in their order")
        ->allow_extra_args(false);
    CLI::Option* model =
        app->add_option("--model", o->model, "Instead of catalogues: a model file or a built-in model's name");
    std::string names;
    for (const auto& n : preset_names()) names += (names.empty() ? "" : ", ") + n;
    app->add_option("--preset", o->preset,
                    "Instrument of the simulated fields (" + names + "); without it or --config, the model's training");
    app->add_option("--fields", o->fields, "How many fields to simulate")
        ->capture_default_str()
        ->check(CLI::Range(1, 100000));
    app->add_option("--side", o->side, "Their width and height, px")
        ->capture_default_str()
        ->check(CLI::Range(16, 8192));
    app->add_option("--fwhm", o->fwhm,
                    "PSF's FWHM in px, for matching by centre; default: the model's or the truth header's PSF_FWHM")
        ->check(CLI::Range(0.1, 1000.0));
    app->add_option("--json", o->json, "Write the scores as JSON to this file too");
    return {app, [o, model, &common] {
                o->simulate = model->count() > 0;
                return evaluate_command(*o, common);
            }};
}

}  // namespace star
