// starblend certify: how complete, how pure and how accurate the catalogue of one's own image is.
#include <algorithm>
#include <cmath>
#include <memory>

#include "kernels/check.h"
#include "tools/catalogue_options.h"
#include "tools/certification.h"
#include "tools/command.h"
#include "tools/image_list.h"

namespace star {
namespace {

struct Options {
    DetectionOptions detection;
    CatalogueOptions catalogue;
    CertificationOptions how;
};

Table complete_table(const Certificate& certificate, const Certification& c, const Observation& o,
                     const CertificationOptions& how) {
    Table t = certificate.table();
    t.cards.insert(
        t.cards.begin(),
        {{"NTRIALS", std::int64_t(std::min(c.done, c.trials)), "detections with artificial stars"},
         {"NTWINS", std::int64_t(std::max(c.done - c.trials, 0)), "of twins: sky, stars found and missed, new noise"},
         {"CERTDONE", c.complete(), "F: interrupted before the last"},
         {"CELL", c.cell, "[pix] one artificial star at a time in each"},
         {"MATCHRAD", c.radius, "[pix] found: within this of its place"},
         {"MATCHMAG", how.magnitude, "[mag] and this of its magnitude"},
         {"CERTSEED", std::int64_t(how.seed), ""},
         {"MAGSYS", o.magnitude_system.empty() ? "instrumental" : o.magnitude_system,
          o.magnitude_system.empty() ? "-2.5 log10 of the flux in image units" : ""}});
    return t;
}

void add_completeness(Table& sources, const Certificate& certificate, const Certification& c,
                      const std::vector<Source>& rows, const Observation& o) {
    std::vector<float> values;
    for (std::size_t i = 0; i < rows.size(); ++i)
        values.push_back(
            c.levels.empty() ? NAN : float(certificate.completeness(magnitude_of(rows[i].at.flux, o), c.levels[i])));
    sources.columns.push_back(
        {"COMPL", "", "completeness for such a star at such a place", "stat.value", "F7.4", values});
}

std::string words_of(double magnitude) {
    return std::isfinite(magnitude) ? fmt::format("{:.2f}", magnitude) : std::string("n/a");
}

std::string words_of(const MagnitudeLimit& m) {
    return fmt::format("{} ({} to {})", words_of(m.value), words_of(m.low), words_of(m.high));
}

void say_certificate(const Certificate& certificate, const Certification& c, Console& console) {
    std::string levels;
    for (int level = 1; level <= levels_certified; ++level)
        levels += (level > 1 ? ", " : "") + words_of(certificate.limit(0.5, level).value);
    console.say(
        "{} artificial stars of {:.2f} to {:.2f} mag: half are found at {} mag; in the darkest, middle and brightest "
        "third of the image {}; 90 % at {}.",
        c.stars.size(), c.magnitudes[0], c.magnitudes[1], words_of(certificate.limit(0.5, 0)), levels,
        words_of(certificate.limit(0.9, 0)));
}

template <class T>
int certify(const Options& o, const Common& common) {
    Console console = common.console();
    const ObservationOptions& of = o.detection.image;
    refuse_to_replace({o.catalogue.output},
                      {of.image, of.planes.mask, of.planes.weight, o.detection.model, o.detection.stars.psf.what});
    const auto no_psf = [&] {
        fail(Fault::usage, of.image, ": no PSF is known, so that no star can be put in; --psf names one");
    };
    if (o.detection.stars.psf.what == "none") no_psf();
    CatalogueWriter out(o.catalogue, common.overwrite);
    common.refuse_configuration("certify");
    const FitsPlane image = describe_image(of.image, true);
    const Model model = choose_model(o.detection, image, console);
    if (common.dump_config) return std::fputs(model.config.c_str(), stdout), 0;
    DetectionRun<T> run(o.detection, image, model, common, console);
    if (!run.psf()) no_psf();

    ImageFound found = run.detect(nullptr, console);
    Certification c;
    if (found.complete) c = star::certify(run, model, image, found, o.how, console);
    run.flag_departures(found, console);
    const Certificate certificate(c.stars, c.twin, c.edges);
    Catalogue catalogue = run.catalogue(found);
    for (Table& t : catalogue.tables)
        if (t.name == "SOURCES") add_completeness(t, certificate, c, found.rows.sources, run.observation());
    if (const MagnitudeLimit half = certificate.limit(0.5, 0); std::isfinite(half.value))
        catalogue.cards.push_back({"M50", half.value, "[mag] half of such stars are found: table COMPLETE"});
    catalogue.tables.insert(catalogue.tables.end() - 1, complete_table(certificate, c, run.observation(), o.how));
    out.write(std::move(catalogue), run.catalogue_image());

    console.say("{} Wrote {}", found_words(of.image, image, found), out.words());
    warn_of_gaps(of.image, image, o.catalogue.output, found, console);
    if (!c.stars.empty()) say_certificate(certificate, c, console);
    if (!found.complete) return interrupt::exit_code();
    if (!c.complete()) {
        console.warn("{}: partial: stopped after {} of {} detections", o.catalogue.output, c.done, c.trials + c.twins);
        return interrupt::exit_code();
    }
    return found.failed ? exit_partial : 0;
}

}  // namespace

Command add_certify(CLI::App& program, Common& common) {
    CLI::App* app = program.add_subcommand(
        "certify", "Detect, then put artificial stars into the image: completeness, purity and biases");
    auto o = std::make_shared<Options>();
    add_detection_options(*app, o->detection);
    add_catalogue_options(*app, o->catalogue, "Catalogue: BLENDS, SOURCES with COMPL, COMPLETE, CONFIG");
    app->add_option("--stars", o->how.stars,
                    "Artificial stars, all trials together; each trial has one in every cell of 10 FWHM a side")
        ->capture_default_str()
        ->check(CLI::Range(1, 10'000'000));
    return {app, [o, &common] {
                return for_each_image(o->detection.image.images, common.console(), [&](const ImageInList& image) {
                    Options one = *o;
                    one.how.seed = common.seed;
                    one.detection.image.image = image.name;
                    one.catalogue.output = image.output(one.catalogue.output);
                    PlaneOptions& planes = one.detection.image.planes;
                    for (std::string* input : {&planes.mask, &planes.weight}) *input = image.input(*input);
                    return with_activations(common, [&]<class T>() { return certify<T>(one, common); });
                });
            }};
}

}  // namespace star
