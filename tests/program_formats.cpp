// What catalogues look like in each format, and that what is read back is what was written. Catalogues of the program
// in these formats have been read by astropy 8 (ECSV, CSV, VOTable in its strictest mode), stilts votlint 3.4,
// astropy's regions 0.12 and SCAMP 2.10.
#include <cmath>
#include <cstdio>
#include <limits>

#include "io/fits_table.h"
#include "tests/program_run.h"
#include "tools/catalogue_columns.h"
#include "tools/catalogue_reader.h"
#include "tools/catalogue_regions.h"
#include "tools/catalogue_sextractor.h"
#include "tools/catalogue_text.h"
#include "tools/catalogue_votable.h"
#include "tools/ecsv_header.h"
#include "tools/text_table.h"

using namespace star;
using namespace star::test;

namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

Catalogue two_tables() {
    Table b, s;
    b.name = "BLENDS";
    b.columns = {{"BLEND_ID", "", "number", "meta.id;meta.main", "I8", std::vector<std::int32_t>{1, 2}},
                 {"XMIN_IMAGE", "pix", "left", "pos.cartesian.x;stat.min", "F10.3", std::vector<double>{10.25, 1}},
                 {"YMIN_IMAGE", "pix", "", "", "F10.3", std::vector<double>{20.5, 2}},
                 {"XMAX_IMAGE", "pix", "", "", "F10.3", std::vector<double>{14.75, 6}},
                 {"YMAX_IMAGE", "pix", "", "", "F10.3", std::vector<double>{25, 7}},
                 {"NSTARS", "", "", "meta.number", "I4", std::vector<std::int32_t>{2, 5}},
                 {"P1", "", "", "stat.probability", "F6.4", std::vector<float>{0.1f, 1}}};
    s.name = "SOURCES";
    s.cards = {{"RADESYS", std::string("ICRS"), "of RA and DEC"}, {"CHI2LIM", 1e-05, ""}};
    s.columns = {{"SOURCE_ID", "", "", "meta.id;meta.main", "I8", std::vector<std::int32_t>{1, 2, 3}},
                 {"BLEND_ID", "", "", "meta.id.parent", "I8", std::vector<std::int32_t>{1, 2, 0}},
                 {"X_IMAGE", "pix", "", "pos.cartesian.x", "F10.4", std::vector<double>{12.1, 3, 40}},
                 {"Y_IMAGE", "pix", "", "pos.cartesian.y", "F10.4", std::vector<double>{22.2, 4, 41}},
                 {"ERRX_IMAGE", "pix", "", "", "F8.4", std::vector<float>{0.5f, 0.25f, 1}},
                 {"ERRY_IMAGE", "pix", "", "", "F8.4", std::vector<float>{0.25f, 0.5f, 1}},
                 {"RA", "deg", "", "pos.eq.ra;meta.main", "F13.8", std::vector<double>{11.5, 1.0 / 3, 359.99999999}},
                 {"DEC", "deg", "", "pos.eq.dec;meta.main", "F13.8", std::vector<double>{41.5, -1e-7, -89}},
                 {"MAG_PSF", "mag", "it's \"so\": <1>", "phot.mag", "F8.4", std::vector<double>{24.125, unknown, 20}}};
    return {{{"CREATOR", std::string("a \"b\" <c>"), ""},
             {"GOOD", true, ""},
             {"HISTORY", {}, "one"},
             {"HISTORY", {}, "two"}},
            {b, s}};
}

template <class T>
const std::vector<T>& values(const Table& t, const char* name) {
    const Column* c = t.find(name);
    REQUIRE(c);
    REQUIRE(std::holds_alternative<std::vector<T>>(c->data));
    return std::get<std::vector<T>>(c->data);
}

void check_equal(const Table& a, const Table& b) {
    REQUIRE(a.columns.size() == b.columns.size());
    for (std::size_t i = 0; i < a.columns.size(); ++i) {
        const Column &x = a.columns[i], &y = b.columns[i];
        CAPTURE(x.name);
        CHECK(x.name == y.name);
        CHECK(x.unit == y.unit);
        CHECK(x.comment == y.comment);
        CHECK(x.ucd == y.ucd);
        REQUIRE(x.data.index() == y.data.index());
        if (std::holds_alternative<std::vector<std::string>>(x.data)) {
            CHECK(x.data == y.data);
            continue;
        }
        const auto u = a.numbers(x.name), v = b.numbers(x.name);
        for (std::size_t k = 0; k < u.size(); ++k) CHECK((u[k] == v[k] || (std::isnan(u[k]) && std::isnan(v[k]))));
    }
}

}  // namespace

