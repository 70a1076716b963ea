// Pictures out: 8-bit grey PNG (ISO/IEC 15948), for a quick look.
#pragma once
#include <cstdint>
#include <span>
#include <string>

namespace star {

/// The bytes of a PNG file: `grey` row by row from the top, width × height of them, 0 black; 1...32768 a side. The same
/// bytes for the same picture and zlib.
std::string encode_png(std::span<const std::uint8_t> grey, int width, int height);

}  // namespace star
