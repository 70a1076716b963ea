// The whole road, as a user walks it: simulate, train, detect, evaluate, info; and what must not change a result.
#include <cmath>

#include "io/fits_image.h"
#include "io/fits_writer.h"
#include "tests/program_run.h"
#include "tests/skip.h"
#include "tools/catalogue.h"

using namespace star;
using namespace star::test;

TEST_CASE("road: simulate, detect, evaluate, info") {
    const Bench b;
    put_tiny_model(b);
    b.must("simulate -q -o field.fits --width 150 --height 100");
    b.must("detect -q field.fits -o found.fits --regions found.reg" + tiny);
    const std::size_t rows = read_blends(b / "found.fits").size();
    CHECK(rows > 50);
    const std::string regions = b.get("found.reg");
    const std::size_t stars = read_table(b / "found.fits", "SOURCES").rows();
    CHECK(std::size_t(std::count(regions.begin(), regions.end(), '\n')) == rows + stars + 2);  // of a head
    const Outcome scores = b.must("evaluate found.fits --truth field.fits --json scores.json");
    CHECK(scores.out.find("By box") != std::string::npos);
    CHECK(b.get("scores.json").find("\"by_centre\"") != std::string::npos);
    b.must("evaluate -q --model m.safetensors --fields 2 --side 64");
    CHECK(b.must("info field.fits").out.find("UNITS") != std::string::npos);
    CHECK(b.must("info found.fits").out.find("BLENDS") != std::string::npos);
    CHECK(b.must("info m.safetensors").out.find("parameters") != std::string::npos);
    CHECK(b.must("info --flags 6").out.find("saturated") != std::string::npos);
    const std::string found = b.get("found.fits");
    for (const char* card : {"CREATOR", "MODELSHA", "DATASUM", "CHECKSUM", "THRESH", "INSUM", "COMPLETE"})
        CHECK(found.find(card) != std::string::npos);
}

TEST_CASE("road: the network computes in what --precision says") {
    const Bench b;
    put_tiny_model(b);
    b.must("simulate -q -o field.fits --width 150 --height 100");
    const auto precision = [&](const std::string& options) {
        b.must("detect -q field.fits -o found.fits --overwrite" + tiny + options);
        const std::string found = b.get("found.fits"), key = "PRECISN = '";
        const std::size_t at = found.find(key);
        return at == std::string::npos ? "" : found.substr(at + key.size(), 5);
    };
    CHECK(precision("--precision float --device cpu") == "float");
    const auto exact = read_blends(b / "found.fits");
    CHECK(precision("--precision bf16 --device cpu") == "bf16 ");
    const auto rounded = read_blends(b / "found.fits");
    CHECK(precision("--device cpu") == "float");
    CHECK(read_blends(b / "found.fits").size() == exact.size());
    // bf16 keeps 8 bits: scores move by a few per cent of themselves, some over the threshold.
    REQUIRE(!exact.empty());
    CHECK(std::fabs(double(rounded.size()) - double(exact.size())) < 0.2 * double(exact.size()) + 5);
    bool same = rounded.size() == exact.size();
    for (std::size_t i = 0; same && i < exact.size(); ++i) same = rounded[i].score == exact[i].score;
    CHECK(!same);
    b.refused("detect field.fits -o no.fits" + tiny + "--precision half", 2, {"--precision"});
    b.must("evaluate -q --model m.safetensors --fields 1 --side 64 --precision bf16");
}

TEST_CASE("road: everything written is clean") {
    const Bench b;
    put_tiny_model(b);
    b.must("simulate -q -o field.fits --width 150 --height 100");
    if (!verified(b, "field.fits")) return skip("fitsverify is absent");
    b.must("detect -q field.fits -o found.fits" + tiny);
    for (const char* file : {"field.fits", "found.fits"}) {
        CAPTURE(file);
        CHECK(verified(b, file).value());
    }
}

