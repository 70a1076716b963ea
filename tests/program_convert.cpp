// Formats as a user gets them: by suffix or by name, from detect, measure and convert; and what is refused.
#include "io/fits_writer.h"
#include "tests/program_run.h"
#include "tools/text_table.h"

using namespace star;
using namespace star::test;

namespace {

void put_catalogue(const Bench& b) {
    put_tiny_model(b);
    b.must("simulate -q -o field.fits --width 60 --height 50");
    b.must("detect -q field.fits -o found.fits" + tiny);
}

}  // namespace

TEST_CASE("convert: every format, from detect and from what it wrote, holds the same rows") {
    const Bench b;
    put_catalogue(b);
    const Table sources = read_table(b / "found.fits", "SOURCES"), blends = read_table(b / "found.fits", "BLENDS");
    REQUIRE(sources.rows() > 5);
    b.must("detect -q field.fits -o direct.ecsv" + tiny);
    b.must("convert -q found.fits -o later.ecsv");
    b.must("convert -q found.fits -o blends.csv --table BLENDS");
    b.must("convert -q later.ecsv -o again.fits");
    const Table direct = read_text_table(b / "direct.ecsv").table, later = read_text_table(b / "later.ecsv").table,
                csv = read_text_table(b / "blends.csv").table, again = read_table(b / "again.fits", "SOURCES");
    for (const Table* t : {&direct, &later, &again}) {
        REQUIRE(t->columns.size() == sources.columns.size());
        for (const Column& c : sources.columns) {
            CAPTURE(c.name);
            const Column* other = t->find(c.name);
            REQUIRE(other);
            CHECK(other->unit == c.unit);
            CHECK(other->ucd == c.ucd);
            CHECK(other->data.index() == c.data.index());
            const auto u = sources.numbers(c.name), v = t->numbers(c.name);
            REQUIRE(u.size() == v.size());
            for (std::size_t i = 0; i < u.size(); ++i) CHECK((u[i] == v[i] || (u[i] != u[i] && v[i] != v[i])));
        }
    }
    CHECK(csv.rows() == blends.rows());
    CHECK(csv.numbers("X_IMAGE") == blends.numbers("X_IMAGE"));
    CHECK(verified(b, "again.fits").value_or(true));
    b.must("convert -q found.fits -o all.xml");
    const std::string xml = b.get("all.xml");
    CHECK(xml.find("<TABLE name=\"BLENDS\" nrows=\"" + std::to_string(blends.rows())) != std::string::npos);
    CHECK(xml.find("<TABLE name=\"SOURCES\" nrows=\"" + std::to_string(sources.rows())) != std::string::npos);
}

TEST_CASE("convert: LDAC from detect carries the image's header; regions are boxes and stars") {
    const Bench b;
    put_catalogue(b);
    b.must("detect -q field.fits -o found.ldac --regions found.reg" + tiny);
    CHECK(read_table(b / "found.ldac", "LDAC_OBJECTS").find("XPSF_IMAGE"));
    CHECK(read_table(b / "found.ldac", "LDAC_IMHEAD").rows() == 1);
    CHECK(b.get("found.ldac").find("NAXIS1  =                   60") != std::string::npos);
    const std::string regions = b.get("found.reg");
    const auto lines = [&](const char* start) {
        std::size_t n = 0;
        for (std::size_t at = 0; (at = regions.find(std::string("\n") + start, at)) != std::string::npos; ++at) ++n;
        return n;
    };
    CHECK(lines("box(") == read_table(b / "found.fits", "BLENDS").rows());
    CHECK(lines("point(") == read_table(b / "found.fits", "SOURCES").rows());
    b.must("convert -q found.fits -o again.reg");
    CHECK(b.get("again.reg") == regions);
    const Outcome o = b.run("convert found.fits -o again.ldac");
    CHECK(o.code == 0);
    CHECK(o.err.find("--image") != std::string::npos);  // without it there is no WCS, which is said
    b.must("convert -q found.fits -o with.ldac --image field.fits --columns starblend");
    CHECK(read_table(b / "with.ldac", "LDAC_OBJECTS").find("X_IMAGE"));
}

