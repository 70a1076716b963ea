// starblend match: which rows of two catalogues are one star.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>

#include "kernels/check.h"
#include "tools/catalogue_options.h"
#include "tools/command.h"
#include "tools/matched_lists.h"

namespace star {
namespace {

struct Options {
    std::string a, b, radius, columns_a, columns_b;
    CatalogueOptions output;
    bool all = false;
};

// The rows of a column that the pairs take.
ColumnData taken(const ColumnData& data, const std::vector<std::size_t>& rows) {
    return std::visit(
        [&](const auto& values) -> ColumnData {
            std::decay_t<decltype(values)> chosen;
            for (const std::size_t i : rows) chosen.push_back(values[i]);
            return chosen;
        },
        data);
}

// Both catalogues' columns side by side; a name that both have gets _1 and _2.
Table joined(const Table& a, const Table& b, const MatchedLists& m) {
    Table t;
    t.name = "MATCH";
    std::vector<std::size_t> rows_a, rows_b;
    std::vector<double> apart;
    for (const MatchedPair& p : m.pairs)
        rows_a.push_back(std::size_t(p.a)), rows_b.push_back(std::size_t(p.b)), apart.push_back(p.distance);
    const auto add = [&](const Table& from, const Table& other, const char* suffix, const auto& rows) {
        for (const Column& c : from.columns) {
            Column taken_column{c.name, c.unit, c.comment, c.ucd, c.format, taken(c.data, rows)};
            if (other.find(c.name)) taken_column.name += suffix;
            if (const std::size_t main = taken_column.ucd.find(";meta.main"); main != std::string::npos)
                taken_column.ucd.erase(main, 10);  // there may be one in a table, and two came
            t.columns.push_back(std::move(taken_column));
        }
    };
    add(a, b, "_1", rows_a), add(b, a, "_2", rows_b);
    t.columns.push_back({"SEPARATION", m.radius.sky ? "arcsec" : "pix", "between the two places",
                         m.radius.sky ? "pos.angDistance" : "pos.cartesian;arith.diff", "F9.4", apart});
    return t;
}

int match(const Options& o, const Common& common) {
    common.refuse_configuration("match");
    Console console = common.console();
    const bool wanted = !o.output.output.empty();
    refuse_to_replace({o.output.output}, {o.a, o.b});
    const MatchRadius radius = parse_radius(o.radius);
    std::optional<CatalogueWriter> out;
    if (wanted) out.emplace(o.output, common.overwrite);
    const PlacedList a = read_placed_list(o.a, {parse_columns(o.columns_a)}, radius.sky),
                     b = read_placed_list(o.b, {parse_columns(o.columns_b)}, radius.sky);
    const MatchedLists m = match_lists(a, b, radius, o.all);
    const std::string text = match_text(a, b, m);
    if (o.output.output != "-") std::fputs(text.c_str(), stdout);
    if (!out) return 0;
    std::vector<Card> cards = common.provenance();
    const auto name = [](const std::string& file) { return std::filesystem::path(file).filename().string(); };
    cards.insert(cards.end(), {{"CAT1", name(o.a), "first catalogue"},
                               {"CAT2", name(o.b), "second catalogue"},
                               {"RADIUS", radius.value, radius.sky ? "[arcsec]" : "[pix]"},
                               {"CHANCE1", m.chance_of_a(), "share of the first's rows that chance matches"},
                               {"CHANCE2", m.chance_of_b(), "of the second's"}});
    out->write({std::move(cards), {joined(a.from.table, b.from.table, m)}}, {});
    console.say("Wrote {}", out->words());
    return 0;
}

}  // namespace

Command add_match(CLI::App& program, Common& common) {
    CLI::App* app = program.add_subcommand(
        "match", "Which rows of two catalogues are one star; how far apart, and how many by chance");
    auto o = std::make_shared<Options>();
    app->add_option("first", o->a, "A catalogue: FITS (file.fits[EXT]), ECSV, CSV, SExtractor's ASCII_HEAD")
        ->required();
    app->add_option("second", o->b, "Another one")->required();
    app->add_option("--radius", o->radius,
                    "How far a match may lie: 1.5px by X and Y, 0.3arcsec or 120mas by RA and DEC")
        ->required();
    app->add_flag("--all", o->all, "All pairs within the radius, not only one to one");
    app->add_option("--columns-a", o->columns_a, "Columns of the first: x=NAME,y=NAME,ra=NAME,dec=NAME,mag=NAME");
    app->add_option("--columns-b", o->columns_b, "Columns of the second");
    add_catalogue_options(*app, o->output, "Also write the pairs, a row each with the columns of both");
    app->get_option("--output")->required(false);
    return {app, [o, &common] { return match(*o, common); }};
}

}  // namespace star
