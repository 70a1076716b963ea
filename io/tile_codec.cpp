// Rice, gzip, shuffling and dithering of FITS tiles, none of which trusts its input.
#include "io/tile_codec.h"

#include <zlib.h>

#include <algorithm>

namespace star {
namespace {

/// Reads bits, the most significant first. Beyond the end it gives zeros and remembers.
class Bits {
public:
    explicit Bits(Bytes data) : data_(data) {}
    bool exhausted() const { return exhausted_; }

    std::uint64_t take(int n) {
        while (held_ < n) refill();
        held_ -= n;
        return buffer_ >> held_ & ((std::uint64_t{1} << n) - 1);
    }

    /// The number of zeros before the next one, which is taken too.
    std::uint64_t zeros() {
        std::uint64_t n = 0;
        while (!exhausted_ && take(1) == 0) ++n;
        return n;
    }

private:
    void refill() {
        exhausted_ = exhausted_ || at_ == data_.size();
        buffer_ = buffer_ << 8 | (at_ < data_.size() ? data_[at_++] : 0);
        held_ += 8;
    }
    Bytes data_;
    std::size_t at_ = 0;
    std::uint64_t buffer_ = 0;  // at most 7 + 32 bits are held
    int held_ = 0;
    bool exhausted_ = false;
};

}  // namespace

std::optional<std::vector<std::int64_t>> rice_decode(Bytes data, std::int64_t count, int block, int bytes) {
    const int code_bits = bytes == 1 ? 3 : bytes == 2 ? 4 : 5;        // width of a block's code
    const std::uint64_t raw = bytes == 1 ? 6 : bytes == 2 ? 14 : 25;  // the code of an uncompressed block
    const int width = 8 * bytes;
    const std::uint64_t mask = (std::uint64_t{1} << width) - 1;
    Bits bits(data);
    std::uint64_t last = bits.take(width);  // the first value, then differences to the one before
    std::vector<std::int64_t> values;
    values.reserve(std::size_t(count));
    for (std::int64_t i = 0; i < count; i += block) {
        const std::uint64_t code = bits.take(code_bits);  // 0: all differences 0; else the number of low bits + 1
        if (code > raw + 1) return {};
        for (std::int64_t j = i; j < std::min<std::int64_t>(i + block, count); ++j) {
            if (code != 0) {
                std::uint64_t folded;
                if (code == raw + 1) {
                    folded = bits.take(width);
                } else {
                    const std::uint64_t high = bits.zeros();
                    folded = (high << (code - 1) | bits.take(int(code) - 1)) & mask;
                }
                const std::uint64_t difference = folded & 1 ? ~(folded >> 1) : folded >> 1;
                last = (last + difference) & mask;
            }
            const bool negative = bytes > 1 && last >> (width - 1) & 1;
            values.push_back(std::int64_t(last) - (negative ? std::int64_t(mask) + 1 : 0));
        }
        if (bits.exhausted()) return {};
    }
    return values;
}

std::optional<std::vector<unsigned char>> gunzip(Bytes data, std::int64_t most) {
    if (data.size() > UINT32_MAX / 2 || most > INT32_MAX) return {};
    std::vector<unsigned char> out(std::size_t(most) + 1);  // one more than allowed shows what is too long
    z_stream stream{};
    if (inflateInit2(&stream, 15 + 32) != Z_OK) return {};  // the largest window; gzip or zlib by its header
    stream.next_in = const_cast<unsigned char*>(data.data());
    stream.avail_in = unsigned(data.size());
    stream.next_out = out.data();
    stream.avail_out = unsigned(out.size());
    const int ended = inflate(&stream, Z_FINISH);
    const std::size_t size = stream.total_out;
    inflateEnd(&stream);
    if (ended != Z_STREAM_END || size > std::size_t(most)) return {};
    out.resize(size);
    return out;
}

std::vector<unsigned char> unshuffle(const std::vector<unsigned char>& bytes, int value_bytes) {
    const std::size_t n = bytes.size() / std::size_t(value_bytes);
    std::vector<unsigned char> out(bytes.size());
    for (std::size_t i = 0; i < n; ++i)
        for (std::size_t b = 0; b < std::size_t(value_bytes); ++b)
            out[i * std::size_t(value_bytes) + b] = bytes[b * n + i];
    return out;
}

const std::vector<float>& Dither::table() {
    // Park and Miller's minimal generator, seed 1: FITS standard 4.0, appendix I. Constant once made.
    static const std::vector<float> values = [] {
        std::vector<float> list(10000);
        std::int64_t seed = 1;
        for (float& v : list) {
            seed = 16807 * seed % 2147483647;
            v = float(double(seed) / 2147483647.0);
        }
        return list;
    }();
    return values;
}

Dither::Dither(std::int64_t seed, std::int64_t tile)
    : seed_(std::size_t((seed - 1 + tile) % 10000)), at_(std::size_t(table()[seed_] * 500)) {}

double Dither::next() {
    const double value = table()[at_];
    if (++at_ == table().size()) {
        seed_ = (seed_ + 1) % table().size();
        at_ = std::size_t(table()[seed_] * 500);
    }
    return value;
}

}  // namespace star
