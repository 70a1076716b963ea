// A number and a letter.
#include "tools/byte_size.h"

#include <cctype>
#include <cmath>
#include <cstdlib>

#include "kernels/check.h"

namespace star {

std::int64_t parse_bytes(const std::string& text, const char* option) {
    char* end = nullptr;
    const double number = std::strtod(text.c_str(), &end);
    std::string unit;
    for (; *end; ++end)
        if (*end != ' ') unit += char(std::toupper(static_cast<unsigned char>(*end)));
    double factor = 0;
    for (const auto& [letter, bytes] : {std::pair{"K", 0x1p10}, {"M", 0x1p20}, {"G", 0x1p30}, {"T", 0x1p40}})
        for (const char* tail : {"", "B", "IB"})
            if (unit == std::string(letter) + tail) factor = bytes;
    if (unit.empty()) factor = 0x1p20;
    const double bytes = number * factor;
    if (!(bytes >= 16 * 0x1p20 && bytes <= 0x1p40))
        fail(Fault::usage, option, " ", text, ": a size such as 2G or 500M, at least 16M");
    return std::int64_t(bytes);
}

}  // namespace star