TEST_CASE("road: -o - writes to standard output, and nothing else goes there") {
    const Bench b;
    put_tiny_model(b);
    b.must("simulate -q -o field.fits --width 100");
    b.must("detect -q field.fits -o found.fits" + tiny);
    const auto before = b.listing();
    const Outcome piped = b.must("detect field.fits -o -" + tiny);
    CHECK(b.listing() == before);
    b.put("piped.fits", piped.out);
    CHECK(tables(b, "piped.fits") == tables(b, "found.fits"));
    if (const auto clean = verified(b, "piped.fits")) CHECK(*clean);
    const Outcome json = b.must("evaluate found.fits --truth field.fits --json -");
    CHECK(json.out.front() == '{');
    CHECK(json.out.find("\nBy box") == std::string::npos);
    CHECK(json.out.ends_with("}\n"));
    b.refused("train -o - " + tiny_network, 2, {"-o -", "file"});
}

TEST_CASE("road: the same seed gives the same bytes, another seed others") {
    const Bench first, second, other;
    std::vector<std::string> fields;
    for (const Bench* b : {&first, &second, &other}) {
        put_tiny_model(*b);
        b->must("simulate -q -o field.fits --width 100 --seed " + std::string(b == &other ? "8" : "7"));
        b->must("detect -q field.fits -o found.fits" + tiny);
    }
    CHECK(first.get("field.fits") == second.get("field.fits"));
    CHECK(first.get("found.fits") == second.get("found.fits"));
    CHECK(read_image(first / "field.fits").pixels != read_image(other / "field.fits").pixels);
}

TEST_CASE("road: threads and memory never show in a result") {
    const Bench b;
    // wide enough that one tile needs more than the least --mem-limit
    b.must("train -q -o m.safetensors --set training.steps=1 " + tiny_network + "--set network.width=[16,16,16,16]");
    b.must("simulate -q -o field.fits --width 700 --height 300 --threads 1");
    b.must("simulate -q -o again.fits --width 700 --height 300 --threads 2");
    CHECK(read_image(b / "field.fits").pixels == read_image(b / "again.fits").pixels);
    CHECK(tables(b, "field.fits") == tables(b, "again.fits"));

    const std::string detect = "detect -q field.fits" + tiny;
    const Outcome small = b.run(detect + "-o one.fits --threads 2 --mem-limit 16");  // more threads, more scratch
    INFO(small.err);
    REQUIRE(small.code == 5);
    const auto needs = small.err.find("needs ");
    REQUIRE(needs != std::string::npos);
    CHECK(small.err.find("--mem-limit") != std::string::npos);
    CHECK(!std::filesystem::exists(b / "one.fits"));
    const std::string least = std::to_string(std::stoi(small.err.substr(needs + 6)));
    b.must(detect + "-o one.fits --threads 1 --mem-limit " + least);  // one tile at a time
    b.must(detect + "-o two.fits --threads 2 --mem-limit " + least);
    b.must(detect + "-o all.fits --threads 2 --mem-limit 4000");
    b.must(detect + "-o five.fits --threads 5 --mem-limit 4000");
    CHECK(read_blends(b / "one.fits").size() > 1000);
    CHECK(tables(b, "one.fits") == tables(b, "two.fits"));
    CHECK(tables(b, "one.fits") == tables(b, "all.fits"));
    CHECK(tables(b, "one.fits") == tables(b, "five.fits"));
}

