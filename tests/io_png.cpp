// PNG: taken apart again by zlib, chunk by chunk.
#include <doctest/doctest.h>
#include <zlib.h>

#include <vector>

#include "io/png.h"
#include "tests/io_folder.h"

using namespace star;

namespace {

std::uint32_t u32(const std::string& s, std::size_t at) {
    std::uint32_t v = 0;
    for (std::size_t i = 0; i < 4; ++i) v = v << 8 | std::uint8_t(s[at + i]);
    return v;
}

}  // namespace

TEST_CASE("a PNG holds its picture, with valid chunks") {
    for (const auto& [w, h] : {std::pair{1, 1}, {7, 3}, {300, 200}}) {
        std::vector<std::uint8_t> grey;
        for (int i = 0; i < w * h; ++i) grey.push_back(std::uint8_t(i * 37 + i / w));
        const std::string png = encode_png(grey, w, h);
        REQUIRE(png.substr(0, 8) == "\x89PNG\r\n\x1a\n");
        std::string types, data;
        for (std::size_t at = 8; at < png.size();) {
            const std::size_t length = u32(png, at);
            REQUIRE(at + 12 + length <= png.size());
            const std::string body = png.substr(at + 4, 4 + length);
            CHECK(u32(png, at + 8 + length) ==
                  crc32(0, reinterpret_cast<const Bytef*>(body.data()), uInt(body.size())));
            types += body.substr(0, 4) + " ";
            if (body.rfind("IHDR", 0) == 0) {
                CHECK(u32(body, 4) == std::uint32_t(w));
                CHECK(u32(body, 8) == std::uint32_t(h));
                CHECK(body.substr(12) == std::string({8, 0, 0, 0, 0}));
            }
            if (body.rfind("IDAT", 0) == 0) data = body.substr(4);
            at += 12 + length;
        }
        CHECK(types == "IHDR IDAT IEND ");
        std::vector<std::uint8_t> rows(std::size_t(w + 1) * h);
        uLongf size = rows.size();
        REQUIRE(uncompress(rows.data(), &size, reinterpret_cast<const Bytef*>(data.data()), data.size()) == Z_OK);
        REQUIRE(size == rows.size());
        for (int y = 0; y < h; ++y) {
            CHECK(rows[std::size_t(y) * (w + 1)] == 0);
            for (int x = 0; x < w; ++x) REQUIRE(rows[std::size_t(y) * (w + 1) + 1 + x] == grey[std::size_t(y) * w + x]);
        }
    }
    const std::vector<std::uint8_t> grey(6);
    CHECK(fault([&] { encode_png(grey, 2, 2); }) == Fault::internal);
    CHECK(fault([&] { encode_png({}, 0, 0); }) == Fault::internal);
}
