// Stars, as a user gets them: SOURCES beside BLENDS, pictures of the fit, forced photometry; and when there are none.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "io/fits_image.h"
#include "io/fits_writer.h"
#include "tests/program_run.h"
#include "tests/skip.h"
#include "tools/catalogue.h"
#include "tools/psf_file.h"

using namespace star;
using namespace star::test;

namespace {

void put_field(const Bench& b) {
    put_tiny_model(b);
    b.must("simulate -q -o field.fits --width 120 --height 100");
}

}  // namespace

TEST_CASE("sources: detect writes a row per star, linked to its unit, and what the fit leaves") {
    const Bench b;
    put_field(b);
    b.must("detect -q field.fits -o found.fits --model-image model.fits --residual rest.fits" + tiny);
    const Table t = read_table(b / "found.fits", "SOURCES");
    const auto x = t.numbers("X_IMAGE"), y = t.numbers("Y_IMAGE"), flux = t.numbers("FLUX_PSF"),
               error = t.numbers("FLUXERR_PSF"), mag = t.numbers("MAG_PSF"), blend = t.numbers("BLEND_ID");
    const auto blends = read_blends(b / "found.fits");
    REQUIRE(t.rows() > 50);
    // Most stars of the truth that count are there, in place and brightness, whatever an untrained network says.
    const Table truth = read_table(b / "field.fits", "STARS");
    const auto tx = truth.numbers("X_IMAGE"), ty = truth.numbers("Y_IMAGE"), tm = truth.numbers("MAG");
    int bright = 0, found = 0;
    for (std::size_t i = 0; i < tx.size(); ++i) {
        if (!(tm[i] < 23 && tx[i] > 5 && ty[i] > 5 && tx[i] < 115 && ty[i] < 95)) continue;
        ++bright;
        for (std::size_t j = 0; j < x.size(); ++j)
            if (std::hypot(x[j] - tx[i], y[j] - ty[i]) < 0.75 && std::fabs(mag[j] - tm[i]) < 0.75) {
                ++found;
                break;
            }
    }
    MESSAGE(found, " of ", bright, " bright stars, ", t.rows(), " rows");
    CHECK(bright > 10);
    CHECK(found >= bright * 7 / 10);
    for (std::size_t i = 0; i < t.rows(); ++i) {
        CHECK(flux[i] >= 3 * error[i]);
        CHECK(blend[i] >= 0);
        CHECK(blend[i] <= double(blends.size()));
    }
    for (std::size_t i = 0; i < blends.size(); ++i)
        CHECK(blends[i].fitted == std::count(blend.begin(), blend.end(), double(i + 1)));
    const FitsImage image = read_image(b / "field.fits"), model = read_image(b / "model.fits"),
                    rest = read_image(b / "rest.fits");
    double worst = 0;
    for (std::size_t i = 0; i < image.pixels.size(); ++i)
        if (!std::isnan(rest.pixels[i]))
            worst = std::max(worst, std::fabs(double(image.pixels[i]) - model.pixels[i] - rest.pixels[i]) /
                                        std::max(1.0, std::fabs(double(image.pixels[i]))));
    CHECK(worst < 1e-5);  // a few roundings to float
    CHECK(verified(b, "found.fits").value_or(true));
}

TEST_CASE("sources: without a PSF there is no table, and no picture of one") {
    const Bench b;
    put_field(b);
    b.must("detect -q field.fits -o found.fits --psf none" + tiny);
    CHECK(b.get("found.fits").find("SOURCES") == std::string::npos);
    REQUIRE(!read_blends(b / "found.fits").empty());
    CHECK(read_blends(b / "found.fits")[0].fitted == -1);
    b.refused("detect -q field.fits -o none.fits --psf none --residual rest.fits" + tiny, 2, {"--residual", "--psf"});
    b.refused("detect -q field.fits -o none.fits --psf nothing.fits" + tiny, 3, {"nothing.fits"});
    b.refused("detect -q field.fits -o a.fits --residual a.fits" + tiny, 2, {"a.fits", "two outputs"});
}

