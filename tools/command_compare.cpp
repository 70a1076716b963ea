// starblend compare: what two catalogues of one field agree on.
#include <memory>
#include <optional>

#include "io/atomic_file.h"
#include "kernels/check.h"
#include "tools/command.h"
#include "tools/comparison.h"

namespace star {
namespace {

struct Options {
    std::string a, b, radius, columns_a, columns_b, json, html;
};

int compare(const Options& o, const Common& common) {
    common.refuse_configuration("compare");
    const MatchRadius radius = parse_radius(o.radius);
    if (!o.json.empty() && o.json == o.html) fail(Fault::usage, o.json, ": is named for two outputs");
    refuse_to_replace({o.json, o.html}, {o.a, o.b});
    std::optional<AtomicFile> json, html;  // refused now if they can't be
    if (!o.json.empty()) json.emplace(o.json, common.overwrite);
    if (!o.html.empty()) html.emplace(o.html, common.overwrite);
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
