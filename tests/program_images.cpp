// Several images in one call, lists, extensions; outputs of their own; what becomes of the rest when one is bad.
#include "io/fits_writer.h"
#include "tests/io_fits_raw.h"
#include "tests/program_run.h"
#include "tools/byte_size.h"
#include "tools/catalogue.h"
#include "tools/image_list.h"

using namespace star;
using namespace star::test;

TEST_CASE("images: short names, lists, all images of a file") {
    CHECK(short_name("a/b.fits") == "b");
    CHECK(short_name("a/b.c.fits.gz[SCI,2]") == "b.c_SCI_2");
    CHECK(short_name("b.fits.fz[3]") == "b_3");
    CHECK(short_name("plain") == "plain");
    const Folder t;
    const std::string list = t.put("all.lis", "# tonight\n one.fits \n\ntwo.fits[SCI]\r\n");
    CHECK(expand_images({"@" + list, "three.fits"}) ==
          std::vector<std::string>{"one.fits", "two.fits[SCI]", "three.fits"});
    CHECK(fault([&] { expand_images({"@" + t.put("none.lis", "# nothing\n")}); }) == Fault::input);
    CHECK(fault([&] { expand_images({"@" + (t / "absent.lis")}); }) == Fault::input);
    const auto extension = [](const char* name) {
        return header_of(image_cards(
                   -32, {3, 2},
                   {card("PCOUNT", "0"), card("GCOUNT", "1"), card("EXTNAME", "'" + std::string(name) + "'")},
                   "XTENSION= 'IMAGE   '")) +
               blocks(big_endian<float>({1, 2, 3, 4, 5, 6}), '\0');
    };
    const std::string file = t.put("mef.fits", header_of(image_cards(8, {})) + extension("S29") + extension("ERR") +
                                                   extension("N4") + extension("DQ"));
    CHECK(expand_images({file + "[*]"}) == std::vector<std::string>{file + "[1]", file + "[3]"});
    CHECK(fault([&] { expand_images({t.put("no.fits", header_of(image_cards(8, {}))) + "[*]"}); }) == Fault::input);
}

TEST_CASE("images: an output for each") {
    const Folder t;
    const ImageInList many{"x/m31.fits[1]", true}, one{"x/m31.fits[1]", false};
    CHECK(many.output("cat/{}.fits") == "cat/m31_1.fits");
    CHECK(many.output(t.path.string()) == t / "m31_1_cat.fits");
    CHECK(one.output(t.path.string()) == t / "m31_1_cat.fits");
    CHECK(one.output("a.fits") == "a.fits");
    CHECK(one.output("-") == "-");
    CHECK(many.output("") == "");
    CHECK(fault([&] { many.output("a.fits"); }) == Fault::usage);
    CHECK(many.input("{}_mask.fits") == "m31_1_mask.fits");
    CHECK(many.input("mask.fits") == "mask.fits");
}

TEST_CASE("images: sizes of memory") {
    CHECK(parse_bytes("2G", "") == std::int64_t{2} << 30);
    CHECK(parse_bytes("1.5gb", "") == std::int64_t{3} << 29);
    CHECK(parse_bytes("500 MiB", "") == std::int64_t{500} << 20);
    CHECK(parse_bytes("64", "") == std::int64_t{64} << 20);
    for (const char* bad : {"", "G", "2X", "-2G", "nan", "1K", "1e30", "2G2"})
        CHECK(fault([&] { parse_bytes(bad, "--mem-limit"); }) == Fault::usage);
}

TEST_CASE("images: one bad image of three costs its own catalogue alone") {
    const Bench b;
    put_tiny_model(b);
    b.must("simulate -q -o a.fits --width 100 --seed 3");
    b.must("simulate -q -o c.fits --width 100 --seed 4");
    b.put("b.fits", "no image");
    b.put("night.lis", "a.fits\nb.fits\nc.fits\n");
    std::filesystem::create_directory(b.path / "cat");
    const Outcome o = b.run("detect -q @night.lis -o cat --regions cat/{}.reg" + tiny);
    INFO(o.err);
    CHECK(o.code == 6);
    CHECK(o.err.find("b.fits") != std::string::npos);
    CHECK(o.err.find("1 of 3 images failed") != std::string::npos);
    for (const char* name : {"a", "c"}) {
        b.must("detect -q " + std::string(name) + ".fits -o alone.fits --overwrite" + tiny);
        const auto rows = read_blends(b / ("cat/" + std::string(name) + "_cat.fits"));
        CHECK(rows.size() == read_blends(b / "alone.fits").size());
        CHECK(std::filesystem::exists(b / ("cat/" + std::string(name) + ".reg")));
    }
    CHECK(!std::filesystem::exists(b / "cat/b_cat.fits"));
    b.refused("detect -q a.fits c.fits -o both.fits" + tiny, 2, {"both.fits", "{}"});
    b.refused("detect -q a.fits[0] a.fits[0] -o {}.cat" + tiny, 2, {"a_0"});
    b.refused("detect -q @none.lis -o {}.cat" + tiny, 3, {"none.lis"});
    b.refused("detect -q a.fits -o x.fits --mem-limit 2X" + tiny, 2, {"--mem-limit", "2X"});
}
