// Pixels to the sky as astropy has it (7.x's all_pix2world, stored as numbers), for real headers and made-up ones.
#include <doctest/doctest.h>

#include <atomic>
#include <cmath>
#include <initializer_list>
#include <numbers>
#include <thread>
#include <vector>

#include "io/fits_image.h"
#include "io/wcs.h"
#include "tests/io_fits_raw.h"
#include "tests/io_folder.h"

using namespace star;

namespace {

struct Reference {
    double x, y, ra, dec;
};

double separation_mas(SkyPosition a, double ra, double dec) {
    const double degree = std::numbers::pi / 180;
    const double d = a.dec - dec;
    double r = a.ra - ra;
    r -= 360 * std::round(r / 360);
    return std::hypot(d, r * std::cos(dec * degree)) * 3.6e6;
}

void agrees(const Wcs& wcs, std::initializer_list<Reference> list) {
    for (const Reference& p : list) {
        CAPTURE(p.x);
        CAPTURE(p.y);
        CHECK(separation_mas(wcs.to_sky({p.x, p.y}), p.ra, p.dec) < 0.1);
        // 0.1 mas is some 10^-6 px; there and back loses only rounding and the last step of the iteration.
        const PixelPosition back = wcs.to_pixel(wcs.to_sky({p.x, p.y}));
        CHECK(std::hypot(back.x - p.x, back.y - p.y) < 1e-6);
    }
}

FitsHeader header(std::initializer_list<Card> cards) { return {"test.fits", cards}; }

const std::initializer_list<Card> base{{"CRPIX1", 1024.5, ""}, {"CRPIX2", 1000.25, ""}, {"CRVAL1", 150.1, ""},
                                       {"CRVAL2", -40.2, ""},  {"CD1_1", -7.1e-5, ""},  {"CD1_2", 1.2e-6, ""},
                                       {"CD2_1", 1.1e-6, ""},  {"CD2_2", 7.2e-5, ""}};
const std::initializer_list<Card> sip{{"A_ORDER", std::int64_t{3}, ""},
                                      {"B_ORDER", std::int64_t{3}, ""},
                                      {"A_2_0", 2e-6, ""},
                                      {"A_1_1", -3e-6, ""},
                                      {"A_0_3", 1e-10, ""},
                                      {"B_0_2", 4e-6, ""},
                                      {"B_2_1", -2e-10, ""}};
const std::initializer_list<Card> pv{
    {"PV1_0", 1e-4, ""},  {"PV1_1", 1.01, ""}, {"PV1_2", 2e-3, ""}, {"PV1_4", 3e-3, ""}, {"PV1_7", -0.02, ""},
    {"PV2_0", -2e-4, ""}, {"PV2_1", 0.99, ""}, {"PV2_2", 1e-3, ""}, {"PV2_5", 4e-3, ""}, {"PV2_10", 0.03, ""}};

FitsHeader with(const char* ctype1, const char* ctype2, std::initializer_list<std::initializer_list<Card>> parts) {
    FitsHeader h = header({{"CTYPE1", std::string(ctype1), ""}, {"CTYPE2", std::string(ctype2), ""}});
    for (const auto& part : parts) h.cards.insert(h.cards.end(), part.begin(), part.end());
    return h;
}

const std::initializer_list<Reference> sip_sky{{1, 1, 150.19377821959935, -40.27273249803715},
                                               {2048, 2048, 150.0067108838416, -40.12309952369609},
                                               {100.5, 1900.25, 150.18683142239877, -40.13595708369574}};
const std::initializer_list<Reference> pv_sky{{1, 1, 150.19455811778096, -40.27244107782415},
                                              {2048, 2048, 150.00603561478798, -40.12446806986486},
                                              {100.5, 1900.25, 150.188404469685, -40.13692805746407}};

}  // namespace

