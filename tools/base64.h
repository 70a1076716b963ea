// Bytes as text (RFC 4648), to be put into a page.
#pragma once
#include <string>
#include <string_view>

namespace star {

std::string base64(std::string_view bytes);

}  // namespace star
