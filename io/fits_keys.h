// Which keywords of FITS describe how a file is laid out, not what it holds.
#pragma once
#include <string>

namespace star {

/// Whether a card of that keyword (BITPIX, NAXISn, TFORMn, BSCALE, EXTNAME, CHECKSUM ...) belongs to the structure of a
/// file and so to its writer.
bool is_structural(const std::string& key);

}  // namespace star
