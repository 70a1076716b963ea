// The raw structure of a FITS file: bytes in order, headers validated by us before any other code sees them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/fits_header.h"

namespace star {

constexpr std::int64_t fits_block = 2880;  // headers and data come in blocks of this many bytes

/// What a user names: "file.fits", "file.fits[SCI]", "file.fits[2]" (0 is the primary), "file.fits[SCI,2]" (EXTVER).
struct ImageName {
    std::string file;
    std::string extension;  // what stands in the brackets, or empty
};

/// Splits a trailing [extension] off. Nothing else in a name has a meaning. Fault::usage if the brackets are empty.
ImageName parse_image_name(const std::string& name);

/// A file read from its beginning, gunzipped on the way if it is gzip. Every failure is Fault::input and names the
/// file.
class FitsSource {
public:
    explicit FitsSource(const std::string& path);
    ~FitsSource();
    FitsSource(const FitsSource&) = delete;
    FitsSource& operator=(const FitsSource&) = delete;

    /// Reads up to `size` bytes; fewer at the end of the file only.
    std::int64_t read(void* to, std::int64_t size);
    void skip(std::int64_t size);
    /// No more bytes than this can follow: the rest of the file; for gzip, what the rest can expand to at most.
    std::int64_t remaining() const { return limit_ - position_; }
    const std::string& path() const { return path_; }

private:
    std::string path_;
    void* stream_ = nullptr;  // zlib's gzFile, which reads plain files as they are
    std::int64_t position_ = 0, limit_ = 0;
};

/// One header-data unit: a header whose mandatory cards hold, with data that the file is long enough to hold.
struct Hdu {
    int number = 0;  // 0: the primary
    FitsHeader header;
    int bitpix = 0;
    std::vector<std::int64_t> axes;  // NAXIS1, NAXIS2, ...
    std::int64_t data_bytes = 0;     // without padding to blocks

    std::string kind() const;      // "PRIMARY", or XTENSION's value: "IMAGE", "BINTABLE", "TABLE"
    std::string name() const;      // EXTNAME, or ""
    std::int64_t version() const;  // EXTVER, or 1
    bool compressed() const;       // a tile-compressed image
    std::int64_t padded_bytes() const { return (data_bytes + fits_block - 1) / fits_block * fits_block; }
    /// Whether this is what the user's [extension] names. Names are compared without case.
    bool matches(const std::string& extension) const;
};

/// Reads the header at the source's position and leaves it at the data. nullopt at the end of the file, or at trailing
/// bytes that are no extension. Fault::input for everything the standard forbids in the mandatory cards, for more than
/// 100,000 cards, for sizes that overflow, and for data the file is too short to hold.
std::optional<Hdu> read_hdu(FitsSource& source, int number);

/// The first unit that the extension names, the source left at its data. Fault::input if there is none.
Hdu find_hdu(FitsSource& source, const std::string& extension);

/// All units of a file, in order, without their data.
std::vector<Hdu> list_hdus(const std::string& file);

/// Adds big-endian 32-bit words to a ones' complement sum: FITS's DATASUM. `size` is a multiple of 4.
std::uint32_t add_datasum(std::uint32_t sum, const unsigned char* data, std::int64_t size);

}  // namespace star
