// starblend detect: an image in, a catalogue of blending units out.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>

#include "io/fits_writer.h"
#include "kernels/check.h"
#include "nn/detector.h"
#include "tools/catalogue.h"
#include "tools/command.h"
#include "tools/cosmic_rays.h"
#include "tools/domain.h"
#include "tools/image_list.h"
#include "tools/observation.h"
#include "tools/observation_options.h"
#include "tools/star_fit.h"
#include "tools/version.h"

namespace star {
namespace {

struct Options {
    ObservationOptions image;
    std::string output, model, regions;
    StarOptions stars;
    double threshold = NAN;
    CosmicRaySetting cosmic_rays = CosmicRaySetting::automatic;
    int mem_limit_mb = 1500;
};

// Sums over a box of whole pixels, and what is wrong with them.
void measure(Blend& b, const Observation& o, const PreparedSky& sky) {
    const int W = o.image.width, H = o.image.height;
    if (b.box.x0 < 0 || b.box.y0 < 0 || b.box.x1 > float(W) || b.box.y1 > float(H)) b.flags |= flag_truncated;
    const auto clamp = [](float v, int most) { return std::clamp(int(std::lround(v)), 0, most); };
    const int x0 = clamp(b.box.x0, W), x1 = clamp(b.box.x1, W), y0 = clamp(b.box.y0, H), y1 = clamp(b.box.y1, H);
    double flux = 0, variance = 0;
    for (int y = y0; y < y1; ++y)
        for (int x = x0; x < x1; ++x) {
            const std::size_t i = std::size_t(y) * std::size_t(W) + std::size_t(x);
            const float v = o.image.pixels[i];
            if (!std::isfinite(v)) {
                b.flags |= flag_not_finite | flag_masked_pixels;
                continue;
            }
            b.flags |= flags_of(o.state(i));
            if (o.state(i) & pixel_bad) continue;
            flux += double(v) - sky.background_map[i];
            // independent pixels: resampling moves noise between neighbours but keeps the variance of large sums
            variance += o.variance(i, sky);
        }
    b.flux = flux;
    b.flux_error = std::sqrt(variance);
    const bool bright = flux > 0 && std::isfinite(o.zeropoint.value);
    b.magnitude = bright ? o.zeropoint.value - 2.5 * std::log10(flux) : NAN;
    b.magnitude_error = bright ? 2.5 / std::log(10.0) * b.flux_error / flux : NAN;
    const int cx = std::clamp(int(b.x), 0, W - 1), cy = std::clamp(int(b.y), 0, H - 1);
    b.background = sky.background_map[std::size_t(cy) * std::size_t(W) + std::size_t(cx)];
}

std::vector<Blend> blends_of(const Detections& found, const Observation& o, bool in_domain) {
    std::vector<Blend> blends;
    for (const Detection& d : found.units) {
        Blend b;
        b.box = d.box;
        b.x = d.box.x(), b.y = d.box.y();
        b.score = d.score;
        b.stars = d.label + 1;
        double sum = 0;
        for (int k = 0; k < classes_in_catalogue; ++k) sum += d.chances[k];
        for (int k = 0; k < classes_in_catalogue; ++k)
            b.p[k] = sum > 0 ? d.chances[k] / sum : 1.0 / classes_in_catalogue;
        if (b.stars > 1) b.flags |= flag_blended;
        double sorted[classes_in_catalogue];
        std::copy(b.p, b.p + classes_in_catalogue, sorted);
        std::sort(sorted, sorted + classes_in_catalogue);
        if (sorted[classes_in_catalogue - 1] - sorted[classes_in_catalogue - 2] < 0.1) b.flags |= flag_low_margin;
        if (!in_domain) b.flags |= flag_out_of_domain;
        measure(b, o, found.sky);
        blends.push_back(b);
    }
    return blends;
}

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
    for (const std::string& output : {o.output, o.regions, o.stars.model_image, o.stars.residual})
        for (const std::string& input :
             {o.image.image, o.image.planes.mask, o.image.planes.weight, o.model, o.stars.psf}) {
            std::error_code none;  // names of built-in models and files that aren't there are no clash
            if (!output.empty() && !input.empty() &&
                std::filesystem::equivalent(output, parse_image_name(input).file, none))
                fail(Fault::usage, output, ": is an input of this run");
        }
    std::vector<std::string> outputs{o.output, o.regions, o.stars.model_image, o.stars.residual};
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
        "{}: outside what model {} was trained on (in brackets): {}; every row is flagged. Another --model, or "
        "one of your own: starblend train with --preset or --config for this instrument",
        image, model, text);
    return false;
}

