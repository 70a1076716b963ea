// FITS images in: every type, scaling, extensions, gzip, compression; the reader against CFITSIO's own.
#include <doctest/doctest.h>
#include <fitsio.h>
#include <zlib.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "io/fits_image.h"
#include "io/fits_window.h"
#include "io/fits_writer.h"
#include "tests/io_fits_raw.h"
#include "tests/io_folder.h"

using namespace star;

namespace {

const float nothing = std::numeric_limits<float>::quiet_NaN();

bool same(const std::vector<float>& a, const std::vector<float>& b) {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (!(a[i] == b[i] || (std::isnan(a[i]) && std::isnan(b[i])))) return false;
    return true;
}

/// What CFITSIO itself reads from the file's image.
std::vector<float> by_cfitsio(const std::string& path, std::size_t count) {
    std::vector<float> values(count);
    fitsfile* f = nullptr;
    int status = 0, any_null = 0;
    float blank = nothing;
    fits_open_diskfile(&f, path.c_str(), READONLY, &status);
    int compressed = fits_is_compressed_image(f, &status), n = 0;
    fits_get_num_hdus(f, &n, &status);
    if (!compressed && n > 1) fits_movabs_hdu(f, 2, nullptr, &status);
    fits_read_img(f, TFLOAT, 1, LONGLONG(count), &blank, values.data(), &any_null, &status);
    fits_close_file(f, &status);
    REQUIRE(status == 0);
    return values;
}

void gzip(const std::string& path, const std::string& bytes) {
    gzFile f = gzopen(path.c_str(), "wb");
    gzwrite(f, bytes.data(), unsigned(bytes.size()));
    gzclose(f);
}

/// Every window holds what the whole image has there, by its own way through the file; and so says its description.
void windows_agree(const std::string& path) {
    const FitsImage whole = read_image(path);
    const int w = whole.width, h = whole.height;
    for (const Window& v : {Window{0, 0, w, h}, Window{w / 3, h / 2, w - w / 3, 1}, Window{w - 1, h - 1, 1, 1},
                            Window{0, h / 3, std::max(w / 2, 1), h - h / 3}}) {
        const FitsImage part = read_image(path, v);
        REQUIRE(part.width == v.width);
        REQUIRE(part.height == v.height);
        std::vector<float> expected;
        for (int y = 0; y < v.height; ++y)
            for (int x = 0; x < v.width; ++x)
                expected.push_back(whole.pixels[std::size_t(v.y0 + y) * std::size_t(w) + std::size_t(v.x0 + x)]);
        CHECK(same(part.pixels, expected));
        CHECK(part.datasum == 0);
    }
    const FitsPlane described = describe_image(path, true);
    CHECK(described.width == w);
    CHECK(described.height == h);
    CHECK(described.datasum == whole.datasum);
    CHECK(describe_image(path, false).datasum == 0);
    for (const Window& beyond : {Window{1, 0, w, h}, Window{0, 1, w, h}, Window{-1, 0, 1, 1}, Window{0, 0, 0, 1}})
        CHECK(fault([&] { read_image(path, beyond); }) == Fault::input);
}

template <class T>
void check_type(const Folder& folder, int bitpix, const std::vector<T>& stored, const std::vector<std::string>& more,
                const std::vector<float>& expected) {
    const std::string path =
        folder.put("t.fits", image_file(bitpix, {std::int64_t(stored.size()) / 2, 2}, stored, more));
    const FitsImage image = read_image(path);
    CAPTURE(bitpix);
    CHECK(image.width == int(stored.size()) / 2);
    CHECK(image.height == 2);
    CHECK(same(image.pixels, expected));
    CHECK(same(image.pixels, by_cfitsio(path, stored.size())));
    windows_agree(path);
}

}  // namespace

