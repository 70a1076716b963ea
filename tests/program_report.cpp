// The page of a catalogue: what its data say is what the files say, it stays within its size, and it asks for nothing.
#include <zlib.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <random>

#include "io/fits_image.h"
#include "io/fits_writer.h"
#include "io/wcs.h"
#include "tests/program_run.h"
#include "tools/base64.h"
#include "tools/page_pixels.h"
#include "tools/page_sky.h"
#include "tools/page_table.h"

using namespace star;
using namespace star::test;
using Json = nlohmann::json;

namespace {

std::string from_base64(const std::string& text) {
    std::string bytes;
    unsigned word = 0;
    int bits = 0;
    for (const char c : text) {
        const auto at = std::string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/").find(c);
        if (c == '=') break;
        REQUIRE(at != std::string::npos);
        word = word << 6 | unsigned(at), bits += 6;
        if (bits >= 8) bits -= 8, bytes.push_back(char(word >> bits & 255));
    }
    return bytes;
}

std::string unpacked(const std::string& text, std::size_t size) {
    const std::string packed = from_base64(text);
    std::string bytes(size + 1, '\0');  // one more, so that a longer stream is seen
    uLongf length = bytes.size();
    REQUIRE(uncompress(reinterpret_cast<Bytef*>(bytes.data()), &length, reinterpret_cast<const Bytef*>(packed.data()),
                       packed.size()) == Z_OK);
    REQUIRE(length == size);
    bytes.resize(size);
    return bytes;
}

// As tools/pages/unpack.js has it.
std::vector<double> values_of(const PackedPixels& p) {
    const std::size_t n = std::size_t(p.width) * std::size_t(p.height);
    const std::string bytes = unpacked(p.data, 2 * n);
    std::vector<double> values;
    for (std::size_t i = 0; i < n; ++i) {
        const int code = static_cast<unsigned char>(bytes[i]) << 8 | static_cast<unsigned char>(bytes[n + i]);
        values.push_back(code ? p.sky + p.unit * std::sinh((code - p.middle) / p.per_e) : NAN);
    }
    return values;
}

std::map<std::string, std::vector<double>> columns_of(const Json& t) {
    const std::size_t n = t["rows"];
    const std::string bytes = unpacked(t["data"], 4 * n * t["columns"].size());
    std::map<std::string, std::vector<double>> columns;
    for (std::size_t k = 0; k < t["columns"].size(); ++k) {
        const Json& c = t["columns"][k];
        for (std::size_t i = 0; i < n; ++i) {
            std::uint32_t word = 0;
            for (std::size_t plane = 0; plane < 4; ++plane)
                word |= std::uint32_t(static_cast<unsigned char>(bytes[4 * k * n + plane * n + i])) << (8 * plane);
            float single = 0;
            std::memcpy(&single, &word, sizeof word);
            const double fixed = (c["low"].get<double>() + word) / std::pow(10, c["decimals"].get<int>());
            columns[c["name"]].push_back(c["kind"] == "float" ? double(single) : word == 0xffffffff ? NAN : fixed);
        }
    }
    return columns;
}

std::vector<float> noisy(int side, double bright) {
    std::mt19937_64 random(1);
    std::normal_distribution<double> noise(100, 3);
    std::vector<float> image;
    for (int i = 0; i < side * side; ++i) image.push_back(float(noise(random) + (i % 997 ? 0 : bright)));
    return image;
}

Json data_of(const std::string& html) {
    const std::string start = "<script type=\"application/json\" id=\"data\">";
    const std::size_t at = html.find(start);
    REQUIRE(at != std::string::npos);
    const std::size_t from = at + start.size();
    return Json::parse(html.substr(from, html.find("</script>", from) - from));
}

}  // namespace

TEST_CASE("page: base64 as RFC 4648 has it") {
    CHECK(base64("") == "");
    CHECK(base64("f") == "Zg==");
    CHECK(base64("fo") == "Zm8=");
    CHECK(base64("foo") == "Zm9v");
    CHECK(base64("foobar") == "Zm9vYmFy");
    CHECK(base64(std::string("\xff\xfe\x00", 3)) == "//4A");
}

