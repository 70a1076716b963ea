// starblend measure: PSF photometry at places that are given, in any image of the same sky.
#include <cmath>
#include <filesystem>
#include <memory>

#include "io/wcs.h"
#include "kernels/check.h"
#include "tools/catalogue_options.h"
#include "tools/domain.h"
#include "tools/forced_photometry.h"
#include "tools/image_list.h"
#include "tools/observation_options.h"
#include "tools/star_fit.h"

namespace star {
namespace {

struct Options {
    ObservationOptions image;
    StarOptions stars;
    CatalogueOptions catalogue;
    PictureOptions pictures;
    std::string model, positions;
    double moves = 0;
    bool pixels = false;
};

std::vector<Place> read_places(const std::string& name, const Wcs* wcs, bool pixels, Console& console) {
    const ImageName parts = parse_image_name(name);
    const Table t = [&] {
        if (!parts.extension.empty()) return read_table(parts.file, parts.extension);
        try {
            return read_table(parts.file, "SOURCES");
        } catch (const Error& e) {
            if (e.fault != Fault::input) throw;
            return read_table(parts.file);
        }
    }();
    const bool sky = !pixels && wcs && t.find("RA") && t.find("DEC");
    console.say("{}: {} places by {}", name, t.rows(), sky ? "RA and DEC" : "X_IMAGE and Y_IMAGE");
    const auto x = t.numbers(sky ? "RA" : "X_IMAGE"), y = t.numbers(sky ? "DEC" : "Y_IMAGE");
    const auto ids = t.find("SOURCE_ID") ? t.numbers("SOURCE_ID") : std::vector<double>(x.size(), -1);
    const auto blends = t.find("BLEND_ID") ? t.numbers("BLEND_ID") : std::vector<double>(x.size(), 0);
    const auto whole = [](double v, int otherwise) { return v >= 0 && v <= 2147483647 ? int(v) : otherwise; };
    std::vector<Place> places;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const PixelPosition p = sky ? wcs->to_pixel({x[i], y[i]}) : PixelPosition{x[i], y[i]};
        places.push_back(
            {whole(ids[i], int(i) + 1), whole(blends[i], 0), p.x - fits_minus_edge, p.y - fits_minus_edge});
    }
    return places;
}

int measure(const Options& o, const Common& common) {
    Console console = common.console();
    refuse_to_replace(
        {o.catalogue.output, o.pictures.model, o.pictures.residual},
        {o.image.image, o.image.planes.mask, o.image.planes.weight, o.model, o.positions, o.stars.psf.what});
    common.refuse_configuration("measure");
    CatalogueWriter out(o.catalogue, common.overwrite);
    StarPictures pictures(o.pictures, common.overwrite);
    const FitsPlane plane = describe_image(o.image.image, true);
    const Model model = read_model(o.model.empty() ? built_in_model(pixel_scale_of(plane)) : o.model);
    if (common.dump_config) return std::fputs(model.config.c_str(), stdout), 0;
    const std::vector<Plate> plates = plates_of(plane.width, plane.height, model.procedure.core);
    if (plates.size() > 1) pictures.refuse_plates(o.image.image);
    ObservationOptions opened = o.image;
    Observation observation = open_first(opened, plates, model, console);
    const auto wcs = Wcs::from_header(plane.header);
    const std::vector<Place> places = read_places(o.positions, wcs ? &*wcs : nullptr, o.pixels, console);
    auto psf = known_psf(o.stars.psf, model, true, opened, console);
    if (!psf) fail(Fault::usage, "measure: --psf none: nothing to measure with");
    ThreadPool pool(common.threads);
    const StreamOwner stream(Device{}, &pool);
    const Window at = opened.window.value_or(Window{});
    StarOptions how = o.stars;
    settle_psf(how, psf, observation, at.x0, at.y0, console);
    const DetectionPlan plan{o.image, model, how, psf, CosmicRaySetting::off, 0, {}};
    const Forced forced = measure_places(stream, plan, plane, plates, observation, places, o.moves, console);
    if (!forced.usable && forced.complete && !forced.failed)
        console.warn("{}: nothing measured: none of {} pixels is usable", o.image.image,
                     std::int64_t{plane.width} * plane.height);

    std::vector<Card> cards = common.provenance();
    cards.insert(cards.end(), {{"INPUT", std::filesystem::path(plane.file).filename().string(), "image"},
                               {"INEXT", std::int64_t(plane.number), "its HDU"},
                               {"INSUM", std::int64_t(plane.datasum), "its DATASUM"},
                               {"PLACES", std::filesystem::path(o.positions).filename().string(), "list of places"},
                               {"MOVES", o.moves, "[pix] that a star may move along each axis"},
                               {"MODEL", model.name, "whose exposure fills in what the header leaves out"},
                               {"COMPLETE", forced.complete && forced.failed == 0, "F: places are left out"}});
    const CatalogueInfo info{wcs ? &*wcs : nullptr, observation.flux_unit, observation.magnitude_system, plane.number};
    out.write({std::move(cards), {fitted_table(forced.sources, *psf, how.psf_error, info, true)}},
              {plane.header.cards, plane.width, plane.height, info.wcs});
    if (forced.stars) pictures.write(*forced.stars, common.provenance());
    std::size_t significant = 0;
    for (const Source& s : forced.sources) significant += s.at.flux >= 3 * s.error.flux;
    console.say("{}: {} of {} places at 3 sigma or more; PSF: {}, FWHM {:.2f} px. Wrote {}", o.image.image, significant,
                forced.sources.size(), psf->source, psf->psf.middle().fwhm(), out.words());
    if (!forced.complete) {
        console.warn("{}: partial: stopped between plates", o.catalogue.output);
        return interrupt::exit_code();
    }
    if (forced.failed) console.warn("{}: partial: {} plates could not be read", o.catalogue.output, forced.failed);
    return forced.failed ? exit_partial : 0;
}

}  // namespace

