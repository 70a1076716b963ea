// Files as HST, JWST, LSST, DES and DECam write them: pixels, mask, noise, units and zero point as their pipelines mean
// them.
#include <cmath>

#include "kernels/random.h"
#include "tests/io_fits_raw.h"
#include "tests/program_run.h"
#include "tools/observation.h"
#include "tools/zero_point.h"

using namespace star;
using namespace star::test;

namespace {

constexpr int W = 20, H = 12;
constexpr std::size_t N = std::size_t(W) * H;

std::string quoted(const std::string& s) { return "'" + s + "'"; }

std::string primary(const std::vector<std::string>& cards) {
    std::vector<std::string> all = image_cards(8, {}, {card("EXTEND", "T")});
    all.insert(all.end(), cards.begin(), cards.end());
    return header_of(all);
}

template <class T>
std::string extension(const std::string& name, int version, int bitpix, const std::vector<T>& values,
                      std::vector<std::string> cards = {}) {
    cards.insert(cards.begin(), {card("PCOUNT", "0"), card("GCOUNT", "1"), card("EXTNAME", quoted(name)),
                                 card("EXTVER", std::to_string(version))});
    return header_of(image_cards(bitpix, {W, H}, cards, "XTENSION= 'IMAGE   '")) + blocks(big_endian(values), '\0');
}

// A sky with some stars; no two pixels alike.
std::vector<float> pixels(double sky) {
    std::vector<float> v(N);
    for (std::size_t i = 0; i < N; ++i)
        v[i] = float(sky + 0.01 * double(i % 97) + (i % 11 == 5 ? 50.0 + double(i) : 0));
    return v;
}

/// read_variance + F / electrons.
std::vector<float> variances(const std::vector<float>& flux, double read_variance, double electrons) {
    std::vector<float> v;
    for (float f : flux) v.push_back(float(read_variance + double(f) / electrons));
    return v;
}

std::vector<float> roots(std::vector<float> v) {
    for (float& x : v) x = std::sqrt(x);
    return v;
}

Model plain_model() {
    Model m;
    m.name = "plain", m.pixel_scale = 0.05;
    return m;
}

Observation opened(const std::string& image, const PlaneOptions& planes = {}) {
    ObservationOptions o;
    o.image = image, o.planes = planes;
    Console console(Console::Level::quiet);
    return open_observation(o, plain_model(), console);
}

// The map's variances are the plane's, to float's rounding of one operation or two.
void same_variance(const Observation& o, const std::vector<float>& expected) {
    REQUIRE(o.map);
    for (std::size_t i = 0; i < N; ++i)
        if (!(o.state(i) & pixel_bad)) CHECK(std::fabs(o.map->variance[i] / expected[i] - 1) < 3 * 0x1p-24);
}

}  // namespace