TEST_CASE("page: pixels come back within half a step, those that aren't finite as such") {
    std::vector<float> image = noisy(64, 1e6);
    image[5] = NAN, image[6] = INFINITY, image[7] = -4000;
    for (const std::size_t most : {1000000u, 6000u, 3600u}) {
        const PackedPixels p = pack_pixels(image, 64, 64, most);
        CAPTURE(p.step_sky);
        CHECK(p.bin == 1);
        CHECK(p.data.size() <= most);
        const std::vector<double> back = values_of(p);
        for (std::size_t i = 0; i < image.size(); ++i) {
            if (!std::isfinite(image[i])) {
                CHECK(std::isnan(back[i]));
                continue;
            }
            // The derivative of unit sinh(c / per_e) is sqrt(unit^2 + v^2) / per_e; half a code, and its own change
            // over it.
            const double v = image[i] - p.sky, step = std::hypot(p.unit, v) / p.per_e;
            CHECK(std::abs(back[i] - image[i]) <= 0.5 * step * (1 + 1 / p.per_e) + 1e-9);
        }
    }
    CHECK(pack_pixels(image, 64, 64, 1000000).step_sky == 1.0 / 16);
    CHECK(pack_pixels(image, 64, 64, 3600).step_sky > 1.0 / 16);
}

TEST_CASE("page: an image too large for its room is binned") {
    const PackedPixels p = pack_pixels(noisy(301, 0), 301, 301, 9000);
    CHECK(p.bin > 1);
    CHECK(p.width == (301 + p.bin - 1) / p.bin);
    CHECK(p.data.size() <= 9000);
    for (const double v : values_of(p)) CHECK(std::abs(v - 100) < 3 * 6);  // means of noise
    const PackedPixels empty = pack_pixels(std::vector<float>(100, NAN), 10, 10, 100000);
    for (const double v : values_of(empty)) CHECK(std::isnan(v));
}

TEST_CASE("page: a table comes back to the digits that are shown") {
    Table t;
    t.name = "SOURCES";
    std::vector<double> x, ra, flux;
    std::vector<std::int32_t> id;
    for (int i = 0; i < 1000; ++i)
        x.push_back(4096 * i / 1000.0), ra.push_back(10 + i * 1e-7), flux.push_back(std::pow(10, i / 100.0)),
            id.push_back(7 - i);
    x[3] = NAN, flux[4] = NAN;
    t.columns = {{"X_IMAGE", "pix", "", "", "F10.4", x},
                 {"RA", "deg", "", "", "F13.8", ra},
                 {"FLUX_PSF", "", "", "", "E13.6", flux},
                 {"BLEND_ID", "", "", "", "I8", id},
                 {"NOTE", "", "", "", "", std::vector<std::string>(1000, "x")}};
    const auto back = columns_of(packed_table(t, 1000000));
    CHECK(back.size() == 4);
    for (std::size_t i = 0; i < 1000; ++i) {
        CHECK((i == 3 ? std::isnan(back.at("X_IMAGE")[i]) : std::abs(back.at("X_IMAGE")[i] - x[i]) <= 0.5001e-4));
        CHECK(std::abs(back.at("RA")[i] - ra[i]) <= 0.5001e-8);
        CHECK((i == 4 ? std::isnan(back.at("FLUX_PSF")[i]) : back.at("FLUX_PSF")[i] == double(float(flux[i]))));
        CHECK(back.at("BLEND_ID")[i] == id[i]);
    }
    // Too little room: RA goes first, then the faint rows.
    const Json less = packed_table(t, 4000);
    CHECK(less["data"].get<std::string>().size() <= 4000);
    CHECK(less["of"] == 1000);
    const auto kept = columns_of(less);
    CHECK(kept.count("RA") == 0);
    REQUIRE(less["rows"] < 1000);
    REQUIRE(less["rows"] > 50);
    CHECK(kept.at("BLEND_ID").back() == 7 - 999);  // the brightest is the last
    t.columns = {{"X_IMAGE", "pix", "", "", "F10.4", std::vector<double>{}}};
    CHECK(packed_table(t, 1000)["rows"] == 0);
}