TEST_CASE("every BITPIX, scaled and unsigned, with BLANK and NaN") {
    Folder folder;
    const float inf = std::numeric_limits<float>::infinity();
    check_type<std::uint8_t>(folder, 8, {0, 1, 200, 255}, {}, {0, 1, 200, 255});
    check_type<std::uint8_t>(folder, 8, {0, 1, 200, 255}, {card("BZERO", "-128")}, {-128, -127, 72, 127});
    check_type<std::int16_t>(folder, 16, {-32768, -1, 7, 32767}, {}, {-32768, -1, 7, 32767});
    check_type<std::int16_t>(folder, 16, {-32768, -1, 7, 32767}, {card("BZERO", "32768")}, {0, 32767, 32775, 65535});
    check_type<std::int16_t>(folder, 16, {-32768, -1, 7, 32767},
                             {card("BLANK", "-1"), card("BSCALE", "0.5"), card("BZERO", "1.D1")},
                             {-16374, nothing, 13.5f, 16393.5f});
    check_type<std::int32_t>(folder, 32, {INT32_MIN, -1, 7, INT32_MAX}, {}, {-2147483648.f, -1, 7, 2147483648.f});
    check_type<std::int32_t>(folder, 32, {INT32_MIN, -1, 7, 9}, {card("BZERO", "2147483648")},
                             {0, 2147483648.f, 2147483655.f, 2147483657.f});
    check_type<std::int64_t>(folder, 64, {INT64_MIN, -1, 7, 1LL << 40}, {},
                             {-9223372036854775808.f, -1, 7, 1099511627776.f});
    check_type<float>(folder, -32, {1.5f, nothing, -0.f, 1e-37f}, {}, {1.5f, nothing, 0, 1e-37f});
    check_type<double>(folder, -64, {1.5, 0.1, double(nothing), -1e30}, {}, {1.5f, 0.1f, nothing, -1e30f});
    check_type<double>(folder, -64, {1.5, 0.1, 3, 4}, {card("BSCALE", "2."), card("BZERO", "100")},
                       {103, 100.2f, 106, 108});
    // CFITSIO makes subnormal values 0; here they stay.
    CHECK(same(read_image(folder.put("f.fits", image_file<float>(-32, {2, 1}, {1e-40f, 0}))).pixels, {1e-40f, 0}));
    // CFITSIO keeps infinities; here what is not finite is NaN.
    CHECK(
        same(read_image(folder.put("f.fits", image_file<float>(-32, {2, 1}, {inf, -inf}))).pixels, {nothing, nothing}));
    CHECK(same(read_image(folder.put("f.fits", image_file<double>(-64, {2, 1}, {1e300, 1}))).pixels, {nothing, 1}));
    CHECK(same(read_image(folder.put("f.fits", image_file<float>(-32, {2, 1}, {nothing, nothing}))).pixels,
               {nothing, nothing}));
}

