// Tile-compressed FITS images (FITS standard 4.0, section 10). Internal to io.
#pragma once
#include <vector>

#include "io/cfitsio.h"

namespace star {

/// The header of the image inside: Z cards under their own names, the table's cards gone.
FitsHeader uncompressed_header(const FitsHeader& table);

/// Fault::input for whatever in the cards of a compressed image could lead the decoder astray: kinds of compression
/// other than RICE_1, GZIP_1, GZIP_2 and NOCOMPRESS, tiles, quantisation, columns, more pixels than the data can hold.
void check_compressed(const Hdu& hdu);

/// Decodes to physical values as double (BLANK: NaN). `memory` holds the HDU's data. At most 2-D images or cubes.
std::vector<float> decompress_floats(const Hdu& hdu, MemoryHdu& memory, std::int64_t count);
std::vector<std::int64_t> decompress_integers(const Hdu& hdu, MemoryHdu& memory, std::int64_t count);

/// The cards that the decoder needs: for MemoryHdu.
const std::vector<std::string>& compressed_keys();

}  // namespace star