TEST_CASE("formats: ECSV as astropy writes it, and back with types, units, words and cards") {
    const Catalogue c = two_tables();
    const std::string text = ecsv_text(c.tables[1], c.cards);
    CHECK(text.starts_with(
        "# %ECSV 1.0\n# ---\n# delimiter: ' '\n# datatype:\n# - {name: \"SOURCE_ID\", datatype: int32, "
        "format: \"%8d\", meta: {ucd: \"meta.id;meta.main\"}}\n"));
    CHECK(text.find("# - {name: \"MAG_PSF\", unit: \"mag\", datatype: float64, format: \"%8.4f\", description: \"it's "
                    "\\\"so\\\": <1>\", meta: {ucd: \"phot.mag\"}}\n") != std::string::npos);
    CHECK(text.find("# - {\"HISTORY\": [\"one\", \"two\"]}\n") != std::string::npos);
    CHECK(text.find("# - {\"CHI2LIM\": 1.0e-05}\n") != std::string::npos);  // YAML 1.1: 1e-05 is a text
    CHECK(text.find("\n2 2 3 4 0.25 0.5 0.3333333333333333 -1e-07 nan\n") != std::string::npos);
    const Folder f;
    f.put("t.ecsv", text);
    const TextTable back = read_text_table(f / "t.ecsv");
    CHECK(back.format == TextFormat::ecsv);
    CHECK(back.table.name == "SOURCES");
    check_equal(c.tables[1], back.table);
    const auto card = [&](const char* key) {
        for (const Card& k : back.table.cards)
            if (k.key == key) return k.value;
        return CardValue{};
    };
    CHECK(card("CREATOR") == CardValue{std::string("a \"b\" <c>")});
    CHECK(card("GOOD") == CardValue{true});
    CHECK(card("CHI2LIM") == CardValue{1e-05});
}

TEST_CASE("formats: ECSV of other writers: folded lines, plain words, texts, empty cells") {
    const Folder f;
    // As astropy 6 writes QTable([...], names=['ra', 'n', 'who', 'ok', 'f']) with a long description.
    f.put("t.ecsv",
          "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: ra, unit: deg, datatype: float64, description: 'a long, long\n"
          "#     description: it''s folded'}\n# - {name: n, datatype: int64}\n# - {name: who, datatype: string, meta: "
          "!!omap [{ucd: meta.id}]}\n# - {name: ok, datatype: bool}\n# - {name: f, unit: 1 / s, datatype: float32}\n"
          "# meta: !!omap\n# - {OBS: 12}\n# - __serialized_columns__: {}\n# schema: astropy-2.0\n"
          "ra n who ok f\n1.5 7 \"a b\" True 0.1\n\"\" 9007199254740993 x False nan\n");
    const Table t = read_text_table(f / "t.ecsv").table;
    CHECK(t.find("ra")->comment == "a long, long description: it's folded");
    CHECK(t.find("ra")->unit == "deg");
    CHECK(std::isnan(values<double>(t, "ra")[1]));
    CHECK(values<std::int64_t>(t, "n")[1] == 9007199254740993);  // 2^53 + 1: no double holds it
    CHECK(values<std::string>(t, "who") == std::vector<std::string>{"a b", "x"});
    CHECK(t.find("who")->ucd == "meta.id");
    CHECK(values<std::int32_t>(t, "ok") == std::vector<std::int32_t>{1, 0});
    CHECK(values<float>(t, "f")[0] == 0.1f);
    CHECK(t.find("f")->unit == "1 / s");
    REQUIRE(t.cards.size() == 1);
    CHECK(t.cards[0].value == CardValue{std::int64_t{12}});
}

TEST_CASE("formats: a broken ECSV header is one clear line") {
    const Folder f;
    const auto refusal = [&](const std::string& header, const std::string& rest = "a\n1\n") {
        f.put("t.ecsv", "# %ECSV 1.0\n" + header + rest);
        CHECK(fault([&] { read_text_table(f / "t.ecsv"); }) == Fault::input);
        return message([&] { read_text_table(f / "t.ecsv"); });
    };
    for (const char* header :
         {"# datatype:\n# - {name: a, datatype\n", "# datatype:\n# - {name: \"a\n",
          "# datatype:\n# - {name: a, meta: {b: [\n", "# datatype:\n# - {]}\n", "# datatype:\n# - {name: 'a\\\n"})
        CHECK(refusal(header).find("t.ecsv: the header is not ECSV's YAML") != std::string::npos);
    CHECK(refusal("# meta: !!omap\n").find("no columns under datatype") != std::string::npos);
    CHECK(refusal("# datatype:\n# - {unit: pix}\n").find("has no name") != std::string::npos);
    CHECK(refusal("# datatype:\n# - {name: b}\n").find("the header calls it b") != std::string::npos);
    CHECK(refusal("# datatype:\n# - {name: a}\n# - {name: b}\n").find("1 names, but the header has 2") !=
          std::string::npos);
}

