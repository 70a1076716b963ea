// starblend evaluate: scores of catalogues against their truth, or of a model on fields simulated for the purpose.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>

#include "io/atomic_file.h"
#include "kernels/check.h"
#include "kernels/random.h"
#include "nn/detector.h"
#include "tools/command.h"
#include "tools/model_file.h"
#include "tools/score_match.h"
#include "tools/setup.h"
#include "tools/trial_catalogue.h"
#include "tools/trial_fields.h"
#include "tools/trial_oracle.h"
#include "tools/trial_stars.h"

namespace star {
namespace {

struct Options {
    std::vector<std::string> catalogues, truths;
    std::string model, preset, json, csv, html, columns;
    CatalogueColumns foreign;
    bool simulate = false;  // --model was given
    bool oracle = false, stars = false;
    int fields = 50, side = 100;
    int orientations = 0;  // 0: as the model says
    double fwhm = 0;       // px; 0: as the input says
};

constexpr int most_pictures = 4, picture_side = 600;  // of the page of scores, px

// Everything the scores need, wherever it came from.
struct Trial {
    std::vector<ScoredField> fields;
    std::vector<ScoredField> stars;   // one each, or none: not all catalogues have stars
    std::vector<ScoredField> oracle;  // the same truths, with what the oracle makes of them
    std::vector<ScorePicture> pictures;
    GalaxyTally galaxies, galaxies_by_chance;
    double fwhm = 0;    // px; 0: unknown
    bool boxes = true;  // all catalogues have them
    std::vector<std::pair<std::string, std::string>> about;
    bool complete = true;
};

Trial read_catalogues(const Options& o) {
    Trial trial;
    trial.fwhm = o.fwhm;
    bool all_have_stars = true;
    std::size_t truths = 0;
    for (const std::string& file : o.truths) truths += std::size_t(count_trial_truths(file));
    if (o.catalogues.size() != truths)
        fail(Fault::usage,
             "evaluate: each catalogue needs a truth, in the same order: CATALOGUES --truth TRUTHS; given are ",
             o.catalogues.size(), " and, after --truth, ", truths);
    const auto pictures_wanted = [&] { return !o.html.empty() && trial.pictures.size() < most_pictures; };
    const auto add = [&](const std::string& catalogue, TrialTruth truth) {
        TrialCatalogue t = read_trial(catalogue, std::move(truth), o.foreign);
        if (pictures_wanted()) trial.pictures.push_back(picture_of(t.image, t.field, picture_side, t.words));
        if (trial.fwhm == 0) trial.fwhm = t.fwhm;
        trial.boxes = trial.boxes && t.boxes;
        all_have_stars = all_have_stars && t.has_stars;
        trial.stars.push_back(std::move(t.stars));
        if (o.catalogues.size() <= 8) trial.about.emplace_back("catalogue", t.words);
        trial.fields.push_back(std::move(t.field));
    };
    auto catalogue = o.catalogues.begin();
    for (const std::string& file : o.truths)
        for (TrialTruth& truth : read_trial_truths(file, pictures_wanted())) add(*catalogue++, std::move(truth));
    if (!all_have_stars) trial.stars.clear();
    if (o.catalogues.size() > 8)
        trial.about.emplace_back("catalogues", fmt::format("{}, from {} to {}", o.catalogues.size(),
                                                           o.catalogues.front(), o.catalogues.back()));
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
    OracleFields oracle;
    trial.fwhm = o.fwhm > 0 ? o.fwhm : double(model.procedure.psf_fwhm);
    for (int i = 0; i < o.fields && trial.complete; ++i) {
        auto tried =
            detect_field<T>(stream, detector, simulator, {o.side, o.side, setup.margin, seed, std::uint64_t(i)});
        if (!tried) {
            trial.complete = false;
            break;
        }
        if (!o.html.empty() && i < most_pictures)
            trial.pictures.push_back(picture_of(tried->field.image, tried->scored, picture_side,
                                                fmt::format("Field {} of the test seed", i)));
        if (o.oracle)
            oracle.add(consult_oracle(pool, tried->field, simulator.psf(), simulator.exposure(),
                                      {setup.truth.rules.contrast, 0}),
                       tried->scored);
        if (o.stars) trial.stars.push_back(fitted_stars(stream, *tried, simulator));
        const auto galaxies = wanted_galaxies(tried->field, simulator, setup.instrument.pixel_scale);
        const double edge = MatchRule().edge;
        trial.galaxies.add(tally_galaxies(tried->scored, tried->scored.found, galaxies, edge));
        for (int n = 0; n < chance_shifts; ++n)
            trial.galaxies_by_chance.add(tally_galaxies(tried->scored, shifted(tried->scored, n), galaxies, edge));
        trial.fields.push_back(std::move(tried->scored));
        console.progress("evaluating", i + 1, o.fields, "field");
        trial.complete = !interrupt::requested() || i + 1 == o.fields;
    }
    trial.about = {
        {"model", fmt::format("{} (sha256 {})", model.name, model.sha256.substr(0, 16))},
        {"threshold", fmt::format("{:g}", model.procedure.threshold)},
        {"orientations", std::to_string(model.procedure.orientations)},
        {"instrument", o.preset.empty() && common.config_files.empty() ? "the model's training"
                       : o.preset.empty()                              ? "configuration files"
                                                                       : o.preset},
        {"test seed", fmt::format("{} (from --seed {}; training and validation draw from others)", seed, common.seed)}};
    if (o.oracle) {
        trial.oracle = oracle.judged();
        trial.about.emplace_back("oracle", oracle.words());
    }
    return trial;
}

void add_part(ScoreReport& report, const std::vector<ScoredField>& fields, const MatchRule& rule, const char* key,
              std::string title, std::uint64_t seed) {
    report.parts.push_back({key, std::move(title), rule, evaluate(fields, rule, seed)});
}

// The same detections with the number of stars that the fit found for a class; none, if it isn't known everywhere.
// Where the fit found no star, the network's class remains.
std::vector<ScoredField> by_fit(std::vector<ScoredField> fields) {
    bool any = false;
    for (ScoredField& field : fields)
        for (Found& f : field.found) {
            if (f.fitted < 0) return {};
            any = true;
            f.chances = {};
            if (f.fitted > 0) f.label = std::min(f.fitted, classes_scored) - 1;
            f.expected_stars = f.fitted;
        }
    return any ? fields : std::vector<ScoredField>{};
}

void add_box_parts(ScoreReport& report, const Trial& trial, std::uint64_t seed) {
    MatchRule rule;
    add_part(report, trial.fields, rule, "by_box",
             fmt::format("By box: IoU >= {:g}, one to one, in order of score", rule.least_iou), seed);
    if (const auto fitted = by_fit(trial.fields); !fitted.empty())
        add_part(report, fitted, rule, "by_box_fitted",
                 "By box, a unit's class being the number of stars that the fit found in it", seed);
    std::size_t soft = 0;
    std::vector<ScoredField> certain = trial.fields;
    for (ScoredField& f : certain)
        for (Wanted& w : f.wanted)
            if (w.soft && w.label != label_ignored) w.label = label_ignored, ++soft;
    if (soft > 0)
        add_part(report, certain, rule, "by_box_certain",
                 fmt::format("By box, without the {} units of which a star may or may not count", soft), seed);
    rule.least_iou = 0.5;
    add_part(report, trial.fields, rule, "by_box_half",
             fmt::format("By box: IoU >= {:g}, one to one, in order of score", rule.least_iou), seed);
}

ScoreReport score(const Trial& trial, std::uint64_t seed) {
    ScoreReport report;
    report.about = trial.about;
    report.pictures = trial.pictures;
    report.galaxies = trial.galaxies, report.galaxies_by_chance = trial.galaxies_by_chance;
    std::size_t units = 0, rows = 0;
    for (const ScoredField& f : trial.fields) units += f.wanted.size(), rows += f.found.size();
    const ScoredField* first = trial.fields.empty() ? nullptr : &trial.fields[0];
    report.about.emplace_back("fields",
                              fmt::format("{}, the first {}x{} px; {} units, {} detections", trial.fields.size(),
                                          first ? first->width : 0, first ? first->height : 0, units, rows));
    if (trial.boxes)
        add_box_parts(report, trial, seed);
    else
        report.remarks.push_back("Not scored by box: a catalogue has no boxes; --box-radius gives it some.");
    if (trial.fwhm > 0) {
        MatchRule rule;
        rule.by = MatchRule::By::centre;
        rule.radius = 0.5 * trial.fwhm;
        add_part(report, trial.fields, rule, "by_centre",
                 fmt::format("By centre: within {:.3f} px (0.5 FWHM), one to one, in order of score", rule.radius),
                 seed);
        if (!trial.stars.empty()) {
            rule.most_mag = 0.75;
            add_part(report, trial.stars, rule, "by_star",
                     fmt::format("By star: within {:.3f} px (0.5 FWHM) and {:g} mag, one to one, in order of "
                                 "signal-to-noise; all are of class 1",
                                 rule.radius, rule.most_mag),
                     seed);
        }
    } else {
        report.remarks.push_back("Not scored by centre: PSF_FWHM isn't in the truth's header; give --fwhm.");
    }
    if (!trial.oracle.empty())
        add_part(report, trial.oracle, {}, "oracle",
                 "The oracle: who knows the PSF, the noise, all neighbours and where the unit's stars are; no detector",
                 seed);
    report.remarks.push_back(
        "chance: the same detections shifted by eight offsets of 5-15 px. corrected: (P - c) / (1 - c); for MDR and "
        "FAR, of\nwhich 0 is perfect, value / chance. 68 %: bootstrap over fields; n/a with one field, or where "
        "nothing "
        "is defined.\nAP: area below precision against recall, all-point interpolation; of a class: detections called "
        "so, hits being units of it.");
    return report;
}

int evaluate_command(const Options& o, const Common& common) {
    Console console = common.console();
    if (o.simulate && !o.catalogues.empty())
        fail(Fault::usage, "evaluate: either catalogues with --truth, or --model: not both");
    if (!o.simulate && o.catalogues.empty()) fail(Fault::usage, "evaluate: give catalogues with --truth, or a --model");
    if (o.simulate && !o.truths.empty()) fail(Fault::usage, "--truth: belongs to a catalogue, and none was given");
    if (o.oracle && !o.simulate)
        fail(Fault::usage, "--oracle: needs the fields' light and noise as they were simulated: with --model");
    if (o.orientations && !o.simulate) fail(Fault::usage, "--orientations: belongs to --model");
    if (o.stars && !o.simulate) fail(Fault::usage, "--stars: belongs to --model; catalogues have theirs scored anyway");
    std::optional<Model> model;
    std::optional<Setup> setup;
    if (o.simulate) {
        model = read_model(o.model);
        if (o.orientations) model->procedure.orientations = o.orientations;
        setup = read_setup(configuration(o, common, *model));
        if (common.dump_config) return std::fputs(setup->config.c_str(), stdout), 0;
    } else if (!o.preset.empty() || !common.config_files.empty() || !common.settings.empty() || common.dump_config) {
        fail(Fault::usage, "evaluate: a configuration is for --model; catalogues are scored as they are");
    }
    if ((o.json == "-") + (o.csv == "-") + (o.html == "-") > 1)
        fail(Fault::usage, "evaluate: -: standard output takes one of --json, --csv and --html");
    std::optional<AtomicFile> json, csv, html;  // refused now if they can't be
    for (const auto& [path, file] : {std::pair{&o.json, &json}, {&o.csv, &csv}, {&o.html, &html}})
        if (!path->empty()) file->emplace(*path, common.overwrite);

    const Trial trial =
        o.simulate ? with_activations(
                         common, [&]<class T>() { return simulate_and_detect<T>(o, common, console, *model, *setup); })
                   : read_catalogues(o);
    if (trial.fields.empty()) return interrupt::exit_code();
    const ScoreReport report = score(trial, common.seed);
    if (o.json != "-" && o.csv != "-" && o.html != "-") std::fputs(report.text().c_str(), stdout);
    if (!trial.complete) {
        console.warn("stopped after {} of {} fields{}", trial.fields.size(), o.fields,
                     json || csv || html ? "; no file was written" : "");
        return interrupt::exit_code();
    }
    if (json) json->commit(report.json());
    if (csv) csv->commit(report.csv());
    if (html) html->commit(report.html());
    return 0;
}

}  // namespace

Command add_evaluate(CLI::App& program, Common& common) {
    CLI::App* app = program.add_subcommand(
        "evaluate", "Score catalogues against their truth, or a model on fields simulated for the purpose");
    auto o = std::make_shared<Options>();
    app->add_option(
        "catalogue", o->catalogues,
        "Catalogues, to be named before --truth: FITS with BLENDS, or of another program: FITS_LDAC and other FITS "
        "tables, ASCII_HEAD, CSV, ECSV");
    app->add_option("--truth", o->truths,
                    "What `starblend simulate` wrote, a file for each catalogue, in their order: cat/*.fits --truth "
                    "set/*.fits; or a cube, whose planes are as many truths");
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
    add_orientations_option(*app, o->orientations);
    app->add_flag("--oracle", o->oracle,
                  "With --model: beside it, what one who knows the PSF, the noise and the stars' places would say");
    app->add_flag("--stars", o->stars, "With --model: also fit the stars, as detect does, and score them");
    app->add_option("--fwhm", o->fwhm,
                    "PSF's FWHM in px, for matching by centre; default: the model's or the truth header's PSF_FWHM")
        ->check(CLI::Range(0.1, 1000.0));
    app->add_option("--json", o->json, "Write the scores as JSON to this file too");
    app->add_option("--csv", o->csv, "Write them as one long table too");
    app->add_option("--html", o->html, "Write them as a page with plots and a few fields too");
    app->add_option("--columns", o->columns,
                    "Of another program's catalogue: which column is what, such as x=XPSF_IMAGE,y=YPSF_IMAGE,score=SNR "
                    "(x, y, score, mag, nstars, xmin, ymin, xmax, ymax; default: the usual names)");
    app->add_option("--first-pixel", o->foreign.first_pixel,
                    "Where its first pixel's centre lies, 0 or 1 (default: 1 for *_IMAGE, FITS and ASCII_HEAD, else 0)")
        ->check(CLI::IsMember({0, 1}));
    app->add_option("--box-radius", o->foreign.box_radius,
                    "Half-width in px of the boxes that its rows get if it has none, to be scored by box too")
        ->check(CLI::Range(0.1, 1000.0));
    return {app, [o, model, &common] {
                o->simulate = model->count() > 0;
                if (!o->columns.empty()) o->foreign.named = parse_columns(o->columns);
                return evaluate_command(*o, common);
            }};
}

}  // namespace star