TEST_CASE("names, extensions and the header's cards") {
    Folder folder;
    const auto extension = [](const std::string& name, const std::string& version, float value) {
        return header_of(image_cards(-32, {2, 1},
                                     {card("PCOUNT", "0"), card("GCOUNT", "1"), "EXTNAME = '" + name + "'",
                                      card("EXTVER", version), card("GAIN", "2.5")},
                                     "XTENSION= 'IMAGE   '")) +
               blocks(big_endian<float>({value, value}), '\0');
    };
    const std::string primary = header_of(image_cards(
        8, {},
        {card("EXPTIME", "1.72D3"), "FILTER  = 'F475W   '           / it''s a filter", card("UNDEF", ""),
         "LONG    = 'one &'", "CONTINUE  'two&'", "CONTINUE  ' three' / end", "HIERARCH ESO DET GAIN = 4.5 / x",
         "COMMENT a comment \xb5m", card("FLAG", "T"), "BROKEN  = 'no end"}));
    folder.put("m.fits", primary + extension("SCI", "1", 1) + extension("ERR", "1", 2) + extension("SCI", "2", 3) +
                             "trailing bytes that are no extension");
    const auto value = [&](const std::string& ext) { return read_image(folder / "m.fits" + ext).pixels.at(0); };
    CHECK(value("") == 1);
    CHECK(value("[SCI]") == 1);
    CHECK(value("[err]") == 2);
    CHECK(value("[ SCI , 2 ]") == 3);
    CHECK(value("[2]") == 2);
    CHECK(value("[3]") == 3);
    CHECK(message([&] { value("[WHT]"); }) == folder / "m.fits: has no extension [WHT]");
    CHECK(message([&] { value("[0]"); }) == folder / "m.fits: holds no image");
    CHECK(fault([&] { value("[]"); }) == Fault::usage);
    CHECK(fault([&] { value("[SCI,x]"); }) == Fault::usage);
    CHECK(fault([&] { value("[9]"); }) == Fault::input);
    CHECK(fault([&] { value("[col x=1]"); }) == Fault::input);
    const FitsImage image = read_image(folder / "m.fits[SCI,2]");
    CHECK(image.file == folder / "m.fits");
    CHECK(image.number == 3);
    CHECK(image.extension == "SCI");
    CHECK(image.version == 2);
    CHECK(image.number_of("EXPTIME") == 1720);
    CHECK(image.number_of("GAIN") == 2.5);
    CHECK(!image.header.number("EXPTIME"));
    CHECK(image.text_of("FILTER") == "F475W");
    CHECK(image.primary.find("FILTER")->comment == "it''s a filter");
    CHECK(image.text_of("LONG") == "one two three");
    CHECK(image.number_of("HIERARCH ESO DET GAIN") == 4.5);
    CHECK(!image.number_of("UNDEF"));
    CHECK(!image.text_of("UNDEF"));
    CHECK(image.primary.boolean("FLAG") == true);
    CHECK(image.text_of("BROKEN") == "no end");
    CHECK(image.primary.find("COMMENT")->comment == "a comment ?m");
    CHECK(message([&] { image.number_of("FILTER"); }) == folder / "m.fits: FILTER = F475W: not a number");
    CHECK(list_hdus(folder / "m.fits").size() == 4);
    CHECK(parse_image_name("a[1].fits").file == "a[1].fits");
    CHECK(parse_image_name("a[1].fits[SCI,1]").file == "a[1].fits");
    CHECK(parse_image_name("http://x/a.fits").file == "http://x/a.fits");
    for (const char* name :
         {"http://localhost/a.fits", "mem://a", "!a.fits", "stdin", "-", "a.fits(b.fits)", "root://x"})
        CHECK(message([&] { read_image(name); }) == std::string(name) + ": no such file");
}

TEST_CASE("trailing axes of one pixel, spectra before the image, cubes when asked for") {
    Folder folder;
    CHECK(read_image(folder.put("a", image_file<std::uint8_t>(8, {2, 3, 1, 1}, {1, 2, 3, 4, 5, 6}))).height == 3);
    const std::string spectrum = image_file<std::uint8_t>(8, {4}, {1, 2, 3, 4});
    const std::string image =
        header_of(image_cards(8, {2, 1}, {card("PCOUNT", "0"), card("GCOUNT", "1")}, "XTENSION= 'IMAGE   '")) +
        blocks("\5\6", '\0');
    CHECK(read_image(folder.put("b", spectrum + image)).pixels == std::vector<float>{5, 6});
    const std::string cube = folder.put("c", image_file<std::uint8_t>(8, {2, 1, 3}, {1, 2, 3, 4, 5, 6}));
    CHECK(message([&] { read_image(cube); }) == cube + ": NAXIS = 3 with NAXIS3 = 3: not a 2-D image");
    const FitsImage planes = read_cube(cube);
    CHECK(planes.planes == 3);
    CHECK(planes.pixels == std::vector<float>{1, 2, 3, 4, 5, 6});
}