TEST_CASE("SIP, TPV, TAN with PV and CROTA give astropy's coordinates to 0.1 mas") {
    agrees(*Wcs::from_header(with("RA---TAN-SIP", "DEC--TAN-SIP", {base, sip})), sip_sky);
    agrees(*Wcs::from_header(with("RA---TAN", "DEC--TAN", {base, sip})), sip_sky);  // no suffix: applied all the same
    agrees(*Wcs::from_header(with("RA---TAN-SIP", "DEC--TAN-SIP",
                                  {base, sip, {{"PV1_1", 1.01, ""}, {"PV1_5", 0.001, ""}, {"PV2_1", 1.02, ""}}})),
           sip_sky);  // SCAMP's PV beside SIP are ignored
    agrees(*Wcs::from_header(with("RA---TPV", "DEC--TPV", {base, pv})), pv_sky);
    agrees(*Wcs::from_header(with("RA---TAN", "DEC--TAN", {base, pv})), pv_sky);
    agrees(*Wcs::from_header(with("RA---TAN", "DEC--TAN",
                                  {{{"CRPIX1", 10.0, ""},
                                    {"CRPIX2", 20.0, ""},
                                    {"CRVAL1", 359.9999, ""},
                                    {"CRVAL2", 89.9, ""},
                                    {"CDELT1", -1e-3, ""},
                                    {"CDELT2", 1e-3, ""},
                                    {"CROTA2", 30.0, ""}}})),
           {{1, 1, 8.781291372376984, 89.88671762677404},
            {2048, 2048, 257.08360808190304, 87.15131010156135},
            {100.5, 1900.25, 214.4788899307755, 88.2015349908966}});
}

// astropy 8.0.2: WCS({'CTYPE1': 'RA---TAN', 'CTYPE2': 'DEC--TAN', 'CRPIX1': 1024.5, ..., 'PC1_1': -0.98, ...})
// .all_pix2world([[1, 1], [2048, 2048], [100.5, 1900.25]], 1)
TEST_CASE("TAN by CD, by PC and CDELT, by CDELT and CROTA2 gives astropy's coordinates to 0.1 mas") {
    const std::initializer_list<Card> centre{
        {"CRPIX1", 1024.5, ""}, {"CRPIX2", 1000.25, ""}, {"CRVAL1", 150.1, ""}, {"CRVAL2", -40.2, ""}};
    const auto tan = [&](std::initializer_list<Card> matrix) {
        return *Wcs::from_header(with("RA---TAN", "DEC--TAN", {centre, matrix}));
    };
    agrees(*Wcs::from_header(with("RA---TAN", "DEC--TAN", {base})),
           {{1, 1, 150.1936721883744, -40.27303404447462},
            {2048, 2048, 150.00661042508978, -40.12339869036495},
            {100.5, 1900.25, 150.18722390750486, -40.13618370741861}});
    agrees(tan({{"PC1_1", -0.98, ""},
                {"PC1_2", 0.17, ""},
                {"PC2_1", 0.16, ""},
                {"PC2_2", 0.99, ""},
                {"CDELT1", 7.2e-5, ""},
                {"CDELT2", 7.1e-5, ""}}),
           {{1, 1, 150.17863332371581, -40.281837572556626},
            {2048, 2048, 150.02233652026194, -40.114700819299166},
            {100.5, 1900.25, 150.1997047572247, -40.14719289976747}});
    agrees(tan({{"CDELT1", -7.2e-5, ""}, {"CDELT2", 7.1e-5, ""}, {"CROTA2", 30.0, ""}}),
           {{1, 1, 150.2300456899442, -40.22452291709638},
            {2048, 2048, 149.96780106836277, -40.17234698007946},
            {100.5, 1900.25, 150.13355796370985, -40.11139220499576}});
}

