// starblend compare: what two catalogues of one field agree on.
#include <filesystem>
#include <memory>
#include <optional>

#include "io/atomic_file.h"
#include "io/fits_hdu.h"
#include "kernels/check.h"
#include "tools/command.h"
#include "tools/comparison.h"

namespace star {
namespace {

struct Options {
    std::string a, b, radius, columns_a, columns_b, json, html;
};

// A file that is refused now if it can't be, and written once all is known.
std::optional<AtomicFile> output(const std::string& path, const Options& o, bool overwrite) {
    if (path.empty()) return {};
    for (const std::string& input : {o.a, o.b}) {
        std::error_code none;
        if (std::filesystem::equivalent(path, parse_image_name(input).file, none))
            fail(Fault::usage, path, ": is an input of this run");
    }
    return std::optional<AtomicFile>(std::in_place, path, overwrite);
}

int compare(const Options& o, const Common& common) {
    common.refuse_configuration("compare");
    const MatchRadius radius = parse_radius(o.radius);
    if (!o.json.empty() && o.json == o.html) fail(Fault::usage, o.json, ": is named for two outputs");
    auto json = output(o.json, o, common.overwrite), html = output(o.html, o, common.overwrite);
    const PlacedList a = read_placed_list(o.a, {parse_columns(o.columns_a)}, radius.sky),
                     b = read_placed_list(o.b, {parse_columns(o.columns_b)}, radius.sky);
    const Comparison c = compare_lists(a, b, match_lists(a, b, radius, false));
    if (o.json != "-" && o.html != "-") std::fputs(c.text().c_str(), stdout);
    if (json) json->commit(c.json());
    if (html) html->commit(c.html());
    return 0;
}

}  // namespace

Command add_compare(CLI::App& program, Common& common) {
    CLI::App* app = program.add_subcommand(
        "compare", "Two catalogues of one field: differences of magnitude and place, completeness, colours");
    auto o = std::make_shared<Options>();
    app->add_option("first", o->a, "A catalogue: FITS (file.fits[EXT]), ECSV, CSV, SExtractor's ASCII_HEAD")
        ->required();
    app->add_option("second", o->b, "Another one, of the same or of another band")->required();
    app->add_option("--radius", o->radius,
                    "How far a match may lie: 1.5px by X and Y, 0.3arcsec or 120mas by RA and DEC")
        ->required();
    app->add_option("--columns-a", o->columns_a,
                    "Columns of the first: x=NAME,y=NAME,ra=NAME,dec=NAME,mag=NAME,magerr=NAME");
    app->add_option("--columns-b", o->columns_b, "Columns of the second");
    app->add_option("--json", o->json, "Write the numbers as JSON to this file too");
    app->add_option("--html", o->html, "Write them as a page with plots too");
    return {app, [o, &common] { return compare(*o, common); }};
}

}  // namespace star