TEST_CASE("layouts: HST, by EXTVER, with the primary's cards") {
    const Folder t;
    const auto first = pixels(3), second = pixels(7);
    const auto variance = variances(second, 25, 1);
    std::vector<std::int16_t> dq(N);
    dq[1] = 64, dq[2] = 16, dq[3] = 256, dq[4] = 4096, dq[5] = 1024 | 32, dq[6] = 2048 | 4;
    const std::vector<std::string> calibrated{card("BUNIT", "'ELECTRONS'"), card("INHERIT", "T"),
                                              card("PHOTFLAM", "1.5E-19"), card("PHOTPLAM", "8045.0")};
    const std::string name =
        t.put("hst.fits", primary({card("TELESCOP", "'HST'"), card("INSTRUME", "'ACS'"), card("EXPTIME", "500.0"),
                                   card("READNSEA", "4.0"), card("READNSEB", "4.4")}) +
                              extension("SCI", 1, -32, first, calibrated) + extension("ERR", 1, -32, first) +
                              extension("DQ", 1, 16, std::vector<std::int16_t>(N)) +
                              extension("SCI", 2, -32, second, calibrated) + extension("ERR", 2, -32, roots(variance)) +
                              extension("DQ", 2, 16, dq));
    const Observation o = opened(name + "[SCI,2]");
    CHECK(o.image.pixels == second);
    CHECK(o.image.header.number("EXPTIME") == 500.0);  // inherited
    for (const auto& [i, state] : std::vector<std::pair<std::size_t, int>>{{0, 0},
                                                                           {1, 0},
                                                                           {2, pixel_bad},
                                                                           {3, pixel_saturated},
                                                                           {4, pixel_bad | pixel_cosmic},
                                                                           {5, 0},
                                                                           {6, pixel_bad | pixel_saturated}}) {
        CAPTURE(i);
        CHECK(int(o.state(i)) == state);
    }
    same_variance(o, variance);
    CHECK(o.flux_unit == "electron");
    CHECK(!o.rate);
    CHECK(o.noise.electrons_per_unit == 1);
    CHECK(std::fabs(o.read_noise.value - 4.2) < 1e-12);
    // ACS Data Handbook, 5.1: ABmag zero point of 1 e-/s, then the exposure's 500 s.
    const double ab = -2.5 * std::log10(1.5e-19) - 5 * std::log10(8045.0) - 2.408 + 2.5 * std::log10(500.0);
    CHECK(std::fabs(o.zeropoint.value - ab) < 1e-12);
    CHECK(o.magnitude_system == "AB");
    CHECK(opened(name).image.pixels == first);
    const Observation bare = opened(name + "[SCI,2]", {"none", "none", "", ""});
    CHECK(!bare.map);
    CHECK(bare.mask.empty());
    CHECK(int(opened(name + "[SCI,2]", {"", "", "", "0x40"}).state(1)) == pixel_bad);
}

TEST_CASE("layouts: JWST, MJy/sr, DO_NOT_USE, the gain from the errors") {
    const Folder t;
    const auto flux = pixels(0.5);
    const double electrons = 101.5;
    const auto variance = variances(flux, 0.004, electrons);
    std::vector<std::int32_t> dq(N);
    dq[0] = 1, dq[1] = 2, dq[2] = 1 << 22, dq[3] = 5;
    std::vector<float> err = roots(variance);
    err[9] = NAN;
    const std::string name = t.put(
        "jwst.fits", primary({card("TELESCOP", "'JWST'"), card("INSTRUME", "'NIRCAM'"), card("EFFEXPTM", "42.9")}) +
                         extension("SCI", 1, -32, flux,
                                   {card("BUNIT", "'MJy/sr'"), card("PIXAR_SR", "9.31E-14"), card("PHOTMJSR", "0.3925"),
                                    card("XPOSURE", "42.947")}) +
                         extension("ERR", 1, -32, err) + extension("DQ", 1, 32, dq));
    const Observation o = opened(name);
    CHECK(o.image.pixels == flux);
    CHECK(int(o.state(0)) == pixel_bad);
    CHECK(int(o.state(1)) == 0);
    CHECK(int(o.state(2)) == 0);
    CHECK(int(o.state(3)) == pixel_bad);
    CHECK(int(o.state(9)) == pixel_bad);  // without an error
    CHECK(int(o.hidden[9]) == pixel_bad);
    same_variance(o, variance);
    CHECK(o.flux_unit == "MJy/sr");
    // Variance is linear in flux, so that medians keep the slope; floats round both to 2^-24 of at most 300.
    CHECK(std::fabs(o.noise.electrons_per_unit / electrons - 1) < 1e-5);
    CHECK(o.exptime.value == 42.947);
    // 1 MJy/sr of a pixel in Jy, and AB magnitude 0 at 3631 Jy.
    CHECK(std::fabs(o.zeropoint.value + 2.5 * std::log10(1e6 * 9.31e-14 / 3631)) < 1e-12);
    CHECK(o.magnitude_system == "AB");
}