TEST_CASE("sources: an image without a usable pixel has no stars") {
    const Bench b;
    put_tiny_model(b);
    write_image(b / "nan.fits", std::vector<float>(80 * 60, NAN), 80, 60, {}, false);
    b.must("detect -q nan.fits -o found.fits" + tiny);
    CHECK(read_table(b / "found.fits", "SOURCES").rows() == 0);
    CHECK(verified(b, "found.fits").value_or(true));
}

TEST_CASE("sources: measure gives a flux, or a limit, for every place it is asked for") {
    const Bench b;
    put_field(b);
    b.must("detect -q field.fits -o found.fits" + tiny);
    const Table found = read_table(b / "found.fits", "SOURCES");
    b.must("measure -q field.fits --positions found.fits -o again.fits --model m.safetensors");
    const Table again = read_table(b / "again.fits", "SOURCES");
    REQUIRE(again.rows() == found.rows());
    const auto was = found.numbers("FLUX_PSF"), is = again.numbers("FLUX_PSF"), error = found.numbers("FLUXERR_PSF"),
               limit = again.numbers("LIMIT3"), error_again = again.numbers("FLUXERR_PSF");
    CHECK(again.numbers("X_IMAGE") == found.numbers("X_IMAGE"));
    CHECK(again.numbers("BLEND_ID") == found.numbers("BLEND_ID"));
    int far = 0;
    for (std::size_t i = 0; i < was.size(); ++i) {
        far += !(std::fabs(is[i] - was[i]) < 3 * error[i]);
        CHECK(std::fabs(limit[i] - std::max(is[i], 0.0) - 3 * error_again[i]) <= 1e-6 * limit[i]);
    }
    CHECK(far <= int(was.size() / 50));

    Table places;
    places.name = "PLACES";
    places.columns = {{"X_IMAGE", "pix", "", "", "", std::vector<double>{30.5, -40, NAN, 1e30}},
                      {"Y_IMAGE", "pix", "", "", "", std::vector<double>{40.25, 20, 3, 5}}};
    write_tables(b / "places.fits", {}, {places}, false);
    b.must("measure -q field.fits --positions places.fits -o four.fits --model m.safetensors");
    const Table four = read_table(b / "four.fits", "SOURCES");
    REQUIRE(four.rows() == 4);
    const auto flux = four.numbers("FLUX_PSF"), flags = four.numbers("FLAGS");
    CHECK(std::isfinite(flux[0]));
    for (std::size_t i = 1; i < 4; ++i) {
        CHECK(std::isnan(flux[i]));
        CHECK((int(flags[i]) & flag_truncated) != 0);
    }
    // Empty places beside faint stars aren't said to stand in a bright one's light; those beside a bright star are.
    b.put("stars.csv", "x,y,mag\n30.5,30.5,26\n90.5,60.5,18.5\n");
    b.must("simulate -q -o two.fits --width 120 --height 100 --set scene.stars=list --set scene.list=stars.csv");
    const Table two = read_table(b / "two.fits", "STARS");
    const auto sx = two.numbers("X_IMAGE"), sy = two.numbers("Y_IMAGE");
    places.columns = {{"X_IMAGE", "pix", "", "", "", std::vector<double>{sx[0], sx[0] + 2.5, sx[1], sx[1] + 2.5}},
                      {"Y_IMAGE", "pix", "", "", "", std::vector<double>{sy[0], sy[0], sy[1], sy[1]}}};
    write_tables(b / "beside.fits", {}, {places}, false);
    b.must("measure -q two.fits --positions beside.fits -o beside_out.fits --model m.safetensors");
    const auto beside = read_table(b / "beside_out.fits", "SOURCES").numbers("FLAGS");
    REQUIRE(beside.size() == 4);
    const std::size_t outshone = two.numbers("MAG")[0] < 20 ? 1 : 3;
    for (std::size_t i = 0; i < 4; ++i) CHECK(((int(beside[i]) & flag_near_bright) != 0) == (i == outshone));
    b.refused("measure -q field.fits --positions field.fits -o none.fits --model m.safetensors --psf none", 2,
              {"--psf"});
    b.refused("measure -q field.fits --positions absent.fits -o none.fits --model m.safetensors", 3, {"absent.fits"});
    b.refused("measure -q field.fits --positions found.fits -o found.fits --overwrite --model m.safetensors", 2,
              {"found.fits", "input"});
}