TEST_CASE("masks keep all 32 bits") {
    Folder folder;
    const auto mask = [&](const std::string& bytes) { return read_mask(folder.put("m", bytes)).pixels; };
    CHECK(mask(image_file<std::int32_t>(32, {2, 1}, {INT32_MIN + 1, INT32_MAX}, {card("BZERO", "2147483648")})) ==
          std::vector<std::uint32_t>{1, UINT32_MAX});
    CHECK(mask(image_file<std::int16_t>(16, {2, 1}, {4096, -1})) == std::vector<std::uint32_t>{4096, UINT32_MAX});
    CHECK(mask(image_file<float>(-32, {2, 1}, {3, 16777216})) == std::vector<std::uint32_t>{3, 16777216});
    CHECK(fault([&] { mask(image_file<float>(-32, {2, 1}, {0.5f, 1})); }) == Fault::input);
    CHECK(fault([&] { mask(image_file<float>(-32, {2, 1}, {nothing, 1})); }) == Fault::input);
    CHECK(fault([&] { mask(image_file<std::int64_t>(64, {2, 1}, {1, 1LL << 40})); }) == Fault::input);
    CHECK(fault([&] { mask(image_file<std::int16_t>(16, {2, 1}, {1, 2}, {card("BLANK", "2")})); }) == Fault::input);
}

TEST_CASE("gzip by content, whatever the name; a last block cut short") {
    Folder folder;
    const std::string bytes = image_file<std::int16_t>(16, {3, 2}, {1, 2, 3, 4, 5, 6});
    gzip(folder / "a.fits.gz", bytes);
    gzip(folder / "b.fits", bytes);
    for (const std::string& path : {folder / "a.fits.gz", folder / "b.fits", folder.put("c.gz", bytes),
                                    folder.put("d", bytes.substr(0, 2880 + 12))}) {
        const FitsImage image = read_image(path);
        CHECK(image.pixels == std::vector<float>{1, 2, 3, 4, 5, 6});
        CHECK(image.datasum == ((1 << 16) + 2 + (3 << 16) + 4 + (5 << 16) + 6));
        windows_agree(path);
    }
}

