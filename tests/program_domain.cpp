// When an image, or a tile of it, is unlike a model's training: each of the numbers, and none that isn't known.
#include <cmath>

#include "io/fits_image.h"
#include "io/fits_writer.h"
#include "tests/program_run.h"
#include "tools/domain.h"

using namespace star;
using namespace star::test;

TEST_CASE("departures from the training: each on its own, from its own ratio on") {
    const TrainingDomain training{0.05, 2.0, {10, 20}, {0.005, 0.02}, {1000, 2000}};
    const auto departs = [&](double ImageDomain::*what, double value) {
        ImageDomain image{0.05, 2.0, 0.01};
        image.*what = value;
        const auto said = departures(image, training);
        CHECK(said.size() <= 1);
        return said.empty() ? std::string() : said[0];
    };
    CHECK(departures(ImageDomain{}, training).empty());  // nothing is known
    CHECK(departures(ImageDomain{0.05, 2.0, 0.01}, {}).empty());
    CHECK(departs(&ImageDomain::pixel_scale, 0.0545).empty());
    CHECK(departs(&ImageDomain::pixel_scale, 0.0555) == "pixels of 0.0555\" (0.05\")");
    CHECK(departs(&ImageDomain::pixel_scale, 0.045) == "pixels of 0.045\" (0.05\")");
    CHECK(departs(&ImageDomain::psf_fwhm, 2.49).empty());
    CHECK(departs(&ImageDomain::psf_fwhm, 2.51) == "stars of FWHM 2.51 px (2.00)");
    CHECK(departs(&ImageDomain::density, 0.00011).empty());
    CHECK(departs(&ImageDomain::density, 0.00009) == "9e-05 units per pixel (0.005 to 0.02)");
    CHECK(departs(&ImageDomain::density, 0).empty());  // an empty field is no crowd to be unlike

    const auto tile = [&](double TileSeen::*what, double value, int units = 500) {
        TileSeen usual{0, 0, 500, 50000, 15, 1500}, odd = usual;
        odd.units = units;
        if (what) odd.*what = value;
        const TileDepartures d = departures(std::vector<TileSeen>{usual, odd, usual}, training);
        CHECK(d.outside.size() == 3);
        CHECK(!d.outside[0]);
        CHECK(d.outside[1] == !d.words.empty());
        return d.words.empty() ? std::string() : d.words[0];
    };
    CHECK(tile(nullptr, 0).empty());
    CHECK(tile(&TileSeen::noise, NAN).empty());
    CHECK(tile(&TileSeen::noise, 59).empty());
    CHECK(tile(&TileSeen::noise, 61) == "noise of 61 electrons (10 to 20) in 1 of 3 tiles");
    CHECK(tile(&TileSeen::noise, 3.2) == "noise of 3.2 electrons (10 to 20) in 1 of 3 tiles");
    CHECK(tile(nullptr, 0, 2130).empty());  // 2,000 are twice the densest; three standard deviations more are chance
    CHECK(tile(nullptr, 0, 2140) == "0.043 units per pixel (0.005 to 0.02) in 1 of 3 tiles");
    CHECK(tile(nullptr, 0, 0).empty());
    CHECK(tile(&TileSeen::brightest, 5990).empty());
    CHECK(tile(&TileSeen::brightest, 6010) ==
          "saturation at 6.01e+03 times the noise (1e+03 to 2e+03) in 1 of 3 tiles");
    CHECK(tile(&TileSeen::brightest, 10).empty());
    const std::vector<TileSeen> all(2, TileSeen{0, 0, 500, 50000, 100, 1500});
    CHECK(departures(all, training).words == std::vector<std::string>{"noise of 100 electrons (10 to 20)"});
    CHECK(departures(std::vector<TileSeen>{}, training).words.empty());
}

TEST_CASE("departures: a model of many lessons knows the range of them all") {
    ThreadPool pool(2);
    const TrainingDomain d = domain_of(read_model("csst-g"), pool);
    MESSAGE("noise ", d.noise.low, " to ", d.noise.high, ", density ", d.density.low, " to ", d.density.high,
            ", clipping at ", d.brightest.low, " to ", d.brightest.high, " times the noise");
    CHECK(d.noise.low < d.noise.high * 0.9);      // its skies are drawn
    CHECK(d.density.low < d.density.high * 0.3);  // from sparse fields to the densest
    CHECK(d.pixel_scale == doctest::Approx(0.074));
}

TEST_CASE("departures: of an image whose noise differs from tile to tile those rows are flagged that lie there") {
    const Bench b;
    b.must("simulate -q -o field.fits --width 448 --height 100");  // two tiles side by side
    const FitsImage image = read_image(b / "field.fits"), variance = read_image(b / "field.fits[VARIANCE]");
    std::vector<float> loud = variance.pixels;
    for (int y = 0; y < 100; ++y)
        for (int x = 224; x < 448; ++x) loud[std::size_t(y) * 448 + std::size_t(x)] *= 16;
    write_image(b / "loud.fits", loud, 448, 100, {}, false);
    const std::string detect = "detect field.fits --cosmic-rays off --model csst-g ";
    const auto flagged = [&](const std::string& file, int side) {
        int rows = 0, with = 0;
        for (const Blend& u : read_blends(b / file))
            if ((u.x >= 224) == (side == 1)) ++rows, with += (u.flags & flag_out_of_domain) != 0;
        REQUIRE(rows > 20);
        return double(with) / rows;
    };
    const Outcome o = b.must(detect + "-o out.fits --weight loud.fits --weight-type variance");
    INFO(o.err);
    CHECK(o.err.find("noise of ") != std::string::npos);
    CHECK(o.err.find(" in 1 of 2 tiles") != std::string::npos);
    CHECK(flagged("out.fits", 1) == 1);
    CHECK(flagged("out.fits", 0) == 0);
}