TEST_CASE("formats: CSV, with nothing where nothing is known") {
    Table t;
    t.columns = {{"A", "", "", "", "", std::vector<double>{0.1, unknown, -1e300}},
                 {"B,C", "", "", "", "", std::vector<std::string>{"x", "say \"no\"", "a,b"}},
                 {"D", "", "", "", "", std::vector<std::int64_t>{1, -9007199254740993, 3}}};
    CHECK(csv_text(t) == "A,\"B,C\",D\n0.1,x,1\n,\"say \"\"no\"\"\",-9007199254740993\n-1e+300,\"a,b\",3\n");
    const Folder f;
    f.put("t.csv", csv_text(t));
    const Table back = read_text_table(f / "t.csv").table;
    CHECK(back.numbers("A")[0] == 0.1);
    CHECK(std::isnan(back.numbers("A")[1]));
    CHECK(values<std::string>(back, "B,C") == values<std::string>(t, "B,C"));
    CHECK(values<std::int64_t>(back, "D")[1] == -9007199254740993);
}

TEST_CASE("formats: VOTable") {
    const std::string xml = votable_text(two_tables());
    for (const char* part :
         {"<VOTABLE version=\"1.4\" xmlns=\"http://www.ivoa.net/xml/VOTable/v1.3\">",
          "<COOSYS ID=\"SOURCES.frame\" system=\"ICRS\"/>",
          "<INFO name=\"CREATOR\" value=\"a &quot;b&quot; &lt;c&gt;\"/>", "<TABLE name=\"BLENDS\" nrows=\"2\">",
          "<FIELD name=\"RA\" datatype=\"double\" unit=\"deg\" ucd=\"pos.eq.ra;meta.main\" "
          "ref=\"SOURCES.frame\" width=\"13\" precision=\"F8\"><VALUES><MIN value=\"0\"/><MAX "
          "value=\"360\"/></VALUES></FIELD>",
          "<FIELD name=\"P1\" datatype=\"float\" ucd=\"stat.probability\" width=\"6\" "
          "precision=\"F4\"><VALUES><MIN value=\"0\"/><MAX value=\"1\"/></VALUES></FIELD>",
          "<DESCRIPTION>it's &quot;so&quot;: &lt;1&gt;</DESCRIPTION>",
          "<TR><TD>2</TD><TD>2</TD><TD>3</TD><TD>4</TD><TD>0.25</TD><TD>0.5</TD><TD>0.3333333333333333</TD><TD>-1e-07</"
          "TD><TD>NaN</TD></TR>"}) {
        CAPTURE(part);
        CHECK(xml.find(part) != std::string::npos);
    }
    // Every element that is opened is closed, in order.
    std::vector<std::string> open;
    for (std::size_t at = xml.find("?>") + 2; (at = xml.find('<', at)) != std::string::npos; ++at) {
        const std::size_t end = xml.find('>', at), name_end = xml.find_first_of(" >/", at + 1);
        if (xml[at + 1] == '/') {
            REQUIRE(!open.empty());
            CHECK(open.back() == xml.substr(at + 2, end - at - 2));
            open.pop_back();
        } else if (xml[end - 1] != '/') {
            open.push_back(xml.substr(at + 1, name_end - at - 1));
        }
    }
    CHECK(open.empty());
}

