// starblend detect: an image in, a catalogue of blending units out.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>

#include "kernels/check.h"
#include "tools/byte_size.h"
#include "tools/catalogue_options.h"
#include "tools/command.h"
#include "tools/domain.h"
#include "tools/image_list.h"
#include "tools/observation_options.h"
#include "tools/plate_run.h"
#include "tools/version.h"

namespace star {
namespace {

struct Options {
    ObservationOptions image;
    CatalogueOptions catalogue;
    std::string model, regions;
    StarOptions stars;
    double threshold = NAN;
    CosmicRaySetting cosmic_rays = CosmicRaySetting::automatic;
    std::string memory = "1500M";
    bool resume = false;
};

Table config_table(const std::string& toml) {
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < toml.size();) {
        const std::size_t end = std::min(toml.find('\n', at), toml.size());
        lines.push_back(toml.substr(at, end - at));
        at = end + 1;
    }
    Table t;
    t.name = "CONFIG";
    t.columns = {{"TOML", "", "what the model was trained with and works with", "", "", lines}};
    return t;
}

// --overwrite is for old outputs, not for what this run reads.
void refuse_to_replace_inputs(const Options& o) {
    for (const std::string& output : {o.catalogue.output, o.regions, o.stars.model_image, o.stars.residual})
        for (const std::string& input :
             {o.image.image, o.image.planes.mask, o.image.planes.weight, o.model, o.stars.psf}) {
            std::error_code none;  // names of built-in models and files that aren't there are no clash
            if (!output.empty() && !input.empty() &&
                std::filesystem::equivalent(output, parse_image_name(input).file, none))
                fail(Fault::usage, output, ": is an input of this run");
        }
    std::vector<std::string> outputs{o.catalogue.output, o.regions, o.stars.model_image, o.stars.residual};
    std::erase(outputs, "");
    std::sort(outputs.begin(), outputs.end());
    if (const auto twice = std::adjacent_find(outputs.begin(), outputs.end()); twice != outputs.end())
        fail(Fault::usage, *twice, ": is named for two outputs");
}

// One line for all that is unlike the model's training, and what to do about it. True if nothing is.
bool warn_of_departures(const std::vector<std::string>& list, const std::string& image, const std::string& model,
                        Console& console) {
    if (list.empty()) return true;
    std::string text;
    for (const std::string& what : list) text += (text.empty() ? "" : ", ") + what;
    console.warn(
        "{}: outside what model {} was trained on (in brackets): {}; every row is flagged. Another --model, or one "
        "of your own: starblend adapt, or train, with this instrument's --preset or --config",
        image, model, text);
    return false;
}

// All that the rows depend on; not threads, nor memory.
std::string run_key(const Options& o, const FitsPlane& image, const Model& model, const std::string& device) {
    const ObservationOptions& i = o.image;
    return fmt::format("{} {} {} [{}] {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {}", version(),
                       commit(), image.datasum, image.number, image.width, image.height, model.sha256, device,
                       model.procedure.threshold, i.planes.mask, i.planes.mask_bits, i.planes.weight,
                       i.planes.weight_type, i.exptime, i.exposures, i.gain, i.read_noise, i.zeropoint,
                       i.magnitude_system, i.saturate, o.stars.psf, o.stars.psf_error, o.stars.limits.min_snr,
                       o.stars.limits.second_snr, int(o.cosmic_rays), sizeof(Source) + sizeof(Blend));
}

std::vector<Card> cards_of(const Common& common, const FitsPlane& image, const Model& model, const Observation& o,
                           const ImageFound& found) {
    std::vector<Card> cards = common.provenance();
    cards.insert(cards.end(),
                 {{"INPUT", std::filesystem::path(image.file).filename().string(), "image"},
                  {"INEXT", std::int64_t(image.number), "its HDU"},
                  {"INSUM", std::int64_t(image.datasum), "its DATASUM"},
                  {"MODEL", model.name, "network"},
                  {"MODELSHA", model.sha256, "SHA-256 of its file"},
                  {"THRESH", double(model.procedure.threshold), "score from which a unit is reported"},
                  {"BACKGND", found.sky.background, "mean background, image units"},
                  {"SIGMA", found.sky.sigma, "noise per pixel there, image units"},
                  {"SIGMASRC", std::string(found.sky.estimated ? "image" : "noise model"), "where SIGMA comes from"},
                  {"COMPLETE", found.complete && found.failed == 0, "F: tiles or stars are missing"},
                  {"NTILES", std::int64_t(found.tiles_done), "tiles looked at"}});
    for (const auto& [key, value, words] : {std::tuple{"EXPTIME", o.exptime, "[s] used"},
                                            {"GAIN", o.gain, "[electron/adu] used"},
                                            {"RDNOISE", o.read_noise, "[electron] per exposure, used"},
                                            {"MAGZERO", o.zeropoint, "[mag] of one unit, used"}})
        if (std::isfinite(value.value))
            cards.push_back({key, value.value, std::string(words) + ", from the " + value.source});
    if (!o.magnitude_system.empty()) cards.push_back({"MAGSYS", o.magnitude_system, ""});
    return cards;
}

void say_found(const Options& o, const FitsPlane& image, const ImageFound& found, const std::string& written,
               Console& console) {
    int counts[classes_in_catalogue] = {};
    double expected = 0;
    for (const Blend& b : found.rows.blends) ++counts[b.stars - 1], expected += b.expected_stars();
    console.say(
        "{}: {} blending units in {}x{} px: {} single stars, {} of 2, {} of 3, {} of 4, {} of 5 or more; about {:.0f} "
        "stars. Background {:.4g}, noise {:.3g} per "
        "pixel. Wrote {}{}{}",
        o.image.image, found.rows.blends.size(), image.width, image.height, counts[0], counts[1], counts[2], counts[3],
        counts[4], expected, found.sky.background, found.sky.sigma, written, o.regions.empty() ? "" : " and ",
        o.regions);
    if (found.tiles_done < found.tiles)
        console.warn("{}: partial: stopped after {} of {} tiles", o.catalogue.output, found.tiles_done, found.tiles);
    else if (!found.complete)
        console.warn("{}: partial: stopped while stars were fitted, or between plates", o.catalogue.output);
    if (found.failed) console.warn("{}: partial: {} plates could not be read", o.catalogue.output, found.failed);
}

void warn_of_sky(const Options& o, const FitsPlane& image, const WholeSky& sky, Console& console) {
    if (sky.usable == 0)
        console.warn("{}: no row: none of {} pixels is usable (not finite or masked)", o.image.image,
                     std::int64_t{image.width} * image.height);
    else if (sky.estimated)
        console.warn("{}: the noise, {:.4g} per pixel, is estimated from the image itself", o.image.image, sky.sigma);
}

// The image, or of its plates the middle one, else the first that can be read: what is said about all of them.
Observation open_first(ObservationOptions& o, const std::vector<Plate>& plates, const Model& model, Console& console) {
    if (plates.size() == 1) return open_observation(o, model, console);
    for (std::size_t i = 0; i < plates.size(); ++i) {
        o.window = plates[(plates.size() / 2 + i) % plates.size()].seen;
        try {
            return open_observation(o, model, console);
        } catch (const Error& e) {
            if (e.fault != Fault::input || i + 1 == plates.size()) throw;
        }
    }
    return {};
}

template <class T>
int detect(const Options& o, const Common& common) {
    Console console = common.console();
    refuse_to_replace_inputs(o);
    // Before the work, so that an output that can't be is known at once. A run that goes on replaces its own part.
    const bool replace = common.overwrite || o.resume;
    CatalogueWriter out(o.catalogue, replace);
    std::optional<CatalogueWriter> regions;
    if (!o.regions.empty()) regions.emplace(CatalogueOptions{o.regions, "reg", "", "", o.catalogue.regions}, replace);
    StarPictures pictures(o.stars, replace);
    common.refuse_configuration("detect");
    Model model = read_model(o.model);
    if (common.dump_config) return std::fputs(model.config.c_str(), stdout), 0;
    if (!std::isnan(o.threshold)) model.procedure.threshold = float(o.threshold);
    check(model.procedure, model.architecture.largest_stride());
    const std::int64_t memory = parse_bytes(o.memory, "--mem-limit");
    const FitsPlane image = describe_image(o.image.image, true);
    const std::vector<Plate> plates = plates_of(image.width, image.height, model.procedure.core);
    const bool whole = plates.size() == 1;
    if (!whole) pictures.refuse_plates(o.image.image);
    ObservationOptions first = o.image;
    Observation observation = open_first(first, plates, model, console);

    ThreadPool pool(common.threads);
    const Domain training = domain_of(model, pool);
    Domain domain = domain_of(observation);
    const auto psf = known_psf(o.stars.psf, model, departures(domain, training).empty(), first, console);
    if (!psf) pictures.refuse();
    const StreamOwner stream(common.chosen_device(), &pool);
    const auto detector = [&] {
        try {
            return Detector<T>(stream, model.architecture, model.procedure,
                               [&](const std::string& name) { return model.find(name); });
        } catch (const Error& e) {
            fail(e.fault, o.model.empty() ? model.name : o.model, ": ", e.what());
        }
    }();
    std::optional<ProgressFile> progress;
    if (!whole && o.catalogue.output != "-")
        progress.emplace(o.catalogue.output, run_key(o, image, model, device_name(stream)), o.resume);
    ImageFound found = detect_plates(stream, detector, {o.image, model, o.stars, psf, o.cosmic_rays, memory}, plates,
                                     observation, progress ? &*progress : nullptr, console);
    warn_of_sky(o, image, found.sky, console);
    add_sky(domain, observation, found.sky, found.rows.blends.size());
    if (!warn_of_departures(departures(domain, training), o.image.image, model.name, console)) {
        for (Blend& b : found.rows.blends) b.flags |= flag_out_of_domain;
        for (Source& s : found.rows.sources) s.flags |= flag_out_of_domain;
    }

    const auto& wcs = observation.wcs;
    const CatalogueInfo info{wcs ? &*wcs : nullptr, observation.flux_unit, observation.magnitude_system, image.number};
    std::vector<Card> cards = cards_of(common, image, model, observation, found);
    cards.push_back({"DEVICE", device_name(stream), ""});
    Table table = blends_table(found.rows.blends, info);
    if (!observation.magnitude_system.empty())
        table.cards.push_back({"MAGSYS", observation.magnitude_system, "of MAG"});
    Catalogue catalogue{std::move(cards), {std::move(table)}};
    if (psf) catalogue.tables.push_back(fitted_table(found.rows.sources, *psf, o.stars.psf_error, info));
    const CatalogueImage of{image.header.cards, image.width, image.height, info.wcs};
    if (regions) regions->write(catalogue, of);
    catalogue.tables.push_back(config_table(model.config));
    out.write(std::move(catalogue), of);
    if (found.stars) pictures.write(*found.stars, common.provenance());
    if (progress && found.complete && found.failed == 0) progress->remove();
    say_found(o, image, found, out.words(), console);
    if (!found.complete) return interrupt::exit_code();
    return found.failed ? exit_partial : 0;
}

}  // namespace