TEST_CASE("page: the grid of directions is as good as it says") {
    FitsHeader header{"h",
                      {{"CTYPE1", std::string("RA---TAN"), ""},
                       {"CTYPE2", std::string("DEC--TAN"), ""},
                       {"CRPIX1", 500.0, ""},
                       {"CRPIX2", 400.0, ""},
                       {"CRVAL1", 0.01, ""},
                       {"CRVAL2", 60.0, ""},
                       {"CDELT1", -0.002, ""},
                       {"CDELT2", 0.002, ""}}};
    const auto wcs = Wcs::from_header(header);
    REQUIRE(wcs);
    const Json sky = packed_sky(*wcs, 1000, 800);
    CHECK(sky["worst"].get<double>() <= 0.02);
    const double degree = std::acos(-1.0) / 180;
    const int nx = sky["nx"];
    double worst = 0;
    for (double y = 1; y <= 800; y += 17.3)
        for (double x = 1; x <= 1000; x += 19.1) {
            const double u = (x - 0.5) / sky["dx"].get<double>(), v = (y - 0.5) / sky["dy"].get<double>();
            const int i = std::min(int(u), nx - 1), j = std::min(int(v), sky["ny"].get<int>() - 1);
            double d[3] = {};
            for (int k = 0; k < 3; ++k)
                for (int n = 0; n < 2; ++n)
                    for (int m = 0; m < 2; ++m)
                        d[k] += (m ? u - i : 1 - u + i) * (n ? v - j : 1 - v + j) *
                                sky["at"][std::size_t(3 * ((j + n) * (nx + 1) + i + m) + k)].get<double>();
            const double ra = std::atan2(d[1], d[0]) / degree, dec = std::atan2(d[2], std::hypot(d[0], d[1])) / degree;
            const PixelPosition back = wcs->to_pixel({ra, dec});
            worst = std::max(worst, std::hypot(back.x - x, back.y - y));
        }
    CHECK(worst <= 1.1 * sky["worst"].get<double>() + 1e-6);  // that was measured in the middle of the cells
}

TEST_CASE("page: report shows what detect found, and asks nothing of a network") {
    const Bench b;
    put_tiny_model(b);
    b.must("simulate -q -o field.fits --width 120 --height 100");
    b.must("detect -q field.fits -o found.fits --model m.safetensors --threshold 0.05");
    b.must("report -q found.fits field.fits -o page.html --model m.safetensors");
    const std::string html = b.get("page.html");
    for (const char* outside : {"http:", "https:", " src=", "@import", "url("}) {
        CAPTURE(outside);
        CHECK(html.find(outside) == std::string::npos);
    }
    const Json data = data_of(html);
    CHECK(data["size"] == Json{{"width", 120}, {"height", 100}});
    CHECK(data["psf"]["half"].get<int>() > 10);
    REQUIRE(data["tables"].size() == 2);
    const Table sources = read_table(b / "found.fits", "SOURCES");
    const auto shown = columns_of(data["tables"][1]);
    CHECK(data["tables"][1]["rows"] == sources.rows());
    const auto x = sources.numbers("X_IMAGE");
    for (std::size_t i = 0; i < x.size(); ++i) CHECK(std::abs(shown.at("X_IMAGE")[i] - x[i]) <= 0.5001e-4);
    CHECK(html.find("Magnitudes of stars") != std::string::npos);
    CHECK(html.find("more than one star") != std::string::npos);
    b.must("report -q found.fits -o bare.html");
    CHECK(!data_of(b.get("bare.html")).contains("pixels"));
    b.must("report -q found.fits field.fits -o small.html --psf none --max-mb 0.2");
    CHECK(b.get("small.html").size() <= 200000);
    CHECK(!data_of(b.get("small.html")).contains("psf"));
    b.refused("report found.fits field.fits -o page.html", 4, {"page.html", "--overwrite"});
    b.refused("report absent.fits -o a.html", 3, {"absent.fits"});
    b.refused("report found.fits absent.fits -o a.html", 3, {"absent.fits"});
    b.refused("report found.fits field.fits -o a.html --psf absent.fits --model m.safetensors", 3, {"absent.fits"});
    b.refused("report found.fits field.fits -o found.fits --overwrite", 2, {"found.fits", "input"});
}