TEST_CASE("convert: keywords that FITS doesn't know stay behind, columns without a name get one") {
    const Bench b;
    Table t;
    t.name = "STARS", t.columns = {{"A", "", "", "", "", std::vector<double>{1, 2}}};
    t.cards = {{"MAGSYS", std::string("AB"), ""}};
    write_tables(b / "good.fits", {}, {t}, false);
    std::string bytes = b.get("good.fits");
    bytes.replace(bytes.find("MAGSYS  ="), 6, "MagSys");
    bytes.replace(bytes.find("TTYPE1  ="), 6, "TITLE1");
    b.put("odd.fits", bytes);
    b.must("convert -q odd.fits -o whole.fits");
    const Table whole = read_table(b / "whole.fits");
    REQUIRE(whole.columns.size() == 1);
    CHECK(whole.columns[0].name == "col1");
    CHECK(whole.numbers("col1") == std::vector<double>{1, 2});
    // of the primary header too, which LDAC keeps as text
    write_tables(b / "good_head.fits", {{"OBSERVER", std::string("E. Hubble"), ""}}, {t}, false);
    bytes = b.get("good_head.fits");
    bytes.replace(bytes.find("OBSERVER"), 8, "EX!ENDED");
    b.put("odd_head.fits", bytes);
    for (const char* format : {"fits", "ldac", "ecsv", "csv", "votable"})
        b.must("convert -q odd_head.fits -o head." + std::string(format) + " --format " + format);
}

TEST_CASE("convert: to standard output, and measure in any format") {
    const Bench b;
    put_catalogue(b);
    b.must("convert -q found.fits -o a.csv --columns sextractor");
    const Outcome o = b.must("convert -q found.fits -o - --format csv --columns sextractor");
    CHECK(o.out == b.get("a.csv"));
    CHECK(o.out.rfind("NUMBER,BLEND_ID,XPSF_IMAGE,", 0) == 0);
    b.must("measure -q field.fits --positions found.fits -o forced.ecsv --model m.safetensors");
    CHECK(read_text_table(b / "forced.ecsv").table.find("LIMIT3"));
}

TEST_CASE("convert: what can't be is refused in one line, with nothing left behind") {
    const Bench b;
    put_catalogue(b);
    b.refused("convert found.fits -o found.parquet", 2, {"found.parquet", ".ecsv", "--format"});
    b.refused("convert found.fits -o a.csv --table STARS", 2, {"STARS", "BLENDS", "SOURCES", "CONFIG"});
    b.refused("convert found.fits -o a.csv --format excel", 2, {"--format", "excel"});
    b.refused("convert found.fits -o found.fits --overwrite", 2, {"found.fits", "input"});
    b.refused("convert absent.fits -o a.csv", 3, {"absent.fits"});
    b.refused("convert field.fits[IMAGE] -o a.csv", 3, {"field.fits"});
    b.refused("convert m.safetensors -o a.csv", 3, {"m.safetensors"});
    std::string wide = "x0";
    for (int i = 1; i < 1000; ++i) wide += ",x" + std::to_string(i);
    b.put("wide.csv", wide + "\n");
    b.refused("convert wide.csv -o wide.fits", 4, {"wide.fits", "1000 columns", "999"});
    b.put("long.csv", std::string(69, 'x') + ",y\n1,2\n");
    b.refused("convert long.csv -o long.fits", 4, {"long.fits", "name of 69 characters"});
    b.refused("convert found.fits -o no/folder.csv", 4, {"no/folder.csv"});
    b.refused("detect field.fits -o found.txt" + tiny, 2, {"found.txt", ".fits"});
    b.put("a.csv", "kept");
    b.refused("convert found.fits -o a.csv", 4, {"a.csv", "--overwrite"});
    CHECK(b.get("a.csv") == "kept");
    b.must("convert -q found.fits -o a.csv --overwrite");
    CHECK(b.get("a.csv") != "kept");
}
