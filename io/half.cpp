// IEEE binary16 to float and back, in integer arithmetic: every value exactly, every rounding to nearest even.
#include <bit>

#include "io/safetensors.h"

namespace star {

float half_to_float(std::uint16_t half) {
    const std::uint32_t sign = std::uint32_t{half & 0x8000u} << 16, exponent = half >> 10 & 31u,
                        fraction = half & 0x3ffu;
    if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000u | fraction << 13);
    if (exponent > 0) return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
    const float tiny = float(fraction) * 0x1p-24f;  // subnormal: fraction × 2^-24, exact
    return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(tiny));
}

std::uint16_t float_to_half(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return std::uint16_t(sign | 0x7e00u | (magnitude >> 13 & 0x1ffu));
    if (magnitude >= 0x47800000u) return std::uint16_t(sign | 0x7c00u);  // 65536 and more
    const auto round = [](std::uint32_t v, std::uint32_t shift) {
        return (v + (1u << (shift - 1)) - 1 + (v >> shift & 1u)) >> shift;
    };
    // Rebiasing the exponent by 127 - 15; a carry out of the fraction rightly raises it, up to infinity.
    if (magnitude >= 0x38800000u) return std::uint16_t(sign | round(magnitude - (112u << 23), 13));
    if (magnitude < 0x33000000u) return std::uint16_t(sign);  // below half of 2^-24
    const std::uint32_t exponent = magnitude >> 23, fraction = (magnitude & 0x7fffffu) | 0x800000u;
    return std::uint16_t(sign | round(fraction, 126 - exponent));  // in units of 2^-24: subnormal
}

}  // namespace star