TEST_CASE("layouts: LSST, planes of the mask as its header names them, nJy") {
    const Folder t;
    const auto flux = pixels(100);
    const auto variance = variances(flux, 9, 2);
    std::vector<std::int32_t> mask(N);
    mask[1] = 1 << 0, mask[2] = 1 << 1, mask[3] = 1 << 2 | 1 << 3, mask[4] = 1 << 5, mask[5] = 1 << 8;
    const std::string name = t.put(
        "lsst.fits", primary({}) + extension("IMAGE", 1, -32, flux, {card("BUNIT", "'nJy'")}) +
                         extension("MASK", 1, 32, mask,
                                   {card("MP_BAD", "0"), card("MP_SAT", "1"), card("MP_INTRP", "2"), card("MP_CR", "3"),
                                    card("MP_EDGE", "4"), card("MP_DETECTED", "5"), card("HIERARCH MP_NO_DATA = 8")}) +
                         extension("VARIANCE", 1, -32, variance));
    const Observation o = opened(name);
    CHECK(o.image.pixels == flux);
    CHECK(int(o.state(1)) == pixel_bad);
    CHECK(int(o.state(2)) == pixel_saturated);
    CHECK(int(o.state(3)) == (pixel_bad | pixel_cosmic));
    CHECK(int(o.state(4)) == 0);  // DETECTED is no fault
    CHECK(int(o.state(5)) == pixel_bad);
    same_variance(o, variance);
    CHECK(std::fabs(o.noise.electrons_per_unit / 2 - 1) < 1e-5);
    CHECK(o.flux_unit == "nJy");
    CHECK(std::fabs(o.zeropoint.value - 2.5 * std::log10(3631e9)) < 1e-12);  // 31.4
}

TEST_CASE("layouts: DES in one file; DECam's image, weight map and codes in three") {
    const Folder t;
    const auto flux = pixels(1000);
    std::vector<float> ivar(N);
    const auto variance = variances(flux, 30, 4);
    for (std::size_t i = 0; i < N; ++i) ivar[i] = 1 / variance[i];
    ivar[7] = 0;
    std::vector<std::int16_t> msk(N), codes(N);
    msk[1] = 1, msk[2] = 2, msk[3] = 16, msk[4] = 32;
    codes[1] = 1, codes[2] = 3, codes[3] = 5;
    const std::vector<std::string> camera{card("INSTRUME", "'DECam'"), card("GAINA", "3.9"),    card("GAINB", "4.1"),
                                          card("RDNOISEA", "6.0"),     card("RDNOISEB", "7.0"), card("EXPTIME", "90"),
                                          card("SATURATE", "60000.0"), card("MAGZERO", "30.5")};
    const std::string des = t.put("des.fits", primary({}) + extension("SCI", 1, -32, flux, camera) +
                                                  extension("MSK", 1, 16, msk, {card("INSTRUME", "'DECam'")}) +
                                                  extension("WGT", 1, -32, ivar));
    const std::string image = t.put("c4d_ooi.fits", primary({}) + extension("N1", 1, -32, pixels(5), camera) +
                                                        extension("S29", 1, -32, flux, camera)),
                      weights = t.put("c4d_oow.fits",
                                      primary({card("PRODTYPE", "'wtmap'")}) + extension("N1", 1, -32, pixels(5)) +
                                          extension("S29", 1, -32, ivar, {card("PRODTYPE", "'wtmap'")})),
                      quality =
                          t.put("c4d_ood.fits", primary({}) + extension("N1", 1, 16, msk) +
                                                    extension("S29", 1, 16, codes, {card("INSTRUME", "'DECam'")}));
    for (const Observation& o : {opened(des), opened(image + "[S29]", {quality, weights, "", ""})}) {
        CHECK(o.image.pixels == flux);
        CHECK(int(o.state(1)) == pixel_bad);
        CHECK(int(o.state(2)) == pixel_saturated);
        CHECK(int(o.state(3)) == (pixel_bad | pixel_cosmic));
        CHECK(int(o.state(4)) == 0);
        CHECK(int(o.state(7)) == pixel_bad);  // no weight
        same_variance(o, variance);
        CHECK(std::fabs(o.gain.value - 4) < 1e-12);
        CHECK(std::fabs(o.read_noise.value - 6.5) < 1e-12);
        CHECK(o.zeropoint.value == 30.5);
        CHECK(o.saturate.value == 60000);
    }
    // Without a word about the kind of a plane nobody guesses.
    const std::string plain = t.put("plain.fits", image_file<float>(-32, {W, H}, ivar));
    CHECK(fault([&] { opened(des, {"", plain, "", ""}); }) == Fault::usage);
    same_variance(opened(des, {"", plain, "ivar", ""}), variance);
    CHECK(fault([&] { opened(des, {"", plain, "precision", ""}); }) == Fault::usage);
    CHECK(fault([&] { opened(plain, {"", "", "rms", ""}); }) == Fault::usage);
    CHECK(fault([&] { opened(plain, {"", "", "", "1"}); }) == Fault::usage);
    CHECK(fault([&] { opened(des, {"", "", "", "0"}); }) == Fault::usage);
    const std::string small = t.put("small.fits", image_file<float>(-32, {3, 2}, std::vector<float>(6, 1)));
    CHECK(message([&] { opened(des, {"", small, "rms", ""}); }).find("small.fits") != std::string::npos);
}

