// Which keywords of FITS describe how a file is laid out, not what it holds.
#pragma once
#include <string>

namespace star {

/// Whether a card of that keyword (BITPIX, NAXISn, TFORMn, BSCALE, EXTNAME, CHECKSUM ...) belongs to the structure of a
/// file and so to its writer.
bool is_structural(const std::string& key);

/// Whether a card of an input's header may stand in an output's: neither structural nor outside the standard (HIERARCH,
/// small letters).
bool is_passed_on(const std::string& key);

}  // namespace star