TEST_CASE("tile-compressed images") {
    Folder folder;
    const int kinds[] = {RICE_1, GZIP_1, GZIP_2};
    for (const int bitpix : {8, 16, 32, -32, -64})
        for (const int kind : kinds) {
            CAPTURE(bitpix);
            CAPTURE(kind);
            const std::string path = folder / "c" + std::to_string(bitpix) + "_" + std::to_string(kind) + ".fits.fz";
            fitsfile* f = nullptr;
            int status = 0;
            long axes[2] = {37, 23}, tile[2] = {16, 5};
            std::vector<float> values(37 * 23);
            for (std::size_t i = 0; i < values.size(); ++i)
                values[i] = float(i / 37 + i % 37 * (i % 3)) + (bitpix < 0 ? 0.25f : 0.f);
            if (bitpix < 0) values[5] = -999;  // the mark for a blank
            fits_create_diskfile(&f, path.c_str(), &status);
            fits_set_compression_type(f, kind, &status);
            fits_set_tile_dim(f, 2, tile, &status);
            fits_set_quantize_dither(f, SUBTRACTIVE_DITHER_1, &status);
            fits_create_img(f, bitpix, 2, axes, &status);
            float blank = -999, gain = 2.5f;
            fits_write_key(f, TFLOAT, "GAIN", &gain, "", &status);
            // CFITSIO compresses only values of the image's own type.
            const auto write = [&]<class T>(int type, T) {
                std::vector<T> own(values.begin(), values.end());
                fits_write_img(f, type, 1, LONGLONG(own.size()), own.data(), &status);
            };
            double wide_blank = -999;
            std::vector<double> wide(values.begin(), values.end());
            if (bitpix == 8) write(TBYTE, std::uint8_t{});
            if (bitpix == 16) write(TSHORT, std::int16_t{});
            if (bitpix == 32) write(TINT, std::int32_t{});
            if (bitpix == -32) fits_write_imgnull(f, TFLOAT, 1, LONGLONG(wide.size()), values.data(), &blank, &status);
            if (bitpix == -64)
                fits_write_imgnull(f, TDOUBLE, 1, LONGLONG(wide.size()), wide.data(), &wide_blank, &status);
            fits_close_file(f, &status);
            REQUIRE(status == 0);
            const FitsImage image = read_image(path);
            CHECK(image.number == 1);
            CHECK(image.width == 37);
            CHECK(image.height == 23);
            CHECK(same(image.pixels, by_cfitsio(path, values.size())));
            windows_agree(path);
            if (bitpix > 0) CHECK(same(image.pixels, values));
            if (bitpix < 0) CHECK(std::isnan(image.pixels[5]));
            CHECK(image.header.number("GAIN") == 2.5);
            CHECK(image.header.number("BITPIX") == bitpix);
            CHECK(image.header.number("NAXIS1") == 37);
            CHECK(!image.header.find("ZCMPTYPE"));
            CHECK(!image.header.find("TFIELDS"));
            if (bitpix > 0) CHECK(read_mask(path).pixels[9] == std::uint32_t(values[9]));
            // The same file with one card at fault.
            const std::string good = folder.get(std::filesystem::path(path).filename());
            const auto broken = [&](const std::string& key, const std::string& value) {
                std::string bytes = good;
                const auto at = bytes.find(key);
                if (at == bytes.npos) return true;
                std::string padded = key;
                padded.resize(8, ' ');
                bytes.replace(at, 80, value[0] == '\'' ? card(padded + "= " + value) : card(key, value));
                const std::string name = folder.put("broken", bytes);
                return fault([&] { read_image(name); }) == Fault::input &&
                       message([&] { read_image(name); }).rfind(name, 0) == 0;
            };
            CHECK(broken("ZCMPTYPE", "'HCOMPRESS_1'"));
            CHECK(broken("ZCMPTYPE", "'PLIO_1'"));
            CHECK(broken("ZNAXIS1 ", "-1"));
            CHECK(broken("ZNAXIS1 ", "2000000000"));
            CHECK(broken("ZTILE1  ", "0"));
            CHECK(broken("ZTILE1  ", "2"));
            CHECK(broken("ZBITPIX ", "7"));
            CHECK(broken("ZDITHER0", "-5"));
            CHECK(broken("ZNAXIS  ", "9"));
            CHECK(broken("TFORM1  ", "'1PX(9)'"));
            CHECK(broken("TFORM1  ", "'999999999999B'"));
            CHECK(broken("TTYPE1  ", "'OTHER'"));
            CHECK(broken("ZVAL1   ", "33"));
            CHECK(broken("TFIELDS ", "1000"));
            // Any byte of the table or heap changed: an Error or other pixels, never a crash.
            for (std::size_t i = good.size() - 2880 * 2; i < good.size(); i += 53) {
                std::string bytes = good;
                bytes[i] = char(~bytes[i]);
                const std::string name = folder.put("flipped", bytes);
                fault([&] { read_image(name); });
            }
        }
}