template <class T>
int detect(const Options& o, const Common& common) {
    Console console = common.console();
    refuse_to_replace_inputs(o);
    FitsWriter out(o.output, common.overwrite);  // before the work, so that an output that can't be is known at once
    std::optional<AtomicFile> regions;
    if (!o.regions.empty()) regions.emplace(o.regions, common.overwrite);
    StarPictures pictures(o.stars, common.overwrite);
    common.refuse_configuration("detect");
    Model model = read_model(o.model);
    if (common.dump_config) return std::fputs(model.config.c_str(), stdout), 0;
    if (!std::isnan(o.threshold)) model.procedure.threshold = float(o.threshold);
    check(model.procedure, model.architecture.largest_stride());
    Observation observation = open_observation(o.image, model, console);
    const FitsImage& image = observation.image;
    const auto& wcs = observation.wcs;
    ThreadPool pool(common.threads);
    const Domain training = domain_of(model, pool);
    Domain domain = domain_of(observation);
    bool in_domain = departures(domain, training).empty();

    const auto psf = known_psf(o.stars.psf, model, in_domain, o.image, console);
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
    const std::int64_t one = detector.memory_bytes(stream, image.height, image.width, 1),
                       two = detector.memory_bytes(stream, image.height, image.width, 2);
    const std::int64_t limit = std::int64_t{o.mem_limit_mb} << 20;
    if (one > limit)
        fail(Fault::device, o.image.image, ": needs ", (one >> 20) + 1, " MB; --mem-limit allows ", o.mem_limit_mb);
    const int tiles =
        int(std::clamp<std::int64_t>(1 + (limit - one) / std::max<std::int64_t>(two - one, 1), 1, 2 * pool.threads()));
    const Detections found = detector.detect(stream, observation.sky(), tiles, [&](int done, int all) {
        console.progress("detecting", done, all, "tile");
        return !interrupt::requested();
    });
    if (found.sky.usable_pixels == 0)
        console.warn("{}: no row: none of {} pixels is usable (not finite or masked)", o.image.image,
                     image.pixels.size());

    if (found.sky.sigma_estimated && found.sky.usable_pixels)
        console.warn("{}: the noise, {:.4g} per pixel, is estimated from the image itself", o.image.image,
                     found.sky.sigma);
    mark_cosmic_rays(pool, observation, found.sky, psf, o.cosmic_rays, console);
    add_sky(domain, observation, found.sky, found.units.size());
    in_domain = warn_of_departures(departures(domain, training), o.image.image, model.name, console);
    const std::vector<Blend> blends = blends_of(found, observation, in_domain);
    const CatalogueInfo info{wcs ? &*wcs : nullptr, observation.flux_unit, observation.magnitude_system, image.number};
    const auto stars = fit_stars(pool, o.stars, psf, {observation, found.sky, model, blends, in_domain}, console);
    const bool complete = !found.cancelled && (!stars || stars->complete);
    std::vector<Card> cards = common.provenance();
    cards.insert(cards.end(), {{"INPUT", std::filesystem::path(image.file).filename().string(), "image"},
                               {"INEXT", std::int64_t(image.number), "its HDU"},
                               {"INSUM", std::int64_t(image.datasum), "its DATASUM"},
                               {"MODEL", model.name, "network"},
                               {"MODELSHA", model.sha256, "SHA-256 of its file"},
                               {"DEVICE", device_name(stream), ""},
                               {"THRESH", double(model.procedure.threshold), "score from which a unit is reported"},
                               {"BACKGND", found.sky.background, "mean background, image units"},
                               {"SIGMA", found.sky.sigma, "noise per pixel there, image units"},
                               {"SIGMASRC", std::string(found.sky.sigma_estimated ? "image" : "noise model"),
                                "where SIGMA comes from"},
                               {"COMPLETE", complete, "F: interrupted, tiles or stars are missing"},
                               {"NTILES", std::int64_t(found.tiles_done), "tiles looked at"}});
    for (const auto& [key, value, words] : {std::tuple{"EXPTIME", observation.exptime, "[s] used"},
                                            {"GAIN", observation.gain, "[electron/adu] used"},
                                            {"RDNOISE", observation.read_noise, "[electron] per exposure, used"},
                                            {"MAGZERO", observation.zeropoint, "[mag] of one unit, used"}})
        if (std::isfinite(value.value))
            cards.push_back({key, value.value, std::string(words) + ", from the " + value.source});
    if (!observation.magnitude_system.empty()) cards.push_back({"MAGSYS", observation.magnitude_system, ""});

    Table table = blends_table(blends, info);
    if (!observation.magnitude_system.empty())
        table.cards.push_back({"MAGSYS", observation.magnitude_system, "of MAG"});
    out.primary(cards);
    out.table(table);
    if (stars) out.table(stars->table(info));
    out.table(config_table(model.config));
    out.commit();
    if (regions) write_regions(*regions, blends);
    if (stars) pictures.write(*stars, common.provenance());

    int counts[classes_in_catalogue] = {};
    double expected = 0;
    for (const Blend& b : blends) ++counts[b.stars - 1], expected += b.expected_stars();
    console.say(
        "{}: {} blending units in {}x{} px: {} single stars, {} of 2, {} of 3, {} of 4, {} of 5 or more; about {:.0f} "
        "stars. Background {:.4g}, noise {:.3g} per "
        "pixel. Wrote {}{}{}",
        o.image.image, blends.size(), image.width, image.height, counts[0], counts[1], counts[2], counts[3], counts[4],
        expected, found.sky.background, found.sky.sigma, o.output, o.regions.empty() ? "" : " and ", o.regions);
    if (found.cancelled)
        console.warn("{}: partial: stopped after {} of {} tiles", o.output, found.tiles_done, found.tiles);
    else if (!complete)
        console.warn("{}: partial: stopped while stars were fitted", o.output);
    return complete ? 0 : interrupt::exit_code();
}

}  // namespace

