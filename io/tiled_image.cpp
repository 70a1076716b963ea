// TiledImage: finds each tile in the heap, decodes, dequantises and scales it.
#include <algorithm>
#include <cmath>
#include <limits>

#include "io/big_endian.h"
#include "io/fits_compressed.h"
#include "kernels/check.h"

namespace star {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

/// BITPIX of a raw value of that TFORM letter, or 0.
int bitpix_of(char code) {
    switch (code) {
        case 'B':
            return 8;
        case 'I':
            return 16;
        case 'J':
            return 32;
        case 'K':
            return 64;
        case 'E':
            return -32;
        case 'D':
            return -64;
        default:
            return 0;
    }
}

}  // namespace

TiledImage::TiledImage(const Hdu& hdu, const std::vector<unsigned char>& data) : hdu_(hdu), data_(data) {
    const FitsHeader& h = hdu.header;
    const std::int64_t naxis =
        std::min<std::int64_t>(h.integer("ZNAXIS").value_or(0), 3);  // beyond, all have one pixel
    for (std::int64_t i = 0; i < naxis; ++i) {
        const std::string n = std::to_string(i + 1);
        size_[i] = h.integer("ZNAXIS" + n).value_or(1);
        tile_[i] = std::min(size_[i], h.integer("ZTILE" + n).value_or(i == 0 ? size_[i] : 1));
    }
    kind_ = h.text("ZCMPTYPE").value_or("");
    quantiser_ = h.text("ZQUANTIZ").value_or("NO_DITHER");
    bitpix_ = int(h.integer("ZBITPIX").value_or(0));
    seed_ = h.integer("ZDITHER0").value_or(1);
    scale_ = h.number("BSCALE").value_or(1), zero_ = h.number("BZERO").value_or(0);
    for (int i = 1; const auto name = h.text("ZNAME" + std::to_string(i)); ++i) {
        const std::int64_t value = h.integer("ZVAL" + std::to_string(i)).value_or(0);
        if (*name == "BLOCKSIZE") rice_block_ = value;
        if (*name == "BYTEPIX") rice_bytes_ = value;
    }
    heap_ = h.integer("THEAP").value_or(hdu.axes[0] * hdu.axes[1]);
    if (heap_ < hdu.axes[0] * hdu.axes[1] || heap_ > hdu.data_bytes)
        fail(Fault::input, h.where, ": THEAP = ", heap_, ": impossible");
    const auto forms = column_forms(hdu);
    for (std::size_t i = 0; i < forms.size(); ++i) {
        const std::string name = h.text("TTYPE" + std::to_string(i + 1)).value_or("");
        const std::pair<const char*, Column*> known[] = {{"COMPRESSED_DATA", &compressed_},
                                                         {"GZIP_COMPRESSED_DATA", &gzipped_},
                                                         {"UNCOMPRESSED_DATA", &plain_},
                                                         {"ZSCALE", &zscale_},
                                                         {"ZZERO", &zzero_},
                                                         {"ZBLANK", &zblank_}};
        for (const auto& [key, column] : known)
            if (name == key) *column = {forms[i], true};
    }
}

std::int64_t TiledImage::tiles() const {
    std::int64_t n = 1;
    for (int i = 0; i < 3; ++i) n *= (size_[i] + tile_[i] - 1) / tile_[i];
    return n;
}

void TiledImage::damaged(std::int64_t tile) const {
    fail(Fault::input, hdu_.header.where, ": the compressed tile of row ", tile + 1, " is damaged");
}

void TiledImage::place(std::int64_t tile, std::int64_t* begin, std::int64_t* extent) const {
    for (int i = 0; i < 3; ++i) {
        const std::int64_t along = (size_[i] + tile_[i] - 1) / tile_[i];
        begin[i] = tile % along * tile_[i];
        extent[i] = std::min(tile_[i], size_[i] - begin[i]);
        tile /= along;
    }
}

Bytes TiledImage::heap(const Column& column, std::int64_t tile) const {
    if (!column.present || column.form.bytes == 0) return {};
    const unsigned char* p = data_.data() + tile * hdu_.axes[0] + column.form.offset;
    const bool wide = column.form.code == 'Q';
    const std::uint64_t length = wide ? big_endian<std::uint64_t>(p) : big_endian<std::uint32_t>(p);
    const std::uint64_t offset = wide ? big_endian<std::uint64_t>(p + 8) : big_endian<std::uint32_t>(p + 4);
    if (length == 0) return {};
    const auto room = std::uint64_t(hdu_.data_bytes - heap_), each = std::uint64_t(element_bytes(column.form.element));
    if (offset > room || length > (room - offset) / each)
        fail(Fault::input, hdu_.header.where, ": the compressed tile of row ", tile + 1, " lies outside the data");
    return Bytes(data_).subspan(std::size_t(std::uint64_t(heap_) + offset), std::size_t(length * each));
}

