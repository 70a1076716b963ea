// Validates the cards and descriptors of a tile-compressed image, then lets CFITSIO decode it from memory.
#include "io/fits_compressed.h"

#include <algorithm>
#include <limits>

#include "kernels/check.h"

namespace star {
namespace {

bool numbered(const std::string& key, const std::string& stem) {
    return key.size() > stem.size() && key.compare(0, stem.size(), stem) == 0 &&
           key.find_first_not_of("0123456789", stem.size()) == key.npos;
}

bool known_keyword(const std::string& value, std::initializer_list<const char*> list) {
    return std::any_of(list.begin(), list.end(), [&](const char* v) { return value == v; });
}

}  // namespace

FitsHeader uncompressed_header(const FitsHeader& table) {
    FitsHeader image{table.where, {}};
    for (Card card : table.cards) {
        const std::string& k = card.key;
        if (known_keyword(k,
                          {"XTENSION", "BITPIX",   "NAXIS",    "PCOUNT",   "GCOUNT",   "TFIELDS",  "THEAP",   "ZIMAGE",
                           "ZCMPTYPE", "ZQUANTIZ", "ZDITHER0", "ZBLANK",   "ZSCALE",   "ZZERO",    "ZSIMPLE", "ZEXTEND",
                           "ZTENSION", "ZPCOUNT",  "ZGCOUNT",  "ZHECKSUM", "ZDATASUM", "CHECKSUM", "DATASUM"}) ||
            numbered(k, "NAXIS") || numbered(k, "TTYPE") || numbered(k, "TFORM") || numbered(k, "ZTILE") ||
            numbered(k, "ZNAME") || numbered(k, "ZVAL"))
            continue;
        if (k == "ZBITPIX" || k == "ZNAXIS" || numbered(k, "ZNAXIS")) card.key = k.substr(1);
        image.cards.push_back(std::move(card));
    }
    return image;
}

void check_compressed(const Hdu& hdu) {
    const FitsHeader& h = hdu.header;
    const auto bad = [&](const std::string& key) {
        fail(Fault::input, h.where, ": ", key, " = ", h.text(key).value_or("(missing)"), ": impossible");
    };
    const auto forms = column_forms(hdu);
    const std::string type = h.text("ZCMPTYPE").value_or("");
    if (!known_keyword(type, {"RICE_1", "GZIP_1", "GZIP_2", "NOCOMPRESS"}))
        fail(Fault::input, h.where, ": ZCMPTYPE = '", type, "': only RICE_1, GZIP_1, GZIP_2 and NOCOMPRESS are read");
    const std::int64_t bitpix = h.integer("ZBITPIX").value_or(0), naxis = h.integer("ZNAXIS").value_or(0);
    if (!known_keyword(std::to_string(bitpix), {"8", "16", "32", "64", "-32", "-64"})) bad("ZBITPIX");
    if (naxis < 1 || naxis > 6) bad("ZNAXIS");
    std::int64_t pixels = 1, tiles = 1, tile_pixels = 1;
    for (std::int64_t i = 1; i <= naxis; ++i) {
        const std::string n = std::to_string(i);
        const std::int64_t size = h.integer("ZNAXIS" + n).value_or(0);
        if (size < 1 || size > INT32_MAX) bad("ZNAXIS" + n);
        const std::int64_t tile = h.integer("ZTILE" + n).value_or(i == 1 ? size : 1);
        if (tile < 1 || tile > INT32_MAX) bad("ZTILE" + n);
        const std::int64_t used = std::min(tile, size);
        if (__builtin_mul_overflow(pixels, size, &pixels) ||
            __builtin_mul_overflow(tiles, (size + used - 1) / used, &tiles) ||
            __builtin_mul_overflow(tile_pixels, used, &tile_pixels))
            bad("ZNAXIS" + n);
    }
    if (tile_pixels > INT32_MAX / 8)
        fail(Fault::input, h.where, ": ZTILEn: tiles of ", tile_pixels, " pixels are too large");
    if (tiles != hdu.axes.at(1))
        fail(Fault::input, h.where, ": NAXIS2 = ", hdu.axes.at(1), ", but the image has ", tiles, " tiles");
    // Nothing compresses better than deflate's 1032:1, so a small file can't ask for unbounded memory.
    if (pixels / 1032 > hdu.data_bytes)
        fail(Fault::input, h.where, ": ZNAXISn: ", pixels, " pixels from ", hdu.data_bytes, " bytes");
    const std::string quantiser = h.text("ZQUANTIZ").value_or("NO_DITHER");
    if (!known_keyword(quantiser, {"NONE", "NO_DITHER", "SUBTRACTIVE_DITHER_1", "SUBTRACTIVE_DITHER_2"}))
        bad("ZQUANTIZ");
    // An index into a table of 10,000 random numbers.
    if (const auto seed = h.integer("ZDITHER0"); seed && (*seed < 1 || *seed > 10000)) bad("ZDITHER0");
    for (int i = 1; i <= 999; ++i) {
        const std::string n = std::to_string(i);
        const auto name = h.text("ZNAME" + n);
        if (!name) break;
        const std::int64_t value = h.integer("ZVAL" + n).value_or(-1);
        if (*name == "BLOCKSIZE" && value != 16 && value != 32) bad("ZVAL" + n);
        if (*name == "BYTEPIX" && value != 1 && value != 2 && value != 4) bad("ZVAL" + n);
    }
    bool data = false;
    for (std::size_t i = 0; i < forms.size(); ++i) {
        const std::string key = "TTYPE" + std::to_string(i + 1), name = h.text(key).value_or("");
        const bool tile = known_keyword(name, {"COMPRESSED_DATA", "GZIP_COMPRESSED_DATA", "UNCOMPRESSED_DATA"});
        const bool scalar = known_keyword(name, {"ZSCALE", "ZZERO", "ZBLANK"});
        const auto& form = forms[i];
        if (!tile && !scalar)
            fail(Fault::input, h.where, ": ", key, " = '", name, "': not a column of a compressed image");
        if (tile ? form.element == 0 || form.element == 'X'
                 : form.element != 0 || form.repeat != 1 || form.code == 'A' || form.code == 'X')
            bad("TFORM" + std::to_string(i + 1));
        data = data || name == "COMPRESSED_DATA";
    }
    if (!data) fail(Fault::input, h.where, ": TTYPEn: no column COMPRESSED_DATA");
}

}  // namespace star
