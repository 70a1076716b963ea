// starblend convert: a catalogue in another format.
#include <memory>
#include <optional>

#include "io/fits_image.h"
#include "kernels/check.h"
#include "tools/catalogue_options.h"
#include "tools/catalogue_reader.h"
#include "tools/command.h"

namespace star {
namespace {

struct Options {
    std::string input, image;
    CatalogueOptions output;
};

int convert(const Options& o, const Common& common) {
    common.refuse_configuration("convert");
    Console console = common.console();
    refuse_to_replace({o.output.output}, {o.input, o.image});
    CatalogueWriter out(o.output, common.overwrite);
    ReadCatalogue read = read_catalogue(o.input);
    for (const std::string& what : read.left_out) console.warn("{}: left out: {}", o.input, what);
    CatalogueImage of;
    std::optional<Wcs> wcs;
    if (!o.image.empty()) {
        const star::FitsImage image = read_image(o.image);
        wcs = Wcs::from_header(image.header);
        of = {image.header.cards, image.width, image.height, wcs ? &*wcs : nullptr};
    } else if (catalogue_format(o.output.output, o.output.format) == CatalogueFormat::ldac) {
        console.warn("{}: LDAC_IMHEAD has no WCS: --image names the image whose header it should hold",
                     o.output.output);
    }
    read.catalogue.cards.push_back({"HISTORY", {}, "converted by starblend: " + common.command_line});
    std::size_t rows = 0;
    for (const Table& t : read.catalogue.tables) rows += t.rows();
    const std::size_t tables = read.catalogue.tables.size();
    out.write(std::move(read.catalogue), of);
    console.say("{}: {} rows in {} table{}. Wrote {}", o.input, rows, tables, tables == 1 ? "" : "s", out.words());
    return 0;
}

}  // namespace

Command add_convert(CLI::App& program, Common& common) {
    CLI::App* app = program.add_subcommand("convert", "A catalogue in another format");
    auto o = std::make_shared<Options>();
    app->add_option("catalogue", o->input, "FITS tables (all, or file.fits[EXT]), ECSV, CSV or SExtractor's ASCII_HEAD")
        ->required();
    app->add_option("--image", o->image, "The image it belongs to: its header for LDAC, its WCS for boxes on the sky");
    add_catalogue_options(*app, o->output, "Catalogue");
    return {app, [o, &common] { return convert(*o, common); }};
}

}  // namespace star