std::optional<double> TiledImage::scalar(const Column& column, const char* key, std::int64_t tile) const {
    if (!column.present) return hdu_.header.number(key);
    const unsigned char* p = data_.data() + tile * hdu_.axes[0] + column.form.offset;
    const int bitpix = bitpix_of(column.form.code);
    if (bitpix == 0) fail(Fault::input, hdu_.header.where, ": TFORMn of column ", key, ": impossible");
    return with_stored_type(bitpix, [&]<class T>(T) { return double(big_endian<T>(p)); });
}

std::vector<double> TiledImage::raw_values(const std::vector<unsigned char>& bytes, int bitpix, std::int64_t tile,
                                           std::int64_t count) const {
    const std::size_t each = std::size_t(std::abs(bitpix) / 8);
    if (each == 0 || bytes.size() != std::size_t(count) * each) damaged(tile);
    std::vector<double> values;
    values.reserve(std::size_t(count));
    with_stored_type(bitpix, [&]<class T>(T) {
        for (std::size_t i = 0; i < bytes.size(); i += each) values.push_back(double(big_endian<T>(bytes.data() + i)));
    });
    return values;
}

/// COMPRESSED_DATA as the values it codes: integers, or reals where they were not quantised.
std::vector<double> TiledImage::integers_of(Bytes bytes, std::int64_t tile, std::int64_t count) const {
    if (kind_ == "RICE_1") {
        const auto values = rice_decode(bytes, count, int(rice_block_), int(rice_bytes_));
        if (!values) damaged(tile);
        return {values->begin(), values->end()};
    }
    std::optional<std::vector<unsigned char>> raw;
    if (kind_ == "NOCOMPRESS")
        raw.emplace(bytes.begin(), bytes.end());
    else
        raw = gunzip(bytes, count * 8);
    if (!raw || raw->size() % std::size_t(count) != 0) damaged(tile);
    const int each = int(raw->size() / std::size_t(count));
    const bool quantised = bitpix_ < 0 && scalar(zscale_, "ZSCALE", tile).has_value();
    // Writers may store integers narrower or wider than the image's; the size tells.
    const int bitpix = bitpix_ < 0 && !quantised ? bitpix_ : 8 * each;
    if (each != 1 && each != 2 && each != 4 && each != 8) damaged(tile);
    return raw_values(kind_ == "GZIP_2" ? unshuffle(*raw, each) : *raw, bitpix, tile, count);
}

std::vector<double> TiledImage::values_of(std::int64_t tile, std::int64_t count) const {
    std::vector<double> values;
    bool quantised = false;
    if (const Bytes coded = heap(compressed_, tile); !coded.empty()) {
        values = integers_of(coded, tile, count);
        quantised = bitpix_ < 0 && scalar(zscale_, "ZSCALE", tile).has_value();
        if (bitpix_ < 0 && !quantised && kind_ == "RICE_1") damaged(tile);  // Rice codes integers only
    } else if (const Bytes gzip = heap(gzipped_, tile); !gzip.empty()) {
        const auto raw = gunzip(gzip, count * 8);
        if (!raw) damaged(tile);
        values = raw_values(*raw, bitpix_, tile, count);
    } else if (const Bytes plain = heap(plain_, tile); !plain.empty()) {
        values = raw_values({plain.begin(), plain.end()}, bitpix_of(plain_.form.element), tile, count);
    } else {
        damaged(tile);
    }
    const auto blank = scalar(zblank_, bitpix_ > 0 && !hdu_.header.find("ZBLANK") ? "BLANK" : "ZBLANK", tile);
    if (blank && (bitpix_ > 0 || quantised)) std::replace(values.begin(), values.end(), *blank, nan);
    if (quantised) {
        const double step = scalar(zscale_, "ZSCALE", tile).value_or(1),
                     base = scalar(zzero_, "ZZERO", tile).value_or(0);
        const bool dithered = quantiser_ == "SUBTRACTIVE_DITHER_1" || quantiser_ == "SUBTRACTIVE_DITHER_2";
        Dither dither(seed_, tile);
        for (double& v : values) {
            const double offset = dithered ? dither.next() - 0.5 : 0;
            // The second kind of dither keeps exact zeros under a code of their own.
            v = quantiser_ == "SUBTRACTIVE_DITHER_2" && v == -2147483646 ? 0 : (v - offset) * step + base;
        }
    }
    for (double& v : values) v = zero_ + scale_ * v;
    return values;
}

}  // namespace star
