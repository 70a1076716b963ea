// Options, opening, cards, tables.
#include "tools/detection_run.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <utility>

#include "kernels/check.h"
#include "tools/byte_size.h"
#include "tools/observation_options.h"
#include "tools/version.h"

namespace star {
namespace {

template <class T>
Detector<T> open_detector(Stream stream, const Model& model, const std::string& file) {
    try {
        return Detector<T>(stream, model.architecture, model.procedure,
                           [&](const std::string& name) { return model.find(name); });
    } catch (const Error& e) {
        fail(e.fault, file.empty() ? model.name : file, ": ", e.what());
    }
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

}  // namespace

void add_detection_options(CLI::App& app, DetectionOptions& o) {
    add_observation_options(app, o.image);
    app.add_option("--model", o.model,
                   "A model file or the name of one built in (default: of those built in the one whose pixels are "
                   "nearest to the image's)");
    app.add_option("--threshold", o.threshold, "Score from which a unit is reported (default: the model's)")
        ->check(CLI::Range(0.0, 1.0));
    add_orientations_option(app, o.orientations);
    add_star_options(app, o.stars);
    app.add_option("--cosmic-rays", o.cosmic_rays, "Flag what lies on cosmic rays: auto (in single exposures), on, off")
        ->transform(CLI::CheckedTransformer(std::map<std::string, CosmicRaySetting>{
            {"auto", CosmicRaySetting::automatic}, {"on", CosmicRaySetting::on}, {"off", CosmicRaySetting::off}}));
    app.add_option("--mem-limit", o.memory,
                   "Memory for what is in work: 2G, 500M, or a number of MB; the program and the catalogue come on "
                   "top. Never changes a result")
        ->capture_default_str();
}

Model choose_model(const DetectionOptions& o, const FitsPlane& image, Console& console) {
    Model model = read_model(o.model.empty() ? built_in_model(pixel_scale_of(image)) : o.model);
    if (o.model.empty()) console.say("model {}", model.name);
    if (!std::isnan(o.threshold)) model.procedure.threshold = float(o.threshold);
    if (o.orientations) model.procedure.orientations = o.orientations;
    check(model.procedure, model.architecture);
    return model;
}

template <class T>
DetectionRun<T>::DetectionRun(const DetectionOptions& o, const FitsPlane& image, const Model& model,
                              const Common& common, Console& console)
    : options_(o),
      image_(image),
      model_(model),
      common_(common),
      memory_(parse_bytes(o.memory, "--mem-limit")),
      plates_(plates_of(image.width, image.height, model.procedure.core)),
      opened_(o.image),
      observation_(open_first(opened_, plates_, model, console)),
      pool_(common.threads),
      training_(domain_of(model, pool_)),
      domain_(domain_of(observation_)),
      psf_(known_psf(o.stars.psf, model, departures(domain_, training_).empty(), opened_, console)),
      stars_(o.stars),
      stream_(common.chosen_device(), &pool_),
      detector_(open_detector<T>(stream_, model, o.model)),
      plan_{options_.image, model_, stars_, psf_, options_.cosmic_rays, memory_, {}} {
    const Window at = opened_.window.value_or(Window{});
    settle_psf(stars_, psf_, observation_, at.x0, at.y0, console);
}

template <class T>
ImageFound DetectionRun<T>::detect(ProgressFile* progress, Console& console, const DetectionPlan::Alter& alter) {
    DetectionPlan plan = plan_;
    plan.alter = alter;
    if (in_plates()) return detect_plates(stream_, detector_, plan, plates_, observation_, progress, console);
    Observation one = observation_;  // which will be marked and altered
    return detect_plates(stream_, detector_, plan, plates_, one, progress, console);
}

template <class T>
void DetectionRun<T>::for_each_plate(const std::function<void(const Observation&, const Plate&)>& call) {
    if (!in_plates()) return call(observation_, plates_[0]);
    for (const Plate& plate : plates_) {
        try {
            call(open_plate(plan_, plate), plate);
        } catch (const Error& e) {
            if (e.fault != Fault::input) throw;  // said when it was detected on
        }
    }
}

template <class T>
void DetectionRun<T>::flag_departures(ImageFound& found, Console& console) {
    if (found.sky.usable) domain_.density = double(found.rows.blends.size()) / double(found.sky.usable);
    const std::vector<std::string> whole = departures(domain_, training_);
    const TileDepartures tiles = departures(found.seen, training_);
    if (whole.empty() && tiles.words.empty()) return;
    std::string text;
    for (const auto* list : {&whole, &tiles.words})
        for (const std::string& what : *list) text += (text.empty() ? "" : ", ") + what;
    console.warn(
        "{}: outside what model {} was trained on (in brackets): {}; {} flagged. Another --model, or one of your own: "
        "starblend adapt, or train, with this instrument's --preset or --config",
        options_.image.image, model_.name, text, whole.empty() ? "their rows are" : "every row is");
    std::set<std::pair<int, int>> outside;
    for (std::size_t i = 0; i < found.seen.size(); ++i)
        if (tiles.outside[i]) outside.insert({found.seen[i].column, found.seen[i].row});
    const int side = model_.procedure.core, last_column = (image_.width - 1) / side,
              last_row = (image_.height - 1) / side;
    const auto departs = [&](double x, double y) {
        const auto tile = [&](double v, int last) { return std::clamp(int(std::floor(v / side)), 0, last); };
        return !whole.empty() || outside.contains({tile(x, last_column), tile(y, last_row)});
    };
    for (Blend& b : found.rows.blends)
        if (departs(b.x, b.y)) b.flags |= flag_out_of_domain;
    for (Source& s : found.rows.sources)
        if (departs(s.at.x, s.at.y)) s.flags |= flag_out_of_domain;
}

template <class T>
std::vector<Card> DetectionRun<T>::cards(const ImageFound& found) const {
    const Observation& o = observation_;
    std::vector<Card> cards = common_.provenance();
    cards.insert(cards.end(),
                 {{"INPUT", std::filesystem::path(image_.file).filename().string(), "image"},
                  {"INEXT", std::int64_t(image_.number), "its HDU"},
                  {"INSUM", std::int64_t(image_.datasum), "its DATASUM"},
                  {"MODEL", model_.name, "network"},
                  {"MODELSHA", model_.sha256, "SHA-256 of its file"},
                  {"THRESH", double(model_.procedure.threshold), "score from which a unit is reported"},
                  {"ORIENTS", std::int64_t(model_.procedure.orientations), "orientations the network saw the image in"},
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
    cards.push_back({"DEVICE", device_name(stream_), ""});
    cards.push_back({"PRECISN", std::string(activations_name<T>), "of the network's activations"});
    return cards;
}

template <class T>
CatalogueInfo DetectionRun<T>::info() const {
    const auto& wcs = observation_.wcs;
    return {wcs ? &*wcs : nullptr, observation_.flux_unit, observation_.magnitude_system, image_.number,
            psf_.has_value()};
}

template <class T>
Catalogue DetectionRun<T>::catalogue(const ImageFound& found) const {
    Table table = blends_table(counted(found.rows.blends, found.rows.sources), info());
    if (!observation_.magnitude_system.empty())
        table.cards.push_back({"MAGSYS", observation_.magnitude_system, "of MAG"});
    Catalogue catalogue{cards(found), {std::move(table)}};
    if (psf_) catalogue.tables.push_back(fitted_table(found.rows.sources, *psf_, stars_.psf_error, info()));
    catalogue.tables.push_back(config_table(model_.config));
    return catalogue;
}

template <class T>
CatalogueImage DetectionRun<T>::catalogue_image() const {
    return {image_.header.cards, image_.width, image_.height, info().wcs};
}

template <class T>
std::string DetectionRun<T>::key() const {
    const DetectionOptions& o = options_;
    const ObservationOptions& i = o.image;
    const auto parts = std::tuple(
        version(), commit(), image_.datasum, image_.number, image_.width, image_.height, model_.sha256,
        device_name(stream_), activations_name<T>, model_.procedure.threshold, model_.procedure.orientations,
        i.planes.mask, i.planes.mask_bits, i.planes.weight, i.planes.weight_type, i.exptime, i.exposures, i.gain,
        i.read_noise, i.zeropoint, i.magnitude_system, i.saturate, o.stars.psf.what,
        fmt::format("{}", fmt::join(o.stars.psf.origin, ",")), stars_.psf_blur, stars_.psf_error,
        o.stars.limits.min_snr, o.stars.limits.second_snr, int(o.cosmic_rays), sizeof(Source) + sizeof(Blend));
    return fmt::format("{}", fmt::join(parts, "|"));
}

template class DetectionRun<float>;
template class DetectionRun<bf16>;

std::string found_words(const std::string& image, const FitsPlane& plane, const ImageFound& found) {
    int counts[classes_in_catalogue] = {};
    double expected = 0;
    for (const Blend& b : found.rows.blends) ++counts[b.stars - 1], expected += b.expected_stars();
    return fmt::format(
        "{}: {} blending units in {}x{} px: {} single stars, {} of 2, {} of 3, {} of 4, {} of 5 or more; about {:.0f} "
        "stars. Background {:.4g}, noise {:.3g} per pixel.",
        image, found.rows.blends.size(), plane.width, plane.height, counts[0], counts[1], counts[2], counts[3],
        counts[4], expected, found.sky.background, found.sky.sigma);
}

void warn_of_gaps(const std::string& image, const FitsPlane& plane, const std::string& output, const ImageFound& found,
                  Console& console) {
    if (found.sky.usable == 0)
        console.warn("{}: no row: none of {} pixels is usable (not finite or masked)", image,
                     std::int64_t{plane.width} * plane.height);
    else if (found.sky.estimated)
        console.warn("{}: the noise, {:.4g} per pixel, is estimated from the image itself", image, found.sky.sigma);
    if (found.tiles_done < found.tiles)
        console.warn("{}: partial: stopped after {} of {} tiles", output, found.tiles_done, found.tiles);
    else if (!found.complete)
        console.warn("{}: partial: stopped while stars were fitted, or between plates", output);
    if (found.failed) console.warn("{}: partial: {} plates could not be read", output, found.failed);
}

}  // namespace star
