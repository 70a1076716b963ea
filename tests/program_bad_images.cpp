// Images that starblend detect can't use: each gets one line, its exit code, and leaves nothing behind.
#include <sys/stat.h>

#include <cmath>

#include "io/fits_writer.h"
#include "tests/io_fits_raw.h"
#include "tests/program_run.h"
#include "tools/catalogue.h"

using namespace star;
using namespace star::test;

namespace {

const std::string quietly = "detect -q --model m.safetensors -o out.fits ";

struct Images : Bench {
    Images() { put_tiny_model(*this); }
    /// `bytes` as an image: exit 3, the file named and these parts said.
    void bad(const std::string& name, const std::string& bytes, std::vector<std::string> parts) const {
        put(name, bytes);
        parts.push_back(name);
        refused(quietly + name, 3, parts);
    }
    void image(const std::string& name, float value, int width, int height) const {
        write_image(*this / name, std::vector<float>(std::size_t(width) * std::size_t(height), value), width, height,
                    {}, true);
    }
};

}  // namespace

TEST_CASE("detect: what isn't an image") {
    const Images t;
    t.refused(quietly + "none.fits", 3, {"none.fits", "no such file"});
    std::filesystem::create_directory(t.path / "folder.fits");
    t.refused(quietly + "folder.fits", 3, {"folder.fits", "folder"});
    REQUIRE(mkfifo((t / "fifo.fits").c_str(), 0600) == 0);
    t.refused(quietly + "fifo.fits", 3, {"fifo.fits"});
    t.refused(quietly + "/dev/zero", 3, {"/dev/zero"});
    t.bad("empty.fits", "", {"empty"});
    t.bad("text.fits", "Once upon a time", {"not a FITS file", "SIMPLE"});
    t.bad("garbage.fits.gz", "\x1f\x8b\x08 no deflate stream at all", {"can't be read"});
    t.bad("no_image.fits", header_of(image_cards(8, {})), {"holds no image"});
    t.image("good.fits", 1, 20, 20);
    t.refused(quietly + "good.fits[SCI]", 3, {"good.fits", "SCI"});
    t.refused(quietly + "good.fits[7]", 3, {"good.fits", "7"});
}

TEST_CASE("detect: headers that can't be") {
    const Images t;
    const std::string data(2880, '\0');
    const auto cards = [&](std::vector<std::string> list) { return header_of(list) + data; };
    const std::string first = "SIMPLE  =                    T";
    t.bad("one_axis.fits", cards(image_cards(-32, {100})), {"NAXIS"});
    t.bad("four_axes.fits", cards(image_cards(-32, {2, 2, 2, 2})), {"NAXIS"});
    t.bad("axes.fits", cards({first, card("BITPIX", "-32"), card("NAXIS", "999")}), {"NAXIS = 999"});
    t.bad("negative.fits", cards(image_cards(-32, {-10, 10})), {"NAXIS1 = -10"});
    t.bad("bitpix.fits", cards(image_cards(17, {10, 10})), {"BITPIX = 17"});
    t.bad("short.fits", header_of(image_cards(-32, {50000, 50000})) + data, {"NAXIS1 = 50000", "NAXIS2 = 50000"});
    const std::string good = image_file<float>(-32, {100, 100}, std::vector<float>(10000));
    t.bad("cut_header.fits", good.substr(0, 1000), {"truncated"});
    t.bad("cut_data.fits", good.substr(0, 20000), {"truncated", "NAXIS1"});
}

TEST_CASE("detect: masks and point-spread functions are files too") {
    const Images t;
    t.image("good.fits", 1, 20, 20);
    t.image("other.fits", 0, 20, 21);
    t.refused(quietly + "good.fits --mask other.fits", 3, {"other.fits", "NAXIS", "20x21", "20x20"});
    t.refused(quietly + "good.fits --mask none.fits", 3, {"none.fits"});
    t.refused("simulate -q -o out.fits --set psf.kind=file --set psf.file=none.fits", 3, {"none.fits"});
    t.refused("simulate -q -o out.fits --set psf.kind=file", 2, {"psf.kind", "psf.file"});
}

TEST_CASE("detect: nothing to see is no mistake") {
    const Images t;
    t.image("nan.fits", NAN, 150, 100);
    t.image("flat.fits", 7, 150, 100);
    t.image("masked.fits", 1, 150, 100);
    const auto nothing_in = [&](const std::string& arguments, const std::string& warning) {
        CAPTURE(arguments);
        const Outcome o = t.run("detect -q --overwrite --model m.safetensors -o out.fits " + arguments);
        INFO(o.err);
        CHECK(o.code == 0);
        CHECK(o.err.find(warning) != std::string::npos);
        CHECK(std::count(o.err.begin(), o.err.end(), '\n') == (warning.empty() ? 0 : 1));
        CHECK(read_blends(t / "out.fits").empty());
        CHECK(verified(t, "out.fits").value_or(true));
    };
    nothing_in("nan.fits", "nan.fits: no row: none of 15000 pixels is usable");
    nothing_in("flat.fits --mask masked.fits", "none of 15000 pixels is usable");
    t.must("simulate -q -o field.fits --width 150 --height 100");
    nothing_in("field.fits --threshold 1", "");
}
