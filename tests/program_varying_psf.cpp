// A PSF that changes over the image: measured zone by zone, written as a library, and each star fitted with its own.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "io/fits_image.h"
#include "io/fits_writer.h"
#include "tests/program_run.h"
#include "tools/psf_file.h"

using namespace star;
using namespace star::test;

namespace {

// Round stars, wider to the right, on a detector of 600 x 400 px.
PsfLibrary widening() {
    PsfLibrary l{{0, 300, 600}, {0, 400}, {}};
    for (int iy = 0; iy < 2; ++iy)
        for (int ix = 0; ix < 3; ++ix) {
            const Psf part = Psf::moffat(1.7 + 0.5 * ix, 3, {4, 12});
            const std::vector<float> samples(part.samples().begin(), part.samples().end());
            const int side = 2 * part.half() + 1;
            l.psfs.push_back(
                Psf::from_image({.pixels = samples, .w = side, .h = side, .oversampling = 4, .recentre = false}));
        }
    return l;
}

Psf at(double x) {
    const PsfLibrary l = widening();
    const int i = x < 300 ? 0 : 1;
    const double share = x / 300 - i;
    return Psf::mixed(std::vector<Psf>{l.psfs[std::size_t(i)], l.psfs[std::size_t(i) + 1]},
                      std::vector<double>{1 - share, share});
}

// Its library, and 480 x 320 px of it from (60, 40) on, with stars 26 px apart.
void put_field(const Bench& b) {
    const PsfCube cube = psf_cube(widening(), 0.074);
    FitsWriter out(b / "library.fits", false);
    out.cube("", cube.pixels, cube.side, cube.side, 6, cube.cards);
    out.commit();
    std::string list = "x,y,mag\n";
    for (int y = 0; y < 11; ++y)
        for (int x = 0; x < 17; ++x)
            list += fmt::format("{},{},{}\n", 25.3 + 26.37 * x, 25.6 + 26.21 * y, 18.8 + 0.05 * ((7 * x + 5 * y) % 20));
    b.put("stars.csv", list);
    b.must(
        "simulate -q -o field.fits --width 480 --height 320 --set scene.stars=list --set scene.list=stars.csv --set "
        "psf.kind=file --set psf.file=library.fits --set psf.varying=true --set psf.position=[300,200]");
}

struct Fluxes {
    double left = 0, right = 0, chi2 = 0;  // mean of flux over truth in the image's thirds; mean chi^2
};

Fluxes fluxes(const Bench& b, const std::string& file) {
    const Table t = read_table(b / file, "SOURCES"), truth = read_table(b / "field.fits", "STARS");
    const auto x = truth.numbers("X_IMAGE"), mag = truth.numbers("MAG"), got = t.numbers("MAG_PSF"),
               chi2 = t.numbers("CHI2");
    REQUIRE(t.rows() == truth.rows());
    Fluxes f;
    double n_left = 0, n_right = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double ratio = std::pow(10, -0.4 * (got[i] - mag[i]));
        if (x[i] < 160) f.left += ratio, ++n_left;
        if (x[i] > 320) f.right += ratio, ++n_right;
        f.chi2 += chi2[i] / double(x.size());
    }
    f.left /= n_left, f.right /= n_right;
    return f;
}

}  // namespace