TEST_CASE("an extension inherits what its primary header says, if it asks for it") {
    const Folder t;
    const std::vector<std::string> primary = image_cards(
        8, {},
        {card("CTYPE1", "'RA---TAN'"), card("CTYPE2", "'DEC--TAN'"), card("CRVAL1", "150.1"), card("CRVAL2", "-40.2"),
         card("CD1_1", "-7.1E-5"), card("CD1_2", "1.2E-6"), card("CD2_1", "1.1E-6"), card("CD2_2", "7.2E-5"),
         card("BUNIT", "'adu'"), card("BZERO", "7"), card("CRPIX1", "1.0")});
    const auto read = [&](const char* inherit) {
        std::vector<std::string> cards{card("PCOUNT", "0"), card("GCOUNT", "1"), card("CRPIX1", "1024.5"),
                                       card("CRPIX2", "1000.25")};
        if (inherit) cards.push_back(card("INHERIT", inherit));
        return read_image(t.put("mef.fits", header_of(primary) +
                                                header_of(image_cards(-32, {2, 1}, cards, "XTENSION= 'IMAGE   '")) +
                                                blocks(big_endian<float>({3, 4}), '\0')));
    };
    const FitsImage heir = read("T");
    agrees(*Wcs::from_header(heir.header), {{1, 1, 150.1936721883744, -40.27303404447462}});  // its own CRPIX1
    CHECK(heir.header.text("BUNIT") == "adu");
    CHECK(heir.pixels == std::vector<float>{3, 4});  // BZERO is the primary's own
    CHECK(!Wcs::from_header(read("F").header));
    CHECK(!Wcs::from_header(read(nullptr).header));
    CHECK(fault([&] { read("'maybe'"); }) == Fault::input);
}

TEST_CASE("a real HST, JWST and Spitzer header") {
    const std::string data = real_data();
    if (data.empty()) {
        MESSAGE("skipped: no real data (STARBLEND_DATA)");
        return;
    }
    const FitsImage hst = read_image(data + "/m31_phat/ap142_F475W.fits");
    const Wcs wcs = *Wcs::from_header(hst.header);
    agrees(wcs, {{1, 1, 11.104037378846657, 41.56413674788429},
                 {151.25, 150.5, 11.101249529372714, 41.566213555921095},
                 {301, 301, 11.098470786276101, 41.568304182770476},
                 {17.125, 280.75, 11.103739830939524, 41.56802188216335}});
    CHECK(wcs.frame() == "FK5");
    CHECK(std::fabs(wcs.pixel_scale() - 0.05) < 1e-4);
    const FitsImage jwst = read_image(data + "/images/ngc346_nircam_f444w_100x100.fits");
    agrees(*Wcs::from_header(jwst.header), {{1, 1, 14.772520928039533, -72.15060189274877},
                                            {50.5, 50.5, 14.769426731969247, -72.15140202851315},
                                            {100, 100, 14.766334370318956, -72.15220061212571},
                                            {12.25, 93.5, 14.767123445015129, -72.15066957613294}});
    // Galactic: WCSLIB's l, b turned to ICRS; reference from ERFA's g2icrs.
    const FitsImage spitzer = read_image(data + "/images/spitzer_example_image.fits");
    agrees(*Wcs::from_header(spitzer.header),
           {{1, 1, 275.9945762461245, -12.854698701228951}, {500, 1000.5, 275.6127509864599, -12.845395486858822}});
}

TEST_CASE("no celestial WCS is no WCS; the frame follows the standard's defaults") {
    CHECK(!Wcs::from_header(header({})));
    CHECK(!Wcs::from_header(header({{"CTYPE1", std::string("LINEAR"), ""}, {"CTYPE2", std::string("LINEAR"), ""}})));
    CHECK(!Wcs::from_header(header({{"CTYPE1", std::string("RA---TAN"), ""}, {"CTYPE2", std::string("FREQ"), ""}})));
    const auto frame = [](std::initializer_list<Card> cards) {
        return Wcs::from_header(with("RA---TAN", "DEC--TAN", {base, cards}))->frame();
    };
    CHECK(frame({}) == "ICRS");
    CHECK(frame({{"EQUINOX", 2000.0, ""}}) == "FK5");
    CHECK(frame({{"EQUINOX", 1950.0, ""}}) == "FK4");
    CHECK(frame({{"RADECSYS", std::string("FK5"), ""}}) == "FK5");
}

