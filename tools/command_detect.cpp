// starblend detect: an image in, a catalogue of blending units and of their stars out.
#include <algorithm>
#include <memory>
#include <optional>

#include "kernels/check.h"
#include "tools/catalogue_options.h"
#include "tools/command.h"
#include "tools/detection_run.h"
#include "tools/image_list.h"

namespace star {
namespace {

struct Options {
    DetectionOptions detection;
    CatalogueOptions catalogue;
    PictureOptions pictures;
    std::string regions;
    bool resume = false;
};

void check_outputs(const Options& o) {
    const ObservationOptions& image = o.detection.image;
    std::vector<std::string> outputs{o.catalogue.output, o.regions, o.pictures.model, o.pictures.residual};
    refuse_to_replace(
        outputs, {image.image, image.planes.mask, image.planes.weight, o.detection.model, o.detection.stars.psf.what});
    std::erase(outputs, "");
    std::sort(outputs.begin(), outputs.end());
    if (const auto twice = std::adjacent_find(outputs.begin(), outputs.end()); twice != outputs.end())
        fail(Fault::usage, *twice, ": is named for two outputs");
}

template <class T>
int detect(const Options& o, const Common& common) {
    Console console = common.console();
    const std::string& name = o.detection.image.image;
    check_outputs(o);
    // Before the work, so that an output that can't be is known at once. A run that goes on replaces its own part.
    const bool replace = common.overwrite || o.resume;
    CatalogueWriter out(o.catalogue, replace);
    std::optional<CatalogueWriter> regions;
    if (!o.regions.empty()) regions.emplace(CatalogueOptions{o.regions, "reg", "", "", o.catalogue.regions}, replace);
    StarPictures pictures(o.pictures, replace);
    common.refuse_configuration("detect");
    const FitsPlane image = describe_image(name, true);
    const Model model = choose_model(o.detection, image, console);
    if (common.dump_config) return std::fputs(model.config.c_str(), stdout), 0;
    DetectionRun<T> run(o.detection, image, model, common, console);
    if (run.in_plates()) pictures.refuse_plates(name);
    if (!run.psf()) pictures.refuse();
    std::optional<ProgressFile> progress;
    if (run.in_plates() && o.catalogue.output != "-") progress.emplace(o.catalogue.output, run.key(), o.resume);
    ImageFound found = run.detect(progress ? &*progress : nullptr, console);
    run.flag_departures(found, console);

    Catalogue catalogue = run.catalogue(found);
    if (regions) regions->write(catalogue, run.catalogue_image());
    out.write(std::move(catalogue), run.catalogue_image());
    if (found.stars) pictures.write(*found.stars, common.provenance());
    if (progress && found.complete && found.failed == 0) progress->remove();
    console.say("{} Wrote {}{}{}", found_words(name, image, found), out.words(), o.regions.empty() ? "" : " and ",
                o.regions);
    warn_of_gaps(name, image, o.catalogue.output, found, console);
    if (!found.complete) return interrupt::exit_code();
    return found.failed ? exit_partial : 0;
}

}  // namespace

Command add_detect(CLI::App& program, Common& common) {
    CLI::App* app = program.add_subcommand("detect", "Find the blending units in a FITS image, and the stars in them");
    auto o = std::make_shared<Options>();
    add_detection_options(*app, o->detection);
    add_catalogue_options(*app, o->catalogue, "Catalogue: BLENDS, SOURCES, CONFIG");
    add_picture_options(*app, o->pictures);
    app->add_option("--regions", o->regions, "Also write boxes and stars as regions for DS9");
    app->add_flag("--resume", o->resume,
                  "Go on with an image of several plates where OUTPUT.progress ends; the bits are those of one run");
    return {app, [o, &common] {
                return for_each_image(o->detection.image.images, common.console(), [&](const ImageInList& image) {
                    Options one = *o;
                    one.detection.image.image = image.name;
                    for (std::string* output :
                         {&one.catalogue.output, &one.regions, &one.pictures.model, &one.pictures.residual})
                        *output = image.output(*output);
                    PlaneOptions& planes = one.detection.image.planes;
                    for (std::string* input : {&planes.mask, &planes.weight}) *input = image.input(*input);
                    return with_activations(common, [&]<class T>() { return detect<T>(one, common); });
                });
            }};
}

}  // namespace star
