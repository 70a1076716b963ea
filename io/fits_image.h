// FITS images in: every BITPIX, scaled, unsigned by BZERO, tile-compressed, gzipped; hostile files give an Error.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/fits_hdu.h"

namespace star {

/// What an image is besides its pixels.
struct FitsPlane {
    std::string file;           // without the [extension]
    int number = 0;             // of the HDU; 0: the primary
    std::string extension;      // EXTNAME, or ""
    std::int64_t version = 1;   // EXTVER
    int width = 0, height = 0;  // NAXIS1, NAXIS2
    int planes = 1;             // NAXIS3; 1 except for read_cube
    std::uint32_t datasum = 0;  // of the HDU's data as they lie in the file: FITS's DATASUM, computed
    FitsHeader header;          // of the image, Z cards translated back; with INHERIT = T the primary's behind them
    FitsHeader primary;         // of the file's primary HDU, which may be the same

    /// A card of the image or, where it has none of that name, of the primary: HST and JWST keep GAIN, EXPTIME, FILTER
    /// there. Rules as FitsHeader's.
    std::optional<double> number_of(std::string_view key) const;
    std::optional<std::string> text_of(std::string_view key) const;
};

/// Physical values BZERO + BSCALE × stored, as float, row 0 (FITS y = 1) first: pixels[(plane·height + y)·width + x].
/// BLANK, NaN, infinities and what overflows a float are NaN.
struct FitsImage : FitsPlane {
    std::vector<float> pixels;
};

/// Integer values exactly, for masks and data-quality bits: two's complement 32 bits of BZERO + stored.
struct FitsMask : FitsPlane {
    std::vector<std::uint32_t> pixels;
};

/// Reads the image that `name` ("file.fits", "file.fits[SCI,1]", see ImageName) says; without an extension the first
/// HDU that holds a 2-D image. Axes beyond the second must have one pixel each. Fault::input, one line that names file
/// and card: missing or unreadable file, not FITS, truncated, no image, other dimensions, impossible cards, a
/// compression other than RICE_1, GZIP_1, GZIP_2 and NOCOMPRESS. Fault::device if memory doesn't suffice.
FitsImage read_image(const std::string& name);

/// As read_image, but a third axis may have any length: PSF libraries.
FitsImage read_cube(const std::string& name);
/// Its header alone.
FitsPlane describe_cube(const std::string& name);

/// As read_image; Fault::input too if a value isn't an integer of 32 bits, signed or unsigned, or is BLANK.
FitsMask read_mask(const std::string& name);

}  // namespace star
