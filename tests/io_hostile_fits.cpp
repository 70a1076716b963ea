// Files that are no good: each gets one line naming file and card, and Fault::input.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <cstring>
#include <functional>

#include "io/fits_image.h"
#include "io/fits_table.h"
#include "io/wcs.h"
#include "tests/io_fits_raw.h"
#include "tests/io_folder.h"

using namespace star;

namespace {

/// Reads `bytes` as an image and gives the message behind "FILE: ".
std::string complaint(const std::string& bytes) {
    Folder folder;
    const std::string path = folder.put("bad.fits", bytes);
    const std::string what = message([&] { read_image(path); });
    CHECK(fault([&] { read_image(path); }) == Fault::input);
    CHECK(what.find('\n') == std::string::npos);
    REQUIRE(what.rfind(path, 0) == 0);
    return what.substr(path.size());
}

bool mentions(const std::string& text, const std::string& part) {
    CAPTURE(text);
    CHECK(text.find(part) != text.npos);
    return text.find(part) != text.npos;
}

}  // namespace

TEST_CASE("not a file, not FITS, not whole") {
    Folder folder;
    CHECK(message([&] { read_image(folder / "none.fits"); }) == folder / "none.fits: no such file");
    CHECK(message([&] { read_image(folder.path.string()); }) == folder.path.string() + ": a folder, not a FITS file");
    CHECK(fault([&] { read_image("/dev/zero"); }) == Fault::input);
    REQUIRE(mkfifo((folder / "fifo").c_str(), 0600) == 0);
    CHECK(fault([&] { read_image(folder / "fifo"); }) == Fault::input);
    CHECK(complaint("") == ": empty, not a FITS file");
    CHECK(complaint("hello") == ": not a FITS file: it doesn't begin with SIMPLE");
    CHECK(complaint(std::string(10000, '\0')) == ": not a FITS file: it doesn't begin with SIMPLE");
    CHECK(mentions(complaint("\x1f\x8b garbage that is no deflate stream"), "can't be read"));
    const std::string good = image_file<float>(-32, {100, 100}, std::vector<float>(10000));
    CHECK(mentions(complaint(good.substr(0, 1000)), "truncated: the header has no END"));
    CHECK(mentions(complaint(good.substr(0, 20000)),
                   "truncated: BITPIX = -32, NAXIS1 = 100, NAXIS2 = 100 need 40000 bytes of data"));
    CHECK(mentions(complaint(header_of(image_cards(-32, {50000, 50000})) + "short"),
                   "NAXIS1 = 50000, NAXIS2 = 50000 need 10000000000 bytes"));
    CHECK(complaint(header_of(image_cards(8, {}))) == ": holds no image");
    CHECK(complaint(header_of(image_cards(8, {0, 10}))) == ": holds no image");
}