Command add_detect(CLI::App& program, Common& common) {
    CLI::App* app = program.add_subcommand("detect", "Find the blending units in a FITS image, and the stars in them");
    auto o = std::make_shared<Options>();
    add_observation_options(*app, o->image);
    app->add_option("-o,--output", o->output, "Catalogue (FITS): BLENDS, SOURCES, CONFIG; - for standard output")
        ->required();
    app->add_option("--model", o->model, "A model file or the name of one built in (default: the only one built in)");
    app->add_option("--regions", o->regions, "Also write boxes for DS9");
    app->add_option("--threshold", o->threshold, "Score from which a unit is reported (default: the model's)")
        ->check(CLI::Range(0.0, 1.0));
    add_star_options(*app, o->stars);
    app->add_option("--cosmic-rays", o->cosmic_rays,
                    "Flag what lies on cosmic rays: auto (in single exposures), on, off")
        ->transform(CLI::CheckedTransformer(std::map<std::string, CosmicRaySetting>{
            {"auto", CosmicRaySetting::automatic}, {"on", CosmicRaySetting::on}, {"off", CosmicRaySetting::off}}));
    app->add_option("--mem-limit", o->mem_limit_mb,
                    "MB for maps and tiles in work; the image and the catalogue come on top")
        ->capture_default_str()
        ->check(CLI::Range(16, 1 << 20));
    return {app, [o, &common] {
                return for_each_image(o->image.images, common.console(), [&](const ImageInList& image) {
                    Options one = *o;
                    one.image.image = image.name;
                    for (std::string* output : {&one.output, &one.regions, &one.stars.model_image, &one.stars.residual})
                        *output = image.output(*output);
                    for (std::string* input : {&one.image.planes.mask, &one.image.planes.weight})
                        *input = image.input(*input);
                    return with_activations(common.chosen_device(), [&]<class T>() { return detect<T>(one, common); });
                });
            }};
}

}  // namespace star