Command add_detect(CLI::App& program, Common& common) {
    CLI::App* app = program.add_subcommand("detect", "Find the blending units in a FITS image, and the stars in them");
    auto o = std::make_shared<Options>();
    add_observation_options(*app, o->image);
    add_catalogue_options(*app, o->catalogue, "Catalogue: BLENDS, SOURCES, CONFIG");
    app->add_option("--model", o->model, "A model file or the name of one built in (default: the only one built in)");
    app->add_option("--regions", o->regions, "Also write boxes and stars as regions for DS9");
    app->add_option("--threshold", o->threshold, "Score from which a unit is reported (default: the model's)")
        ->check(CLI::Range(0.0, 1.0));
    add_star_options(*app, o->stars);
    app->add_option("--cosmic-rays", o->cosmic_rays,
                    "Flag what lies on cosmic rays: auto (in single exposures), on, off")
        ->transform(CLI::CheckedTransformer(std::map<std::string, CosmicRaySetting>{
            {"auto", CosmicRaySetting::automatic}, {"on", CosmicRaySetting::on}, {"off", CosmicRaySetting::off}}));
    app->add_option("--mem-limit", o->memory,
                    "Memory for what is in work: 2G, 500M, or a number of MB; the program and the catalogue come on "
                    "top. Never changes a result")
        ->capture_default_str();
    app->add_flag("--resume", o->resume,
                  "Go on with an image of several plates where OUTPUT.progress ends; the bits are those of one run");
    return {app, [o, &common] {
                return for_each_image(o->image.images, common.console(), [&](const ImageInList& image) {
                    Options one = *o;
                    one.image.image = image.name;
                    for (std::string* output :
                         {&one.catalogue.output, &one.regions, &one.stars.model_image, &one.stars.residual})
                        *output = image.output(*output);
                    for (std::string* input : {&one.image.planes.mask, &one.image.planes.weight})
                        *input = image.input(*input);
                    return with_activations(common.chosen_device(), [&]<class T>() { return detect<T>(one, common); });
                });
            }};
}

}  // namespace star
