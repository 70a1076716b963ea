// Tile-compressed FITS images (FITS standard 4.0, section 10). Internal to io.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "io/fits_columns.h"
#include "io/tile_codec.h"

namespace star {

/// The header of the image inside: Z cards under their own names, the table's cards gone.
FitsHeader uncompressed_header(const FitsHeader& table);

/// Fault::input for whatever in the cards of a compressed image could lead the decoder astray: kinds of compression
/// other than RICE_1, GZIP_1, GZIP_2 and NOCOMPRESS, tiles, quantisation, columns, more pixels than the data can hold.
void check_compressed(const Hdu& hdu);

/// The image in tiles: of what size, and each tile's physical values (BZERO + BSCALE × value, blanks NaN) as double.
class TiledImage {
public:
    /// `data`: the HDU's, table and heap; both outlive this. Cards as check_compressed() passes them.
    TiledImage(const Hdu& hdu, const std::vector<unsigned char>& data);
    std::int64_t size() const { return size_[0] * size_[1] * size_[2]; }
    std::int64_t tiles() const;
    /// Calls put(index in the image, value) for every pixel of a tile. Fault::input, naming the row, if it doesn't
    /// decode.
    template <class Put>
    void decode(std::int64_t tile, Put put) const {
        std::int64_t begin[3], extent[3];
        place(tile, begin, extent);
        const std::vector<double> values = values_of(tile, extent[0] * extent[1] * extent[2]);
        auto value = values.begin();
        for (std::int64_t z = 0; z < extent[2]; ++z)
            for (std::int64_t y = 0; y < extent[1]; ++y)
                for (std::int64_t x = 0; x < extent[0]; ++x)
                    put(((begin[2] + z) * size_[1] + begin[1] + y) * size_[0] + begin[0] + x, *value++);
    }

    /// Whether a tile has a pixel in columns [x0, x1) and rows [y0, y1).
    bool touches(std::int64_t tile, std::int64_t x0, std::int64_t y0, std::int64_t x1, std::int64_t y1) const {
        std::int64_t begin[3], extent[3];
        place(tile, begin, extent);
        return begin[0] < x1 && begin[0] + extent[0] > x0 && begin[1] < y1 && begin[1] + extent[1] > y0;
    }

private:
    struct Column {
        ColumnForm form;
        bool present = false;
    };
    void place(std::int64_t tile, std::int64_t* begin, std::int64_t* extent) const;
    std::vector<double> values_of(std::int64_t tile, std::int64_t count) const;
    std::vector<double> integers_of(Bytes bytes, std::int64_t tile, std::int64_t count) const;
    std::vector<double> raw_values(const std::vector<unsigned char>& bytes, int bitpix, std::int64_t tile,
                                   std::int64_t count) const;
    Bytes heap(const Column& column, std::int64_t tile) const;
    std::optional<double> scalar(const Column& column, const char* key, std::int64_t tile) const;
    [[noreturn]] void damaged(std::int64_t tile) const;

    const Hdu& hdu_;
    const std::vector<unsigned char>& data_;
    std::int64_t size_[3] = {1, 1, 1}, tile_[3] = {1, 1, 1};
    std::string kind_, quantiser_;
    int bitpix_ = 0;
    std::int64_t rice_block_ = 32, rice_bytes_ = 4, seed_ = 1, heap_ = 0;
    double scale_ = 1, zero_ = 0;
    Column compressed_, gzipped_, plain_, zscale_, zzero_, zblank_;
};

/// The values of columns [x0, x0 + w) and rows [y0, y0 + h) of the first plane, each through `convert` (double to T),
/// in the image's order.
template <class T, class Convert>
void decompress(const TiledImage& image, std::int64_t width, const std::int64_t (&window)[4], std::vector<T>& out,
                Convert convert) {
    const std::int64_t x0 = window[0], y0 = window[1], w = window[2], h = window[3];
    out.resize(std::size_t(w * h));
    for (std::int64_t tile = 0; tile < image.tiles(); ++tile) {
        if (!image.touches(tile, x0, y0, x0 + w, y0 + h)) continue;
        image.decode(tile, [&](std::int64_t i, double v) {
            const std::int64_t x = i % width - x0, y = i / width - y0;
            if (x >= 0 && x < w && y >= 0 && y < h) out[std::size_t(y * w + x)] = convert(v);
        });
    }
}

/// All values, each through `convert` (double to T), in the image's order.
template <class T, class Convert>
void decompress(const Hdu& hdu, const std::vector<unsigned char>& data, std::vector<T>& out, Convert convert) {
    const TiledImage image(hdu, data);
    out.resize(std::size_t(image.size()));
    for (std::int64_t tile = 0; tile < image.tiles(); ++tile)
        image.decode(tile, [&](std::int64_t i, double v) { out[std::size_t(i)] = convert(v); });
}

}  // namespace star