TEST_CASE("varying PSF: a library serves each star its own; a header's LTV or --psf-origin says where the image lies") {
    const Bench b;
    put_tiny_model(b);
    put_field(b);
    const std::string measure = "measure -q field.fits --positions field.fits[STARS] --model m.safetensors ";
    b.must(measure + "-o each.fits --psf library.fits --psf-origin 60,40");
    const Fluxes each = fluxes(b, "each.fits");
    MESSAGE("left ", each.left, ", right ", each.right, ", chi2 ", each.chi2);
    // 70 stars of a few 10^4 electrons a side: a mean is known to 0.1 %. The table holds `energy` of the light.
    CHECK(std::fabs(each.left - 1) < 0.005);
    CHECK(std::fabs(each.right - 1) < 0.005);
    CHECK(each.chi2 < 1.2);
    const Table sources = read_table(b / "each.fits", "SOURCES");
    CHECK(std::any_of(sources.cards.begin(), sources.cards.end(),
                      [](const Card& c) { return c.key == "PSFNODES" && std::get<std::int64_t>(c.value) == 6; }));

    // One PSF, the middle's, makes the wide side's stars too faint where it is held for right.
    const PsfPicture middle = psf_picture(at(300), 0.074);
    write_image(b / "middle.fits", middle.pixels, middle.side, middle.side, middle.cards, false);
    b.must(measure + "-o one.fits --psf middle.fits --psf-blur 0 --psf-error 0.01");
    const Fluxes one = fluxes(b, "one.fits");
    MESSAGE("one PSF: left ", one.left, ", right ", one.right, ", chi2 ", one.chi2);
    CHECK(one.left - one.right > 0.02);
    CHECK(one.chi2 > 2 * each.chi2);

    const FitsImage field = read_image(b / "field.fits");
    std::vector<Card> cards = field.header.cards;
    cards.push_back({"LTV1", -60.0, ""}), cards.push_back({"LTV2", -40.0, ""});
    write_image(b / "part.fits", field.pixels, field.width, field.height, cards, false);
    const std::string of_part =
        "measure -q part.fits --positions field.fits[STARS] --model m.safetensors --psf library.fits";
    b.must(of_part + " -o header.fits"), b.must(of_part + " -o option.fits --psf-origin 60,40");
    b.must(of_part + " -o corner.fits --psf-origin 0,0");
    const auto fitted = [&](const char* file) { return read_table(b / file, "SOURCES").numbers("FLUX_PSF"); };
    CHECK(fitted("header.fits") == fitted("option.fits"));
    CHECK(fitted("header.fits") != fitted("corner.fits"));

    const Outcome beyond = b.must(
        "measure field.fits --positions field.fits[STARS] --model m.safetensors -o beyond.fits "
        "--psf library.fits --psf-origin 300,0");
    CHECK(beyond.err.find("reaches beyond") != std::string::npos);
    b.refused(measure + "-o no.fits --psf middle.fits --psf-origin 0,0", 2, {"--psf-origin", "middle.fits"});
    b.refused(measure + "-o no.fits --psf library.fits --psf-origin 0", 2, {"--psf-origin"});
    b.refused(measure + "-o no.fits --psf library.fits --psf-origin nan,0", 2, {"--psf-origin"});
    b.refused(measure + "-o no.fits --psf csst-g --psf-origin 0,0", 2, {"--psf-origin", "csst-g"});
    cards.back() = {"LTV2", 1e30, ""};
    write_image(b / "far.fits", field.pixels, field.width, field.height, cards, false);
    b.refused("measure -q far.fits --positions field.fits[STARS] --model m.safetensors -o no.fits --psf library.fits",
              3, {"far.fits", "LTV2"});
    cards.back() = {"LTM1_1", 0.5, ""};
    write_image(b / "binned.fits", field.pixels, field.width, field.height, cards, false);
    const std::string binned =
        "measure -q binned.fits --positions field.fits[STARS] --model m.safetensors --psf library.fits";
    b.refused(binned + " -o no.fits", 3, {"binned.fits", "LTM1_1"});
    b.must(binned + " -o binned_at.fits --psf-origin 60,40");
}