TEST_CASE("road: RA and DEC are those of the image's header") {
    const Bench b;
    put_tiny_model(b);
    b.must("simulate -q -o field.fits --width 120 --height 90");
    const FitsImage field = read_image(b / "field.fits");
    // a tangential projection, rotated, 0.074" pixels
    const double ra0 = 10.6847083, dec0 = 41.26875, scale = 0.074 / 3600, angle = 0.3, x0 = 33.25, y0 = 51.5;
    const double cd[2][2] = {{-scale * std::cos(angle), scale * std::sin(angle)},
                             {scale * std::sin(angle), scale * std::cos(angle)}};
    write_image(b / "sky.fits", field.pixels, field.width, field.height,
                {{"CTYPE1", std::string("RA---TAN"), ""},
                 {"CTYPE2", std::string("DEC--TAN"), ""},
                 {"CRVAL1", ra0, ""},
                 {"CRVAL2", dec0, ""},
                 {"CRPIX1", x0, ""},
                 {"CRPIX2", y0, ""},
                 {"CD1_1", cd[0][0], ""},
                 {"CD1_2", cd[0][1], ""},
                 {"CD2_1", cd[1][0], ""},
                 {"CD2_2", cd[1][1], ""},
                 {"RADESYS", std::string("ICRS"), ""}},
                false);
    b.must("detect -q sky.fits -o found.fits" + tiny);
    const auto t = read_table(b / "found.fits", "BLENDS");
    const auto x = t.numbers("X_IMAGE"), y = t.numbers("Y_IMAGE"), ra = t.numbers("RA"), dec = t.numbers("DEC");
    REQUIRE(x.size() > 50);
    const double degree = std::acos(-1.0) / 180;
    double worst = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double xi = (cd[0][0] * (x[i] - x0) + cd[0][1] * (y[i] - y0)) * degree;  // Calabretta & Greisen 2002, 5.1
        const double eta = (cd[1][0] * (x[i] - x0) + cd[1][1] * (y[i] - y0)) * degree;
        const double down = std::cos(dec0 * degree) - eta * std::sin(dec0 * degree);
        const double alpha = ra0 * degree + std::atan2(xi, down);
        const double delta = std::atan2(std::sin(dec0 * degree) + eta * std::cos(dec0 * degree), std::hypot(xi, down));
        worst = std::max(
            {worst, std::fabs(dec[i] - delta / degree), std::fabs(ra[i] - alpha / degree) * std::cos(dec0 * degree)});
    }
    CHECK(worst < 1e-12 * 360);  // a few roundings of an angle in degrees
    b.must("detect -q field.fits -o flat.fits" + tiny);
    CHECK(!read_table(b / "flat.fits", "BLENDS").find("RA"));  // no WCS: no columns rather than zeros
}

TEST_CASE("road: SIGTERM leaves a valid partial catalogue") {
    const Bench b;
    put_tiny_model(b);
    const std::vector<float> pixels(4000 * 4000, 1.0f);
    write_image(b / "large.fits", pixels, 4000, 4000, {}, false);
    const Outcome o = b.run("detect large.fits --model m.safetensors -o part.fits", {"detecting: 0/"});
    INFO(o.err);
    CHECK(o.code == 143);
    CHECK(b.get("part.fits").find("COMPLETE=                    F") != std::string::npos);
    CHECK(o.err.find("partial") != std::string::npos);
    read_blends(b / "part.fits");
    CHECK(verified(b, "part.fits").value_or(true));
    CHECK(b.listing() == std::set<std::string>{"large.fits", "m.safetensors", "part.fits", "part.fits.progress"});
}

TEST_CASE("road: the configuration that --dump-config prints means the same") {
    const Bench b;
    for (const std::string command : {"simulate", "train"}) {
        const std::string settings = command == "train" ? tiny_network : "--preset csst-r --set mock.mix=P1 ";
        const std::string dump = b.must(command + " -o none --dump-config " + settings).out;
        REQUIRE(dump.find("exposure.exptime") != std::string::npos);
        b.put("dump.toml", dump);
        const std::string preset = command == "train" ? "" : "--preset ground-1arcsec ";  // all of it overridden
        CHECK(b.must(command + " -o none --dump-config --config dump.toml " + preset).out == dump);
    }
    CHECK(b.listing() == std::set<std::string>{"dump.toml"});
}
