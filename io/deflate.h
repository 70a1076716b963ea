// Bytes packed as a zlib stream (RFC 1950), which PNG holds and browsers unpack.
#pragma once
#include <string>
#include <string_view>

namespace star {

/// The same stream for the same bytes and zlib.
std::string deflated(std::string_view bytes);

}  // namespace star