TEST_CASE("varying PSF: detect and certify take a library; threads don't show") {
    const Bench b;
    put_tiny_model(b);
    put_field(b);
    const std::string detect = "detect -q field.fits --psf library.fits --psf-origin 60,40" + tiny;
    b.must(detect + "-o a.fits --threads 1 --residual rest.fits"), b.must(detect + "-o b.fits --threads 3");
    CHECK(tables(b, "a.fits") == tables(b, "b.fits"));
    const Table t = read_table(b / "a.fits", "SOURCES"), truth = read_table(b / "field.fits", "STARS");
    const auto x = t.numbers("X_IMAGE"), y = t.numbers("Y_IMAGE"), tx = truth.numbers("X_IMAGE"),
               ty = truth.numbers("Y_IMAGE");
    std::size_t found = 0;
    for (std::size_t i = 0; i < tx.size(); ++i)
        for (std::size_t j = 0; j < x.size(); ++j)
            if (std::hypot(x[j] - tx[i], y[j] - ty[i]) < 0.3) {
                ++found;
                break;
            }
    MESSAGE(found, " of ", tx.size(), " stars; ", t.rows(), " rows");
    CHECK(found >= tx.size() * 95 / 100);
    const Outcome page = b.must("report a.fits field.fits -o page.html");
    INFO(page.err);
    CHECK(page.err.find("begins at 60, 40") != std::string::npos);
    CHECK(b.get("page.html").find("PSF of the image's middle") != std::string::npos);
    b.must(
        "certify -q field.fits --psf library.fits --psf-origin 60,40 --stars 60 --model m.safetensors --threshold 0.9 "
        "-o c.fits");
    CHECK(read_table(b / "c.fits", "COMPLETE").rows() > 0);
}

TEST_CASE("psf --grid: each zone's PSF, and a library that detect reads") {
    const Bench b;
    put_tiny_model(b);
    put_field(b);
    const Outcome o = b.must("psf --measure field.fits --grid 3,1 --radius 9 --min-stars 20 -o measured.fits");
    INFO(o.err);
    CHECK(o.err.find("-0") == std::string::npos);
    const PsfField library = *read_psf_library(b / "measured.fits", {});
    for (int i = 0; i < 3; ++i) {
        const double x = 80 + 160 * i, truth = at(60 + x).fwhm(), got = library.node(i, 0).fwhm();
        MESSAGE("zone ", i + 1, ": FWHM ", got, " for ", truth, " px");
        CHECK(std::fabs(got / truth - 1) < 0.04);
    }
    CHECK(read_cube(b / "measured.fits").number_of("PSFWIDE") == 0.0);
    const Outcome used =
        b.must("measure field.fits --positions field.fits[STARS] --model m.safetensors -o m.fits --psf measured.fits");
    CHECK(used.err.find("reaches beyond") == std::string::npos);  // a node speaks for its zone
    CHECK(used.err.find("begins at 0, 0") != std::string::npos);
    const Fluxes f = fluxes(b, "m.fits");
    MESSAGE("left ", f.left, ", right ", f.right, ", chi2 ", f.chi2);
    CHECK(std::fabs(f.left - f.right) < 0.02);

    // Zones with too few stars of their own take their neighbours'.
    const Outcome wide = b.must("psf --measure field.fits --grid 6,4 --radius 9 --min-stars 20 -o wide.fits");
    CHECK(wide.err.find(" of columns ") != std::string::npos);
    CHECK(read_cube(b / "wide.fits").number_of("PSFWIDE").value_or(0) > 0);
    b.refused("psf -q --measure field.fits --grid 64,64 --radius 50 --oversampling 8 -o no.fits", 2, {"--grid", "MB"});
    b.refused("psf -q --measure field.fits --grid 2,1 --min-stars 5000 --max-stars 6000 -o no.fits", 3,
              {"field.fits", "5000"});
    b.refused("psf --measure field.fits --grid 2,1", 2, {"--grid", "--output"});
    b.refused("psf --measure field.fits --grid 0,1 -o no.fits", 2, {"--grid"});
    b.refused("psf --measure field.fits --grid 2,1 -o no.fits --png no.png", 2, {"--grid", "--png"});
    b.refused("psf --grid 2,1 -o no.fits", 2, {"--grid", "--measure"});
}