Command add_measure(CLI::App& program, Common& common) {
    CLI::App* app = program.add_subcommand("measure", "PSF photometry of a FITS image at given places");
    auto o = std::make_shared<Options>();
    add_observation_options(*app, o->image);
    app->add_option("--positions", o->positions,
                    "FITS table of places: SOURCES or the first; RA and DEC if the image has a WCS, else X_IMAGE and "
                    "Y_IMAGE")
        ->required();
    app->add_flag("--pixels", o->pixels, "X_IMAGE and Y_IMAGE even where RA and DEC could serve");
    add_catalogue_options(*app, o->catalogue, "Catalogue: SOURCES");
    app->add_option("--moves", o->moves, "px along each axis that a star may move; 0: places are fixed")
        ->capture_default_str()
        ->check(CLI::Range(0.0, 3.0));
    app->add_option("--model", o->model,
                    "A model file or the name of one built in: its training's exposure and PSF stand in for what isn't "
                    "said");
    app->add_option(
           "--psf", o->stars.psf.what,
           "PSF of the stars: model (of its training), measured (from this image), a preset or a FITS file of one or "
           "of a library "
           "(default: model)")
        ->default_val("model");
    add_psf_origin_option(*app, o->stars.psf);
    add_psf_fit_options(*app, o->stars);
    add_picture_options(*app, o->pictures);
    return {app, [o, &common] {
                return for_each_image(o->image.images, common.console(), [&](const ImageInList& image) {
                    Options one = *o;
                    one.image.image = image.name;
                    for (std::string* output : {&one.catalogue.output, &one.pictures.model, &one.pictures.residual})
                        *output = image.output(*output);
                    for (std::string* input : {&one.image.planes.mask, &one.image.planes.weight, &one.positions})
                        *input = image.input(*input);
                    return measure(one, common);
                });
            }};
}

}  // namespace star
