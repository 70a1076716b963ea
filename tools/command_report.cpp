// starblend report: a catalogue and its image as a page to look at.
#include <filesystem>
#include <memory>
#include <optional>

#include "kernels/check.h"
#include "tools/catalogue_page.h"
#include "tools/catalogue_reader.h"
#include "tools/command.h"
#include "tools/known_psf.h"

namespace star {
namespace {

struct Options {
    std::string catalogue, image, output, psf, model;
    double most_mb = 10;
};

std::string card_of(const std::vector<Card>& cards, const char* key) {
    for (const Card& c : cards)
        if (c.key == key) return to_text(c.value);
    return "";
}

std::string without(const std::string& text, const std::string& start) {
    return text.starts_with(start) ? text.substr(start.size()) : "";
}

// What --psf would be, for the PSF that SOURCES' header says its stars were fitted with; empty if that isn't to be had.
std::string psf_named(const std::string& card) {
    for (const char* kind : {"preset ", "file "})
        if (const std::string name = without(card, kind); !name.empty()) return name;
    return card.starts_with("model ") ? "model" : card.starts_with("measured ") ? "measured" : "";
}

std::optional<double> number_of(const std::vector<Card>& cards, const char* key) {
    for (const Card& card : cards)
        if (const double* v = std::get_if<double>(&card.value); v && card.key == key) return *v;
    return {};
}

// Where in a library of PSFs the image began; empty: none is said.
std::vector<double> origin_of(const std::vector<Card>& cards) {
    const auto x = number_of(cards, "PSFORIGX"), y = number_of(cards, "PSFORIGY");
    return x && y ? std::vector<double>{*x, *y} : std::vector<double>{};
}

// A hostile header's blur is none.
double blur_of(const std::vector<Card>& cards) {
    const double blur = number_of(cards, "PSFBLUR").value_or(0);
    return blur >= Psf::least_blur && blur <= Psf::most_blur ? blur : 0;
}

std::optional<KnownPsf> psf_of(const Options& o, const Catalogue& c, Console& console) {
    std::string wanted = o.psf, model = o.model;
    std::vector<double> origin;
    double blur = 0;
    for (const Table& t : c.tables) {
        if (t.name != "SOURCES" || !wanted.empty()) continue;
        wanted = psf_named(card_of(t.cards, "PSF"));
        origin = origin_of(t.cards), blur = blur_of(t.cards);
    }
    if (wanted.empty() || wanted == "none" || o.image.empty()) return {};
    if (model.empty()) model = card_of(c.cards, "MODEL");
    ObservationOptions image;
    image.image = o.image;
    try {
        auto known = known_psf({wanted, origin}, wanted == "model" ? read_model(model) : Model{}, true, image, console);
        if (known) known->psf = known->psf.blurred(blur);
        return known;
    } catch (const Error& e) {
        if (!o.psf.empty()) throw;
        console.warn("cut-outs have no model and no residual: {} (--psf names a PSF)", e.what());
        return {};
    }
}

int report(const Options& o, const Common& common) {
    common.refuse_configuration("report");
    Console console = common.console();
    refuse_to_replace({o.output}, {o.catalogue, o.image});
    AtomicFile out(o.output, common.overwrite);
    const Catalogue catalogue = read_catalogue(o.catalogue).catalogue;
    std::optional<FitsImage> image;
    std::optional<Wcs> wcs;
    if (!o.image.empty()) image = read_image(o.image), wcs = Wcs::from_header(image->header);
    const auto psf = psf_of(o, catalogue, console);
    const CataloguePage page =
        catalogue_page({std::filesystem::path(o.catalogue).filename().string(), catalogue, image ? &*image : nullptr,
                        wcs ? &*wcs : nullptr, psf ? &psf->psf.middle() : nullptr, psf && psf->psf.varies(),
                        image ? image->text_of("BUNIT").value_or("") : "", std::size_t(o.most_mb * 1e6)});
    out.commit(page.html);
    console.say("{}: {:.1f} MB. {}{} Wrote {}", o.catalogue, double(page.html.size()) / 1e6, page.words,
                psf ? " PSF: " + psf->source + (psf->psf.varies() ? ", in the image's middle." : ".") : "", o.output);
    return 0;
}

}  // namespace

Command add_report(CLI::App& program, Common& common) {
    CLI::App* app = program.add_subcommand("report", "A catalogue and its image as one page of HTML to look at");
    auto o = std::make_shared<Options>();
    app->add_option("catalogue", o->catalogue, "What detect wrote (FITS)")->required();
    app->add_option("image", o->image, "The image; without it, boxes and stars on a blank sheet");
    app->add_option("-o,--output", o->output, "Page (HTML); - for standard output")->required();
    app->add_option(
        "--psf", o->psf,
        "PSF for model and residual: model, measured, a preset, a FITS file, or none (default: the one that the "
        "catalogue names)");
    app->add_option("--model", o->model,
                    "A model file or the name of one built in (default: the one the catalogue names)");
    app->add_option("--max-mb", o->most_mb, "Size of the page; pixels and rows are held to it")
        ->capture_default_str()
        ->check(CLI::Range(0.2, 500.0));
    return {app, [o, &common] { return report(*o, common); }};
}

}  // namespace star
