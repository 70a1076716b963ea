// The decoders of tile-compressed FITS images (FITS standard 4.0, section 10.4). Ours, because CFITSIO 4.2 grows its
// buffer without end on a damaged gzip tile and reads past the end of a damaged Rice tile. Internal to io.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace star {

using Bytes = std::span<const unsigned char>;

/// RICE_1: `count` integers of `bytes` (1, 2, 4) bytes each, coded in blocks of `block` differences. 1 byte is
/// unsigned, the others signed. nullopt if the data end before the values do.
std::optional<std::vector<std::int64_t>> rice_decode(Bytes data, std::int64_t count, int block, int bytes);

/// A gzip or zlib stream of at most `most` bytes. nullopt if it is damaged, unfinished or longer.
std::optional<std::vector<unsigned char>> gunzip(Bytes data, std::int64_t most);

/// GZIP_2 keeps all first bytes of the values, then all second ones, and so on: puts them back together.
std::vector<unsigned char> unshuffle(const std::vector<unsigned char>& bytes, int value_bytes);

/// The subtractive dither of a tile: next() gives the number in 0...1 for each of its pixels in turn.
class Dither {
public:
    /// seed: ZDITHER0, 1...10000; tile: from 0.
    Dither(std::int64_t seed, std::int64_t tile);
    double next();

private:
    static const std::vector<float>& table();
    std::size_t seed_, at_;
};

}  // namespace star