TEST_CASE("impossible cards are named") {
    const std::string data(2880, '\0');
    const auto cards = [&](std::vector<std::string> list) { return complaint(header_of(list) + data); };
    CHECK(cards(image_cards(8, {10})) == ": NAXIS = 1: not a 2-D image");
    CHECK(cards(image_cards(8, {2, 2, 2, 2})) == ": NAXIS = 4 with NAXIS3 = 2: not a 2-D image");
    CHECK(cards(image_cards(7, {2, 2})) == ": BITPIX = 7: impossible; 8, 16, 32, 64, -32 and -64 exist");
    CHECK(cards(image_cards(2000000000, {2, 2})) == ": BITPIX = 2000000000: impossible");
    CHECK(cards(image_cards(8, {2, -2})) == ": NAXIS2 = -2: impossible");
    CHECK(mentions(cards(image_cards(8, {2, 4611686018427387904, 8})), "overflow"));
    CHECK(mentions(cards(image_cards(-64, {2000000000, 2000000000})), "overflow"));
    CHECK(
        mentions(cards({"SIMPLE  =                    T", card("BITPIX", "8"), card("NAXIS", "999")}), "NAXIS = 999"));
    CHECK(mentions(cards({"SIMPLE  =                    T", card("BITPIX", "8"), card("NAXIS", "1000")}),
                   "NAXIS = 1000"));
    CHECK(mentions(cards({"SIMPLE  =                    T", card("BITPIX", "8"), card("NAXIS", "2")}),
                   "NAXIS1 is missing"));
    CHECK(mentions(cards({"SIMPLE  =                    T", card("NAXIS", "2")}), "BITPIX is missing"));
    CHECK(mentions(cards({"SIMPLE  =                    F", card("BITPIX", "8")}), "SIMPLE"));
    CHECK(mentions(cards({"SIMPLE  =                    T", "BITPIX  = 'eight'"}), "BITPIX = eight: not an integer"));
    CHECK(mentions(cards({"SIMPLE  =                    T", card("BITPIX", "8.5")}), "BITPIX = 8.5: not an integer"));
    CHECK(mentions(cards(image_cards(8, {2, 2}, {std::string("\x01\x02\xff\x80 ABC= 1")})), "not printable"));
    CHECK(mentions(cards(image_cards(16, {2, 2}, {card("BSCALE", "0")})), "BSCALE = 0"));
    CHECK(mentions(cards(image_cards(16, {2, 2}, {card("BSCALE", "inf")})), "BSCALE = inf: not a number"));
    CHECK(mentions(cards(image_cards(16, {2, 2}, {card("BZERO", "1e999")})), "BZERO"));
    CHECK(mentions(cards(image_cards(16, {2, 2}, {card("BLANK", "0.5")})), "BLANK"));
    CHECK(mentions(cards(image_cards(8, {0, 2, 2}, {card("GROUPS", "T"), card("PCOUNT", "-9"), card("GCOUNT", "1")})),
                   "PCOUNT = -9"));
    std::vector<std::string> many = image_cards(8, {});
    std::string endless = header_of(many);
    endless.replace(endless.find("END "), 4, "    ");
    CHECK(mentions(complaint(endless + std::string(std::size_t(9) << 20, ' ')), "no END card within 100000 cards"));
}

TEST_CASE("NAXIS = 999 is an image if every axis has one pixel") {
    Folder folder;
    const std::string path =
        folder.put("a", header_of(image_cards(8, std::vector<std::int64_t>(999, 1))) + std::string(2880, '\0'));
    CHECK(read_image(path).pixels == std::vector<float>{0});
}

TEST_CASE("an image is as large as its axes say: no parameters, no groups") {
    const auto extension = [](const std::vector<std::int64_t>& axes, const char* parameters, const char* groups) {
        return complaint(header_of(image_cards(8, {})) +
                         header_of(image_cards(8, axes, {card("PCOUNT", parameters), card("GCOUNT", groups)},
                                               "XTENSION= 'IMAGE   '")) +
                         std::string(2880, '\0'));
    };
    CHECK(extension({3, 2}, "5", "2") == "[1]: PCOUNT and GCOUNT make 22 values of 6 pixels: not an image");
    CHECK(mentions(extension({3, 2}, "1", "1"), "PCOUNT"));
    CHECK(mentions(extension({0, 2}, "5", "1"), "PCOUNT"));
    CHECK(mentions(extension({INT64_MAX, 0}, "5", "1"), "PCOUNT"));
    CHECK(mentions(extension({3, 2}, "0", "0"), "holds no image"));
}

TEST_CASE("a compressed image needs a table's two axes") {
    const std::vector<std::string> cards =
        image_cards(8, {8},
                    {card("PCOUNT", "0"), card("GCOUNT", "1"), card("TFIELDS", "1"), "TTYPE1  = 'COMPRESSED_DATA'",
                     "TFORM1  = '1PB(4)'", card("ZIMAGE", "T"), card("ZBITPIX", "16"), card("ZNAXIS", "2"),
                     card("ZNAXIS1", "2"), card("ZNAXIS2", "1"), "ZCMPTYPE= 'GZIP_1'"},
                    "XTENSION= 'BINTABLE'");
    CHECK(mentions(complaint(header_of(image_cards(8, {})) + header_of(cards) + std::string(2880, '\0')), "NAXIS"));
}