TEST_CASE("an invalid WCS is an error that names the file, whatever the cards") {
    const auto bad = [](std::initializer_list<Card> cards) {
        return fault([&] { Wcs::from_header(with("RA---TAN", "DEC--TAN", {cards, base})); });
    };
    CHECK(bad({{"CD1_1", 0.0, ""}, {"CD1_2", 0.0, ""}}) == Fault::input);  // singular
    CHECK(bad({{"CRPIX1", std::string("left"), ""}}) == Fault::input);
    CHECK(bad({{"CUNIT1", std::string("parsec"), ""}}) == Fault::input);
    CHECK(bad({{"CUNIT1", std::string(60, 'x'), ""}}) == Fault::input);
    CHECK(bad({{"A_ORDER", std::int64_t{1000000}, ""}, {"B_ORDER", std::int64_t{2}, ""}}) == Fault::input);
    CHECK(fault([&] { Wcs::from_header(with("RA---XYZ", "DEC--XYZ", {base})); }) == Fault::input);
    CHECK(fault([&] { Wcs::from_header(with("RA---TAN", "DEC--SIN", {base})); }) == Fault::input);
    CHECK(message([&] { Wcs::from_header(with("RA---XYZ", "DEC--XYZ", {base})); }).rfind("test.fits: CTYPE1", 0) == 0);
    // Cards that WCSLIB has no use for, or that have crashed it, never reach it.
    FitsHeader odd = with("RA---TAN", "DEC--TAN", {base});
    for (const char* key : {"CD1_99", "PC999_1", "PV1_40", "PS1_0", "DQ1", "DP1", "CPDIS1", "A_9_9", "WCSAXESA",
                            "CTYPE3", "NAXIS999", "OBSGEO-X"})
        odd.cards.push_back({key, std::string(68, '('), ""});
    CHECK(Wcs::from_header(odd));
}

TEST_CASE("a position has two numbers, or none") {
    const FitsHeader h = with("RA---TPV", "DEC--TPV",
                              {{{"CRPIX1", 1024.5, ""},
                                {"CRPIX2", 1000.25, ""},
                                {"CRVAL1", 150.1, ""},
                                {"CRVAL2", -40.2, ""},
                                {"PV2_10", 0.03, ""}}});
    const Wcs wcs = *Wcs::from_header(h);
    for (const PixelPosition p : {PixelPosition{1, 1}, {1024.5, 7}, {-1e6, 1e6}, {1e300, -1e300}, {INFINITY, 0}}) {
        const SkyPosition sky = wcs.to_sky(p);
        const PixelPosition back = wcs.to_pixel(sky);
        CHECK(std::isfinite(sky.ra) == std::isfinite(sky.dec));
        CHECK(std::isfinite(back.x) == std::isfinite(back.y));
        CHECK(!std::isinf(back.x));
    }
}

TEST_CASE("copies and one object work in several threads") {
    const Wcs wcs = *Wcs::from_header(with("RA---TAN-SIP", "DEC--TAN-SIP", {base, sip}));
    const SkyPosition expected = wcs.to_sky({77, 1234});
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&, t] {
            const Wcs own = wcs;
            for (int i = 0; i < 300; ++i) {
                const SkyPosition p = (t % 2 ? wcs : own).to_sky({77, 1234});
                if (p.ra != expected.ra || p.dec != expected.dec) ++wrong;
                const Wcs another = own;
                const PixelPosition back = another.to_pixel(p);
                if (!(std::hypot(back.x - 77, back.y - 1234) < 1e-6)) ++wrong;
            }
        });
    for (std::thread& t : threads) t.join();
    CHECK(wrong == 0);
}