TEST_CASE("an uncompressed tiled image, made by hand, and its descriptors at fault") {
    Folder folder;
    const auto tiled = [&](const std::string& zbitpix, const std::string& form, std::uint32_t length,
                           std::uint32_t offset, const std::string& heap) {
        const std::vector<std::string> cards{
            "XTENSION= 'BINTABLE'",     card("BITPIX", "8"),  card("NAXIS", "2"),
            card("NAXIS1", "8"),        card("NAXIS2", "1"),  card("PCOUNT", std::to_string(heap.size())),
            card("GCOUNT", "1"),        card("TFIELDS", "1"), "TTYPE1  = 'COMPRESSED_DATA'",
            "TFORM1  = '" + form + "'", card("ZIMAGE", "T"),  card("ZBITPIX", zbitpix),
            card("ZNAXIS", "2"),        card("ZNAXIS1", "2"), card("ZNAXIS2", "1"),
            "ZCMPTYPE= 'NOCOMPRESS'"};
        return read_image(folder.put("t", header_of(image_cards(8, {})) + header_of(cards) +
                                              blocks(big_endian<std::uint32_t>({length, offset}) + heap, '\0')))
            .pixels;
    };
    CHECK(tiled("16", "1PB(4)", 4, 0, big_endian<std::int16_t>({-5, 300})) == std::vector<float>{-5, 300});
    CHECK(tiled("16", "PI", 2, 0, big_endian<std::int16_t>({-5, 300})) == std::vector<float>{-5, 300});
    CHECK(tiled("-32", "1PE(2)", 2, 0, big_endian<float>({0.5f, -2})) == std::vector<float>{0.5f, -2});
    const auto bad = [&](const char* form, std::uint32_t length, std::uint32_t offset) {
        return fault([&] { tiled("16", form, length, offset, "1234"); });
    };
    CHECK(bad("1PB(4)", 3, 0) == Fault::input);
    CHECK(bad("1PB(4)", 0, 0) == Fault::input);
    CHECK(bad("1PB(4)", 4, 1) == Fault::input);
    CHECK(bad("1PB(4)", 4, UINT32_MAX) == Fault::input);
    CHECK(bad("1PI(4)", UINT32_MAX, 0) == Fault::input);
}

TEST_CASE("what is written reads back, is refused where it exists, and carries its cards") {
    Folder folder;
    const std::vector<float> pixels{1, nothing, 3, -4, 5e-30f, 6};
    const std::vector<Card> cards{{"GAIN", 2.5, "e-/adu"},
                                  {"TINY", 0.1, ""},
                                  {"COUNT", std::int64_t{-7}, ""},
                                  {"FLAG", true, ""},
                                  {"NAME", std::string("it's"), "quoted"},
                                  {"LONG", std::string(200, '\'') + "end", "a long one"},
                                  {"NOTHING", std::monostate{}, "undefined"},
                                  {"INFINITE", std::numeric_limits<double>::infinity(), ""},
                                  {"HISTORY", {}, std::string(100, 'h')},
                                  {"BITPIX", std::int64_t{8}, "must not be taken over"}};
    write_image(folder / "a.fits", pixels, 3, 2, cards, false);
    const FitsImage image = read_image(folder / "a.fits");
    CHECK(image.width == 3);
    CHECK(same(image.pixels, pixels));
    CHECK(image.header.number("GAIN") == 2.5);
    CHECK(image.header.find("GAIN")->comment == "e-/adu");
    CHECK(image.header.number("TINY") == 0.1);
    CHECK(image.header.integer("COUNT") == -7);
    CHECK(image.header.boolean("FLAG") == true);
    CHECK(image.header.text("NAME") == "it's");
    CHECK(image.header.text("LONG") == std::string(200, '\'') + "end");
    CHECK(!image.header.number("NOTHING"));
    CHECK(!image.header.number("INFINITE"));
    CHECK(image.header.text("DATASUM") == std::to_string(image.datasum));
    CHECK(image.header.integer("BITPIX") == -32);
    CHECK(fault([&] { write_image(folder / "a.fits", pixels, 3, 2, {}, false); }) == Fault::output);
    CHECK(fault([&] { write_image(folder / "a.fits", pixels, 2, 2, {}, true); }) == Fault::internal);
    CHECK(same(read_image(folder / "a.fits").pixels, pixels));
    const std::string bytes = folder.get("a.fits");
    write_image(folder / "a.fits", pixels, 3, 2, cards, true);
    CHECK(folder.get("a.fits") == bytes);
    FitsWriter out(folder / "b.fits", false);
    out.primary({{"EXPTIME", 10.0, "s"}});
    out.image("SCI", pixels, 3, 2, {});
    out.image("ERR", pixels, 2, 3, {});
    CHECK(!std::filesystem::exists(folder / "b.fits"));
    out.commit();
    CHECK(read_image(folder / "b.fits[ERR]").height == 3);
    CHECK(read_image(folder / "b.fits").number_of("EXPTIME") == 10);
}
