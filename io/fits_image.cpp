// Reads FITS images. Plain pixels are decoded here, chunk by chunk; CFITSIO sees compressed ones only, from memory.
#include "io/fits_image.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>

#include "io/big_endian.h"
#include "io/fits_compressed.h"
#include "io/fits_keys.h"
#include "io/fits_window.h"
#include "kernels/check.h"

namespace star {
namespace {

struct Layout {
    std::int64_t count = 0;
    double scale = 1, zero = 0;
    std::optional<std::int64_t> blank;  // integer images only
};

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

float finite(double value) {
    const auto narrow = float(value);
    return std::isfinite(narrow) ? narrow : nan;
}

void decode(const unsigned char* p, std::int64_t n, int bitpix, const Layout& layout, std::vector<float>& out) {
    with_stored_type(bitpix, [&]<class T>(T) {
        for (std::int64_t i = 0; i < n; ++i) {
            const T stored = big_endian<T>(p + i * std::int64_t(sizeof(T)));
            if constexpr (std::is_integral_v<T>)
                out.push_back(layout.blank && *layout.blank == stored
                                  ? nan
                                  : finite(layout.zero + layout.scale * double(stored)));
            else
                out.push_back(finite(layout.zero + layout.scale * double(stored)));
        }
    });
}

std::uint32_t bits32(double value, const FitsHeader& h) {
    if (!(value >= INT32_MIN && value <= UINT32_MAX) || std::floor(value) != value)
        fail(Fault::input, h.where, ": the value ", value, " is no integer of 32 bits: not a mask");
    return std::uint32_t(std::int64_t(value));
}

void decode(const unsigned char* p, std::int64_t n, int bitpix, const Layout& layout, const FitsHeader& h,
            std::vector<std::uint32_t>& out) {
    with_stored_type(bitpix, [&]<class T>(T) {
        for (std::int64_t i = 0; i < n; ++i) {
            const T stored = big_endian<T>(p + i * std::int64_t(sizeof(T)));
            if constexpr (std::is_integral_v<T>) {
                if (layout.blank && *layout.blank == stored) fail(Fault::input, h.where, ": BLANK pixels in a mask");
            }
            // In double: 64-bit integers beyond 2^53 round, but they are out of range in either form.
            out.push_back(bits32(layout.zero + layout.scale * double(stored), h));
        }
    });
}

bool holds_image(const Hdu& hdu) {
    const std::string kind = hdu.kind();
    return ((kind == "PRIMARY" || kind == "IMAGE" || kind == "IUEIMAGE") && hdu.data_bytes > 0) || hdu.compressed();
}

std::vector<std::int64_t> image_axes(const Hdu& hdu) {
    if (!hdu.compressed()) return hdu.axes;
    check_compressed(hdu);
    std::vector<std::int64_t> axes;
    for (std::int64_t i = 1; i <= hdu.header.integer("ZNAXIS").value_or(0); ++i)
        axes.push_back(hdu.header.integer("ZNAXIS" + std::to_string(i)).value_or(0));
    return axes;
}

/// Why this is no 2-D image (or cube), naming NAXIS; empty if it is one.
std::string objection(const Hdu& hdu, bool cube) {
    const auto axes = image_axes(hdu);
    const std::string naxis = (hdu.compressed() ? "ZNAXIS" : "NAXIS");
    const std::string begin = hdu.header.where + ": " + naxis + " = " + std::to_string(axes.size());
    if (hdu.number == 0 && hdu.header.boolean("GROUPS").value_or(false))
        return hdu.header.where + ": GROUPS = T: random groups, not an image";
    if (axes.size() < 2) return begin + ": not a 2-D image";
    if (!hdu.compressed()) {
        std::int64_t pixels = 1;  // doesn't overflow: read_hdu() has multiplied the same
        for (const std::int64_t n : axes) pixels *= n;
        if (const std::int64_t held = hdu.data_bytes / (std::abs(hdu.bitpix) / 8); held != pixels)
            return hdu.header.where + ": PCOUNT and GCOUNT make " + std::to_string(held) + " values of " +
                   std::to_string(pixels) + " pixels: not an image";
    }
    for (std::size_t i = 0; i < axes.size(); ++i) {
        if (i >= (cube ? 3 : 2) && axes[i] != 1)
            return begin + " with " + naxis + std::to_string(i + 1) + " = " + std::to_string(axes[i]) +
                   ": not a 2-D image";
        if (axes[i] > INT32_MAX)
            return hdu.header.where + ": " + naxis + std::to_string(i + 1) + " = " + std::to_string(axes[i]) +
                   ": too large";
    }
    return {};
}

Hdu find_image(FitsSource& source, const ImageName& name, bool cube, FitsHeader& primary) {
    std::string complaint;
    for (int number = 0; auto hdu = read_hdu(source, number); ++number) {
        if (number == 0) primary = hdu->header;
        if (name.extension.empty() ? holds_image(*hdu) : hdu->matches(name.extension)) {
            if (!holds_image(*hdu)) fail(Fault::input, hdu->header.where, ": holds no image");
            const std::string why_not = objection(*hdu, cube);
            if (why_not.empty()) return *std::move(hdu);
            // A spectrum before the image is passed over; which plane of a cube is meant, nobody has said.
            if (!name.extension.empty() || image_axes(*hdu).size() > 2) fail(Fault::input, why_not);
            if (complaint.empty()) complaint = why_not;
        }
        source.skip(std::min(hdu->padded_bytes(), source.remaining()));
    }
    if (!complaint.empty()) fail(Fault::input, complaint);
    if (!name.extension.empty()) fail(Fault::input, name.file, ": has no extension [", name.extension, "]");
    fail(Fault::input, name.file, ": holds no image");
}

Layout layout_of(const Hdu& hdu, const FitsPlane& plane) {
    Layout layout;
    layout.count = std::int64_t{plane.width} * plane.height;
    if (__builtin_mul_overflow(layout.count, std::int64_t{plane.planes}, &layout.count))
        fail(Fault::input, hdu.header.where, ": the product of the NAXISn cards overflows 64 bits");
    layout.scale = hdu.header.number("BSCALE").value_or(1);
    layout.zero = hdu.header.number("BZERO").value_or(0);
    if (layout.scale == 0) fail(Fault::input, hdu.header.where, ": BSCALE = 0: impossible");
    if (hdu.bitpix > 0) layout.blank = hdu.header.integer("BLANK");
    return layout;
}

/// Whether a card describes its own HDU and is never inherited.
bool own_card(const std::string& key) {
    static constexpr const char* own[] = {"EXTVER", "EXTLEVEL", "INHERIT", "COMMENT", "HISTORY", "CONTINUE", ""};
    return is_structural(key) || std::find(std::begin(own), std::end(own), key) != std::end(own);
}

/// INHERIT = T (FITS standard 4.0, section 4.4.2.6): what an extension doesn't say, its file's primary header does.
void inherit(FitsHeader& header, const FitsHeader& primary) {
    if (!header.boolean("INHERIT").value_or(false)) return;
    const std::size_t own = header.cards.size();
    for (const Card& card : primary.cards) {
        const auto end = header.cards.begin() + std::ptrdiff_t(own);
        if (!own_card(card.key) &&
            std::none_of(header.cards.begin(), end, [&](const Card& c) { return c.key == card.key; }))
            header.cards.push_back(card);
    }
}

[[noreturn]] void truncated(const Hdu& hdu) {
    fail(Fault::input, hdu.header.where, ": truncated: ", hdu.data_bytes,
         " bytes of data are declared, the file ends before");
}

/// Hands the data to `use` in chunks of whole pixels, and sums them up with their padding.
template <class Use>
std::uint32_t read_chunks(FitsSource& source, const Hdu& hdu, Use use) {
    std::vector<unsigned char> chunk(std::size_t(64 * fits_block));
    std::uint32_t sum = 0;
    for (std::int64_t done = 0; done < hdu.data_bytes;) {
        const std::int64_t left = std::min<std::int64_t>(std::int64_t(chunk.size()), hdu.padded_bytes() - done);
        const std::int64_t used = std::min(left, hdu.data_bytes - done), n = source.read(chunk.data(), left);
        if (n < used) truncated(hdu);
        std::fill(chunk.begin() + n, chunk.begin() + left, static_cast<unsigned char>(0));  // a last block cut short
        sum = add_datasum(sum, chunk.data(), left);
        use(chunk.data(), used);
        done += left;
    }
    return sum;
}

/// Hands the rows of a window to `use`.
template <class Use>
void read_rows(FitsSource& source, const Hdu& hdu, const Window& w, Use use) {
    const std::int64_t each = std::abs(hdu.bitpix) / 8, row = hdu.axes[0] * each, used = w.width * each;
    std::vector<unsigned char> line(static_cast<std::size_t>(used));
    source.skip(w.y0 * row + w.x0 * each);
    for (int y = 0; y < w.height; ++y) {
        if (y > 0) source.skip(row - used);
        if (source.read(line.data(), used) < used) truncated(hdu);
        use(line.data(), used);
    }
}

void check_window(const Window& w, const FitsPlane& plane) {
    const auto in = [](int first, int extent, int all) { return first >= 0 && extent > 0 && first <= all - extent; };
    if (!in(w.x0, w.width, plane.width) || !in(w.y0, w.height, plane.height))
        fail(Fault::input, plane.header.where, ": NAXIS: columns ", w.x0, " to ", w.x0 + w.width, ", rows ", w.y0,
             " to ", w.y0 + w.height, " of an image of ", plane.width, "x", plane.height);
}

std::vector<unsigned char> read_bytes(FitsSource& source, const Hdu& hdu, std::uint32_t& datasum) {
    std::vector<unsigned char> bytes;
    bytes.reserve(std::size_t(hdu.data_bytes));
    datasum =
        read_chunks(source, hdu, [&](const unsigned char* p, std::int64_t n) { bytes.insert(bytes.end(), p, p + n); });
    return bytes;
}

/// An image found: all of the plane but pixels and datasum; the source stands at its data.
Hdu open_plane(FitsSource& source, const ImageName& name, bool cube, FitsPlane& plane) {
    Hdu hdu = find_image(source, name, cube, plane.primary);
    const auto axes = image_axes(hdu);
    plane.file = name.file;
    plane.number = hdu.number;
    plane.extension = hdu.name();
    plane.version = hdu.version();
    plane.width = int(axes[0]), plane.height = int(axes[1]), plane.planes = cube && axes.size() > 2 ? int(axes[2]) : 1;
    plane.header = hdu.compressed() ? uncompressed_header(hdu.header) : hdu.header;
    if (hdu.number > 0) inherit(plane.header, plane.primary);
    return hdu;
}

/// Fills plane and pixels, all or the window's. `decode_chunk(bytes, n pixels, hdu, layout, pixels)` appends;
/// `convert(hdu)` gives what turns a decompressed double into a pixel.
template <class Plane, class DecodeChunk, class Convert>
Plane read_plane(const std::string& text, bool cube, const Window* window, DecodeChunk decode_chunk, Convert convert) {
    const ImageName name = parse_image_name(text);
    FitsSource source(name.file);
    Plane plane;
    const Hdu hdu = open_plane(source, name, cube, plane);
    const Layout layout = layout_of(hdu, plane);
    const std::int64_t width = plane.width;
    if (window) {
        check_window(*window, plane);
        plane.width = window->width, plane.height = window->height;
    }
    try {
        if (hdu.compressed()) {
            const std::vector<unsigned char> bytes = read_bytes(source, hdu, plane.datasum);
            if (window)
                decompress(TiledImage(hdu, bytes), width, {window->x0, window->y0, window->width, window->height},
                           plane.pixels, convert(hdu));
            else
                decompress(hdu, bytes, plane.pixels, convert(hdu));
        } else {
            const std::int64_t count = window ? std::int64_t{plane.width} * plane.height : layout.count;
            plane.pixels.reserve(std::size_t(count));  // pages are taken as data arrive, not before
            const int bytes = std::abs(hdu.bitpix) / 8;
            const auto use = [&](const unsigned char* p, std::int64_t n) {
                decode_chunk(p, n / bytes, hdu, layout, plane.pixels);
            };
            if (window)
                read_rows(source, hdu, *window, use);
            else
                plane.datasum = read_chunks(source, hdu, use);
        }
    } catch (const std::bad_alloc&) {
        fail(Fault::device, hdu.header.where, ": not enough memory for ", layout.count, " pixels");
    }
    if (window) plane.datasum = 0;
    return plane;
}

FitsImage read_floats(const std::string& name, bool cube, const Window* window) {
    return read_plane<FitsImage>(
        name, cube, window,
        [](const unsigned char* p, std::int64_t n, const Hdu& hdu, const Layout& layout, std::vector<float>& out) {
            decode(p, n, hdu.bitpix, layout, out);
        },
        [](const Hdu&) { return finite; });
}

FitsMask read_bits(const std::string& name, const Window* window) {
    return read_plane<FitsMask>(
        name, false, window,
        [](const unsigned char* p, std::int64_t n, const Hdu& hdu, const Layout& layout,
           std::vector<std::uint32_t>& out) { decode(p, n, hdu.bitpix, layout, hdu.header, out); },
        [](const Hdu& hdu) { return [&hdu](double v) { return bits32(v, hdu.header); }; });
}

}  // namespace

std::optional<double> FitsPlane::number_of(std::string_view key) const {
    const auto own = header.number(key);
    return own ? own : primary.number(key);
}

std::optional<std::string> FitsPlane::text_of(std::string_view key) const {
    const auto own = header.text(key);
    return own ? own : primary.text(key);
}

FitsImage read_image(const std::string& name) { return read_floats(name, false, nullptr); }

FitsImage read_image(const std::string& name, const Window& window) { return read_floats(name, false, &window); }

FitsImage read_cube(const std::string& name) { return read_floats(name, true, nullptr); }

FitsMask read_mask(const std::string& name) { return read_bits(name, nullptr); }

FitsMask read_mask(const std::string& name, const Window& window) { return read_bits(name, &window); }

FitsPlane describe_cube(const std::string& name) {
    const ImageName parts = parse_image_name(name);
    FitsSource source(parts.file);
    FitsPlane plane;
    layout_of(open_plane(source, parts, true, plane), plane);
    return plane;
}

FitsPlane describe_image(const std::string& name, bool datasum) {
    const ImageName parts = parse_image_name(name);
    FitsSource source(parts.file);
    FitsPlane plane;
    const Hdu hdu = open_plane(source, parts, false, plane);
    layout_of(hdu, plane);
    if (datasum) plane.datasum = read_chunks(source, hdu, [](const unsigned char*, std::int64_t) {});
    return plane;
}

}  // namespace star