TEST_CASE("layouts: relative weights are scaled to the noise") {
    // White noise of sigma 3, of 1.5 where the weight is four times as large; and a plane that says only the ratio.
    const Folder t;
    constexpr int side = 256;
    std::vector<float> image(side * side), weight(side * side);
    Random random(7, 0);
    for (std::size_t i = 0; i < image.size(); ++i) {
        const bool deep = i % side >= side / 2;
        weight[i] = deep ? 40 : 10, image[i] = float(1000 + (deep ? 1.5 : 3.0) * random.normal());
    }
    const std::string name = t.put("image.fits", image_file<float>(-32, {side, side}, image)),
                      plane = t.put("weight.fits", image_file<float>(-32, {side, side}, weight));
    ObservationOptions o;
    o.image = name, o.planes = {"", plane, "weight", ""};
    o.gain = 1e9;  // nothing but what the image shows
    o.read_noise = 0;
    Console console(Console::Level::quiet);
    Model model = plain_model();
    model.exposure.rate = false;
    const Observation seen = open_observation(o, model, console);
    REQUIRE(seen.map);
    CHECK(std::fabs(seen.map->variance[0] / seen.map->variance[side - 1] - 4) < 1e-5);
    // The estimate is the lower quartile of 16 cells' medians of 4096 values each: 1.4826 MAD has a standard error of
    // 1.17 / sqrt(n / 2) with neighbours in the filter sharing pixels, some 3 %; three times that.
    CHECK(std::fabs(std::sqrt(seen.map->variance[0]) / 3 - 1) < 0.09);
}

TEST_CASE("layouts: detect takes the planes of a file and says so") {
    const Bench b;
    put_tiny_model(b);
    b.must("simulate -q -o field.fits --width 120 --height 100");
    const Outcome with = b.must("detect field.fits -o with.fits --model m.safetensors --threshold 0.05");
    CHECK(with.err.find("VARIANCE (variance)") != std::string::npos);
    CHECK(with.err.find("mask from MASK") != std::string::npos);
    CHECK(with.err.find("--weight none") != std::string::npos);
    const Outcome without =
        b.must("detect field.fits -o without.fits --model m.safetensors --threshold 0.05 --weight none --mask none");
    CHECK(without.err.find("noise from") == std::string::npos);
    b.refused("detect -q field.fits -o no.fits --model m.safetensors --weight none.fits", 3, {"none.fits"});
}