TEST_CASE("any single byte of a header changed: an Error or an image, never a crash") {
    Folder folder;
    const std::string good =
        image_file<std::int16_t>(16, {3, 2}, {1, 2, 3, 4, 5, 6},
                                 {"CTYPE1  = 'RA---TAN'", "CTYPE2  = 'DEC--TAN'", card("CRPIX1", "1.5"),
                                  card("CRVAL1", "10."), card("CD1_1", "-1e-5"), card("CD2_2", "1e-5"),
                                  card("BLANK", "3"), card("BZERO", "32768"), "LONG    = 'abc&'", "CONTINUE  'def'"});
    for (std::size_t i = 0; i < 16 * 80; ++i)
        for (const char c : {'\0', '9', '\'', '\xff', '-'}) {
            std::string bytes = good;
            bytes[i] = c;
            const std::string path = folder.put("a", bytes);
            fault([&] {
                const FitsImage image = read_image(path);
                Wcs::from_header(image.header);
            });
        }
}

TEST_CASE("hostile tables") {
    Folder folder;
    const auto table = [&](const std::vector<std::string>& more, const std::string& rows,
                           const std::string& width = "8", const std::string& count = "1") {
        std::vector<std::string> cards{"XTENSION= 'BINTABLE'", card("BITPIX", "8"),   card("NAXIS", "2"),
                                       card("NAXIS1", width),  card("NAXIS2", count), card("PCOUNT", "0"),
                                       card("GCOUNT", "1")};
        cards.insert(cards.end(), more.begin(), more.end());
        const std::string path = folder.put("t", header_of(image_cards(8, {})) + header_of(cards) + blocks(rows, '\0'));
        return message([&] { read_table(path); }).substr(0, 400);
    };
    CHECK(table({card("TFIELDS", "1"), "TFORM1  = 'D'"}, "12345678").empty());
    CHECK(read_table(folder / "t").columns[0].name == "col1");  // TTYPEn may be left out
    // Of a key that is there twice the first counts, for the check and for who decodes.
    CHECK(table({card("TFIELDS", "1"), "TFORM1  = '8A'", "TFORM1  = '4000A'"}, "abcdefgh").empty());
    CHECK(std::get<std::vector<std::string>>(read_table(folder / "t").columns[0].data) ==
          std::vector<std::string>{"abcdefgh"});
    CHECK(table({card("TFIELDS", "1"), "TFORM1  = '8A'", "TFORM01 = '1D'"}, "abcdefgh").empty());
    CHECK(std::get<std::vector<std::string>>(read_table(folder / "t").columns[0].data) ==
          std::vector<std::string>{"abcdefgh"});
    CHECK(table({card("TFIELDS", "1"), "TFORM1  = '8A'", card("TZERO#", "1")}, "abcdefgh").empty());  // just a word
    CHECK(mentions(table({card("TFIELDS", "1"), "TFORM1  = 'E'"}, "12345678"), "NAXIS1 = 8"));
    CHECK(mentions(table({card("TFIELDS", "1")}, "12345678"), "TFORM1"));
    CHECK(mentions(table({}, "12345678"), "TFIELDS"));
    CHECK(mentions(table({card("TFIELDS", "-1")}, "12345678"), "TFIELDS"));
    CHECK(mentions(table({card("TFIELDS", "1"), "TFORM1  = '99999999999999999999D'"}, "12345678"), "TFORM1"));
    CHECK(mentions(table({card("TFIELDS", "1"), "TFORM1  = '-1D'"}, "12345678"), "TFORM1"));
    CHECK(mentions(table({card("TFIELDS", "1"), "TFORM1  = 'D'"}, "12345678", "8", "1000000000"), "truncated"));
    const std::string image = folder.put("i", image_file<std::uint8_t>(8, {2, 1}, {1, 2}));
    CHECK(message([&] { read_table(image); }) == image + ": holds no binary table");
    CHECK(message([&] { read_table(image, "0"); }) == image + ": not a binary table");
}
