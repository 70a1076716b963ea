// Sizes of memory as people write them.
#pragma once
#include <cstdint>
#include <string>

namespace star {

/// "2G", "1.5GB", "500M", "800MiB", "16": bytes, by powers of 1024; without a letter, MB. Throws Error (Fault::usage)
/// naming `option` for anything else, and for less than 16 MB or more than a TB.
std::int64_t parse_bytes(const std::string& text, const char* option);

}  // namespace star
