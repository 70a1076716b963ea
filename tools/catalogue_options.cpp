// How a catalogue is written, in words for --help.
#include "tools/catalogue_options.h"

namespace star {

void add_catalogue_options(CLI::App& app, CatalogueOptions& o, const std::string& what) {
    const auto group = "Output";
    app.add_option("-o,--output", o.output,
                   what +
                       "; by its suffix FITS (.fits), FITS_LDAC (.ldac), ECSV (.ecsv), CSV (.csv), VOTable (.vot, "
                       ".xml) or regions for DS9 (.reg); - for standard output")
        ->required()
        ->group(group);
    app.add_option("--format", o.format, "Format, whatever the suffix")
        ->check(CLI::IsMember(catalogue_format_names()))
        ->group(group);
    app.add_option("--table", o.table,
                   "For formats of one table (LDAC, ECSV, CSV): which (default: SOURCES, else BLENDS, else the first)")
        ->group(group);
    app.add_option("--columns", o.names, "Names of columns: ours, or SExtractor's for what is the same quantity")
        ->check(CLI::IsMember({"starblend", "sextractor"}))
        ->default_str("sextractor in LDAC, else starblend")
        ->group(group);
    app.add_option("--regions-in", o.regions, "Coordinates of regions: image (px) or sky (RA and DEC)")
        ->check(CLI::IsMember({"image", "sky"}))
        ->default_str("image")
        ->group(group);
}

}  // namespace star
