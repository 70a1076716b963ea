// A signature and three chunks: IHDR, IDAT (one zlib stream of unfiltered rows), IEND.
#include "io/png.h"

#include <zlib.h>

#include "io/deflate.h"
#include "kernels/check.h"

namespace star {
namespace {

void append_u32(std::string& to, std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) to.push_back(char(value >> shift & 255));
}

// Length of the data, type, data, CRC of type and data.
void append_chunk(std::string& to, const char* type, const std::string& data) {
    append_u32(to, std::uint32_t(data.size()));
    const std::string body = type + data;
    to += body;
    append_u32(to, std::uint32_t(crc32(0, reinterpret_cast<const Bytef*>(body.data()), uInt(body.size()))));
}

}  // namespace

std::string encode_png(std::span<const std::uint8_t> grey, int width, int height) {
    require(
        width >= 1 && height >= 1 && width <= 32768 && height <= 32768 && grey.size() == std::size_t(width) * height,
        "PNG: ", grey.size(), " pixels for ", width, "x", height);
    std::string header;
    append_u32(header, std::uint32_t(width));
    append_u32(header, std::uint32_t(height));
    header += {8, 0, 0, 0, 0};  // bits, grey, deflate, the only filter method, not interlaced

    std::string rows;
    for (int y = 0; y < height; ++y) {
        rows.push_back(0);  // no filter
        rows.append(reinterpret_cast<const char*>(grey.data()) + std::size_t(y) * width, std::size_t(width));
    }
    std::string png = "\x89PNG\r\n\x1a\n";
    append_chunk(png, "IHDR", header);
    append_chunk(png, "IDAT", deflated(rows));
    append_chunk(png, "IEND", "");
    return png;
}

}  // namespace star
