// Real images that nobody tuned for: a sensible catalogue or a clear warning, never a crash.
#include <algorithm>
#include <cmath>

#include "tests/program_run.h"
#include "tests/skip.h"
#include "tools/catalogue.h"
#include "tools/sources.h"

using namespace star;
using namespace star::test;

namespace {

// Detects with the model built in; every row's place lies in the image.
Outcome detected(const Bench& b, const std::string& file, double width, double height, const std::string& more = "") {
    const Outcome o = b.run("detect " + file + " -o out.fits --overwrite" + more);
    INFO(o.err);
    CHECK(o.code == 0);
    for (const Blend& u : read_blends(b / "out.fits")) {
        CHECK((u.x >= 0 && u.x <= width && u.y >= 0 && u.y <= height));
        CHECK((u.flags & flag_out_of_domain) != 0);
    }
    CHECK(verified(b, "out.fits").value_or(true));
    return o;
}

bool says(const Outcome& o, const std::string& text) { return o.err.find(text) != std::string::npos; }

}  // namespace

TEST_CASE("real images: JWST NIRCam, with its errors, its mask and its zero point") {
    const std::string data = real_data();
    if (data.empty()) return skip("no real data (STARBLEND_DATA)");
    const Bench b;
    const Outcome o = detected(b, data + "/images/ngc346_nircam_f444w_100x100.fits", 100, 100);
    INFO(o.err);
    CHECK(says(o, "mask from DQ (JWST"));
    CHECK(says(o, "noise from ERR (rms)"));
    CHECK(says(o, "outside what model"));
    CHECK(!says(o, "estimated from the image"));
    const Table blends = read_table(b / "out.fits", "BLENDS");
    CHECK(blends.rows() > 10);
    // AB, of MJy/sr through PIXAR_SR = 9.31e-14: the brightest star of the cut-out is between 17 and 23.
    const auto mag = blends.numbers("MAG");
    double brightest = 99;
    for (double m : mag)
        if (std::isfinite(m)) brightest = std::min(brightest, m);
    CHECK(brightest > 17);
    CHECK(brightest < 23);
}

TEST_CASE("real images: JWST's brightest star is one, and its lobed halo none") {
    const std::string data = real_data();
    if (data.empty()) return skip("no real data (STARBLEND_DATA)");
    const Bench b;
    const Outcome o = detected(b, data + "/images/ngc346_nircam_f444w_100x100.fits", 100, 100,
                               " --psf " + data + "/images/ngc346_nircam_psf.fits");
    INFO(o.err);
    CHECK(says(o, "are broader than the PSF"));  // it has no charge diffusion and no jitter
    const Table t = read_table(b / "out.fits", "SOURCES");
    double blur = 0;
    for (const Card& c : t.cards)
        if (c.key == "PSFBLUR") blur = std::get<double>(c.value);
    CHECK(blur == doctest::Approx(0.22).epsilon(0.2));
    const auto x = t.numbers("X_IMAGE"), y = t.numbers("Y_IMAGE"), flux = t.numbers("FLUX_PSF");
    const auto first = std::size_t(std::max_element(flux.begin(), flux.end()) - flux.begin());
    int core = 0, halo = 0;
    for (std::size_t i = 0; i < t.rows(); ++i) {
        const double r = std::hypot(x[i] - x[first], y[i] - y[first]);
        core += i != first && r < 2, halo += r >= 2 && r < 12;
    }
    MESSAGE(t.rows(), " stars; ", core, " within 2 px of the brightest, ", halo, " more within 12 px");
    CHECK(core == 0);
    // As many as anywhere: 110 on 100 x 100 px are five there, nine or more with a chance of 7 %.
    CHECK(halo < 9);
}

TEST_CASE("real images: Spitzer IRAC, MJy/sr without a noise map") {
    const std::string data = real_data();
    if (data.empty()) return skip("no real data (STARBLEND_DATA)");
    const Bench b;
    const Outcome o = detected(b, data + "/images/spitzer_example_image.fits", 1025, 513, " --psf none");
    INFO(o.err);
    CHECK(says(o, "outside what model"));
    CHECK(read_blends(b / "out.fits").size() > 100);
}

TEST_CASE("real images: a photographic plate, integers without a unit") {
    const std::string data = real_data();
    if (data.empty()) return skip("no real data (STARBLEND_DATA)");
    const Bench b;
    const Outcome o = detected(b, data + "/images/m13.fits", 300, 300, " --psf none");
    INFO(o.err);
    CHECK(says(o, "outside what model"));
    CHECK(says(o, "estimated from the image"));
}