TEST_CASE("sources: a PSF that doesn't fit is found out, and its misfit isn't taken for stars") {
    const Bench b;
    put_tiny_model(b);
    std::string list = "x,y,mag\n";
    for (int y = 0; y < 7; ++y)
        for (int x = 0; x < 7; ++x)
            list += fmt::format("{},{},{}\n", 26.3 + 26.37 * x, 26.6 + 26.21 * y, 18.5 + 0.03 * x);
    b.put("stars.csv", list);
    const auto put_psf = [&](const std::string& file, double fwhm) {
        const PsfPicture p = psf_picture(Psf::moffat(fwhm, 3, {4, 12}), 0.074);
        write_image(b / file, p.pixels, p.side, p.side, p.cards, false);
    };
    put_psf("right.fits", 2.2), put_psf("wrong.fits", 2.05);
    b.must(
        "simulate -q -o field.fits --width 210 --height 210 --set scene.stars=list --set scene.list=stars.csv --set "
        "psf.kind=file --set psf.file=right.fits");
    struct Found {
        std::size_t rows;
        double blur;  // px
        bool blur_said, error_said;
    };
    const auto detect = [&](const std::string& options) {
        const Outcome o = b.must("detect field.fits -o out.fits --overwrite" + tiny + options);
        const auto said = [&](const char* words) { return o.err.find(words) != std::string::npos; };
        const Table t = read_table(b / "out.fits", "SOURCES");
        double blur = -1;
        for (const Card& c : t.cards)
            if (c.key == "PSFBLUR") blur = std::get<double>(c.value);
        return Found{t.rows(), blur, said("are broader than the PSF"), said("(--psf-error)")};
    };
    const Found right = detect("--psf right.fits"), blurred = detect("--psf wrong.fits"),
                wrong = detect("--psf wrong.fits --psf-blur 0"),
                given = detect("--psf wrong.fits --psf-blur 0 --psf-error 0.01");
    MESSAGE("49 stars: ", right.rows, " rows with their PSF; with a narrower one ", blurred.rows, ", blurred by ",
            blurred.blur, " px, ", wrong.rows, " if it isn't, ", given.rows, " if it is held for right");
    CHECK(right.blur == 0);
    CHECK((!right.blur_said && !right.error_said));
    CHECK(blurred.blur_said);
    CHECK(blurred.blur == doctest::Approx(0.34).epsilon(0.15));  // a Gaussian that takes FWHM 2.05 to 2.2: 0.339
    CHECK(blurred.rows < right.rows + 20);                       // its wings still aren't theirs
    CHECK((wrong.blur == 0 && !wrong.blur_said && wrong.error_said));
    CHECK(wrong.rows < right.rows + 10);
    CHECK((!given.blur_said && !given.error_said));
    CHECK(given.rows > right.rows + 10);
    CHECK(detect("--psf wrong.fits --psf-blur 0.34 --psf-error 0.01").blur == 0.34);
    b.refused("detect field.fits -o no.fits" + tiny + "--psf wrong.fits --psf-blur 0.01", 2, {"--psf-blur"});
    // The page's models have the blur, too: of one name and the same rows, pages differ by it alone.
    detect("--psf wrong.fits --psf-blur 0.34");
    Table sources = read_table(b / "out.fits", "SOURCES");
    const auto page = [&](const char* file, double blur) {
        for (Card& c : sources.cards)
            if (c.key == "PSFBLUR") c.value = blur;
        write_tables(b / "out.fits", {}, {read_table(b / "out.fits", "BLENDS"), sources}, true);
        CHECK(b.must("report out.fits field.fits -o " + std::string(file)).err.find("warning") == std::string::npos);
        return b.get(file);
    };
    const std::string blurred_page = page("blurred.html", 0.34);
    CHECK(page("again.html", 0.34) == blurred_page);
    CHECK(page("sharp.html", 0) != blurred_page);
    CHECK(page("hostile.html", 1e-3) == b.get("sharp.html"));
}