TEST_CASE("formats: regions in pixels and on the sky") {
    Catalogue c = two_tables();
    CHECK(regions_text(c, false, nullptr) ==
          "# Region file format: DS9 version 4.1\nimage\n"
          "box(12.500,22.750,4.500,4.500,0) # color=cyan text={2} tag={units}\n"
          "box(3.500,4.500,5.000,5.000,0) # color=red text={5+} tag={units}\n"
          "point(12.100,22.200) # point=cross 6 color=cyan tag={stars}\n"
          "point(3.000,4.000) # point=cross 6 color=red tag={stars}\n"
          "point(40.000,41.000) # point=cross 6 color=white tag={stars}\n");
    CHECK(message([&] { regions_text(c, true, nullptr); }).find("--image") != std::string::npos);
    const FitsHeader header{"h",
                            {{"CTYPE1", std::string("RA---TAN"), ""},
                             {"CTYPE2", std::string("DEC--TAN"), ""},
                             {"CRPIX1", 10.0, ""},
                             {"CRPIX2", 20.0, ""},
                             {"CRVAL1", 180.0, ""},
                             {"CRVAL2", 0.0, ""},
                             {"CDELT1", -0.01, ""},
                             {"CDELT2", 0.01, ""}}};
    const auto wcs = Wcs::from_header(header);
    REQUIRE(wcs);
    const std::string sky = regions_text(c, true, &*wcs);
    CHECK(sky.find("\nicrs\n") != std::string::npos);
    // A tangent plane departs from a flat one by at most the offset, 0.05 deg, times its square in radians, 7.6e-7,
    // twice; and 8 decimals are written.
    double x[4], y[4];
    REQUIRE(std::sscanf(sky.c_str() + sky.find("polygon("), "polygon(%lf,%lf,%lf,%lf,%lf,%lf,%lf,%lf)", &x[0], &y[0],
                        &x[1], &y[1], &x[2], &y[2], &x[3], &y[3]) == 8);
    const double across[] = {179.9975, 179.9525, 179.9525, 179.9975}, up[] = {0.005, 0.005, 0.05, 0.05};
    for (int k = 0; k < 4; ++k) {
        CHECK(std::abs(x[k] - across[k]) < 0.05 * 2 * 7.6e-7 + 0.5e-8);
        CHECK(std::abs(y[k] - up[k]) < 0.05 * 2 * 7.6e-7 + 0.5e-8);
    }
    CHECK(sky.find("point(0.33333333,-0.00000010)") != std::string::npos);
    c.tables.resize(1);
    c.tables[0].name = "OTHER";
    CHECK(message([&] { regions_text(c, false, nullptr); }).find("OTHER has no X_IMAGE") != std::string::npos);
}

TEST_CASE("formats: SExtractor's names for the same quantities") {
    const Catalogue c = two_tables();
    const Table s = with_sextractor_names(c.tables[1]), b = with_sextractor_names(c.tables[0]);
    std::string names;
    for (const Column& column : s.columns) names += column.name + " ";
    CHECK(names ==
          "NUMBER BLEND_ID XPSF_IMAGE YPSF_IMAGE ERRAPSF_IMAGE ERRBPSF_IMAGE ERRTHETAPSF_IMAGE ALPHAPSF_SKY "
          "DELTAPSF_SKY MAG_PSF ");
    CHECK(values<float>(s, "ERRAPSF_IMAGE") == std::vector<float>{0.5f, 0.5f, 1});
    CHECK(values<float>(s, "ERRBPSF_IMAGE") == std::vector<float>{0.25f, 0.25f, 1});
    CHECK(values<float>(s, "ERRTHETAPSF_IMAGE") == std::vector<float>{0, 90, 0});
    CHECK(s.find("XPSF_IMAGE")->unit == "pixel");
    // 10.25 ... 14.75 holds the centres of the pixels 11 ... 14.
    CHECK(values<std::int32_t>(b, "XMIN_IMAGE") == std::vector<std::int32_t>{11, 1});
    CHECK(values<std::int32_t>(b, "XMAX_IMAGE") == std::vector<std::int32_t>{14, 6});
}

TEST_CASE("formats: FITS_LDAC holds the whole header, however long") {
    const Folder f;
    CatalogueImage image{
        {{"OBJECT", std::string("M31"), ""}, {"CRPIX1", 10.5, ""}, {"BITPIX", std::int64_t{16}, ""}}, 64, 48, nullptr};
    for (int i = 0; i < 500; ++i) image.cards.push_back({"HISTORY", {}, "line " + std::to_string(i)});
    CatalogueWriter({f / "t.ldac", "", "", "", ""}, false).write(two_tables(), image);
    const Table objects = read_table(f / "t.ldac", "LDAC_OBJECTS");
    const std::string bytes = f.get("t.ldac");
    const std::size_t start = bytes.find("SIMPLE  =", 80), end = bytes.find("END" + std::string(77, ' '), start);
    REQUIRE(start != std::string::npos);
    CHECK(start % 2880 == 0);  // the first byte of LDAC_IMHEAD's one row
    REQUIRE((end - start) % 80 == 0);
    const FitsHeader cards = parse_header(bytes.substr(start, end - start), "t");
    CHECK(bytes.find("NAXIS1  = " + std::string(15, ' ') + std::to_string(end - start + 80)) != std::string::npos);
    CHECK(cards.integer("NAXIS1") == 64);
    CHECK(cards.integer("NAXIS2") == 48);
    CHECK(cards.text("OBJECT") == "M31");
    CHECK(cards.number("CRPIX1") == 10.5);
    CHECK(std::count_if(cards.cards.begin(), cards.cards.end(), [](const Card& c) { return c.key == "HISTORY"; }) ==
          502);
    CHECK(f.get("t.ldac").find("TDIM1   = '(80,5") != std::string::npos);
    CHECK(objects.rows() == 3);
    CHECK(objects.find("XPSF_IMAGE"));  // SCAMP and PSFEx know no other names
    CHECK(read_any_table(f / "t.ldac").sextractor);
}
