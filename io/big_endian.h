// Values as FITS stores them: big-endian. Internal to io.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>

namespace star {

template <class T>
T big_endian(const unsigned char* p) {
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) bits = bits << 8 | p[i];
    if constexpr (sizeof(T) == 1) return std::bit_cast<T>(std::uint8_t(bits));
    if constexpr (sizeof(T) == 2) return std::bit_cast<T>(std::uint16_t(bits));
    if constexpr (sizeof(T) == 4) return std::bit_cast<T>(std::uint32_t(bits));
    if constexpr (sizeof(T) == 8) return std::bit_cast<T>(bits);
}

/// Calls f with a value of the C++ type that BITPIX means: 8 unsigned, 16, 32, 64 signed, -32 and -64 real.
template <class F>
auto with_stored_type(int bitpix, F f) {
    switch (bitpix) {
        case 8:
            return f(std::uint8_t{});
        case 16:
            return f(std::int16_t{});
        case 32:
            return f(std::int32_t{});
        case 64:
            return f(std::int64_t{});
        case -32:
            return f(float{});
        default:
            return f(double{});
    }
}

}  // namespace star
