// Vectors of random numbers and the functions they need, for noise_simd.cpp. No multiplication is fused with an
// addition: all instruction sets give the same bits.
#pragma once
#include "kernels/conv_vector.h"

// g++ 12 takes the operand that unmasked intrinsics leave undefined for a mistake of ours.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

namespace star::STAR_ISA {
namespace {

// Half as many doubles fill a vector.
typedef double Doubles __attribute__((vector_size(lanes * 4)));
typedef std::int64_t Longs __attribute__((vector_size(lanes * 4)));
typedef std::uint64_t LongWords __attribute__((vector_size(lanes * 4)));
typedef float HalfVector __attribute__((vector_size(lanes * 2)));
typedef std::uint32_t HalfWords __attribute__((vector_size(lanes * 2)));

#if defined(__AVX512F__)
[[gnu::always_inline]] inline LongWords products(Words a, Words b) {  // of the even lanes
    return reinterpret_cast<LongWords>(_mm512_mul_epu32(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b)));
}
[[gnu::always_inline]] inline Vector root(Vector v) { return _mm512_sqrt_ps(v); }
[[gnu::always_inline]] inline Vector floor(Vector v) {
    return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}
[[gnu::always_inline]] inline Vector nearest(Vector v) {
    return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
[[gnu::always_inline]] inline bool any(Index mask) { return _mm512_movepi32_mask(reinterpret_cast<__m512i>(mask)); }
#elif defined(__AVX2__)
[[gnu::always_inline]] inline LongWords products(Words a, Words b) {
    return reinterpret_cast<LongWords>(_mm256_mul_epu32(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b)));
}
[[gnu::always_inline]] inline Vector root(Vector v) { return _mm256_sqrt_ps(v); }
[[gnu::always_inline]] inline Vector floor(Vector v) { return _mm256_floor_ps(v); }
[[gnu::always_inline]] inline Vector nearest(Vector v) {
    return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
[[gnu::always_inline]] inline bool any(Index mask) { return _mm256_movemask_ps(reinterpret_cast<Vector>(mask)); }
#else
[[gnu::always_inline]] inline LongWords products(Words a, Words b) {
    return reinterpret_cast<LongWords>(_mm_mul_epu32(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b)));
}
[[gnu::always_inline]] inline Vector root(Vector v) { return _mm_sqrt_ps(v); }
[[gnu::always_inline]] inline Vector floor(Vector v) { return _mm_floor_ps(v); }
[[gnu::always_inline]] inline Vector nearest(Vector v) {
    return _mm_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
[[gnu::always_inline]] inline bool any(Index mask) { return _mm_movemask_ps(reinterpret_cast<Vector>(mask)); }
#endif

[[gnu::always_inline]] inline Vector choose(Index mask, Vector yes, Vector no) {
    return reinterpret_cast<Vector>((mask & reinterpret_cast<Index>(yes)) | (~mask & reinterpret_cast<Index>(no)));
}
[[gnu::always_inline]] inline Vector to_float(Index v) { return __builtin_convertvector(v, Vector); }

/// The polynomial c[0] + c[1] x + ...
template <int n>
[[gnu::always_inline]] inline Vector polynomial(const float (&c)[n], Vector x) {
    Vector sum = all(c[n - 1]);
#pragma GCC unroll 16
    for (int i = n - 2; i >= 0; --i) sum = sum * x + c[i];
    return sum;
}

struct Words4 {
    Words x[4];
};

/// philox() of kernels/random.h for the streams in (high, low), index 0.
[[gnu::always_inline]] inline Words4 philox(std::uint64_t seed, Words low, Words high) {
    const auto multiply = [](Words a, std::uint32_t by, Words & top, Words & bottom) __attribute__((always_inline)) {
        const Words b = Words{} + by;
        const LongWords even = products(a, b),
                        odd = products(reinterpret_cast<Words>(reinterpret_cast<LongWords>(a) >> 32), b);
        constexpr std::uint64_t half = 0xffffffff;
        bottom = reinterpret_cast<Words>((even & half) | odd << 32);
        top = reinterpret_cast<Words>(even >> 32 | (odd & ~half));
    };
    Words c0{}, c1{}, c2 = low, c3 = high;
    std::uint32_t k0 = std::uint32_t(seed), k1 = std::uint32_t(seed >> 32);
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
        Words a_high, a_low, b_high, b_low;
        multiply(c0, 0xD2511F53, a_high, a_low);
        multiply(c2, 0xCD9E8D57, b_high, b_low);
        c0 = b_high ^ c1 ^ k0, c1 = b_low, c2 = a_high ^ c3 ^ k1, c3 = a_low;
        k0 += 0x9E3779B9, k1 += 0xBB67AE85;
    }
    return {{c0, c1, c2, c3}};
}

/// ln(x) for normal x > 0, to 3e-9 and float's rounding: Chebyshev interpolation of (ln(1 + f) - f + f^2/2) / f^3.
[[gnu::always_inline]] inline Vector log(Vector x) {
    constexpr float c[] = {0.333333312f,  -0.24999997f, 0.200007157f,  -0.166678023f, 0.142490576f,
                           -0.124256873f, 0.116854199f, -0.114797338f, 0.0697161147f};
    // x = 2^exponent m with m in [sqrt(1/2), sqrt(2)).
    const Index shifted = reinterpret_cast<Index>(x) - 0x3f3504f3;
    const Index exponent = shifted >> 23;
    const Vector f = reinterpret_cast<Vector>((shifted & 0x7fffff) + 0x3f3504f3) - 1.0f, e = to_float(exponent);
    const Vector tail = f * f * (f * polynomial(c, f) - 0.5f);
    return e * 0.693359375f + (f + (tail + e * -2.12194440e-4f));  // ln 2 in two parts: the first is exact times e
}

struct Gaussians {
    Vector a, b;
};

/// Box-Muller. The angle is turned into the first quarter by the word's upper bits.
[[gnu::always_inline]] inline Gaussians gaussians(Words radius_word, Words angle_word) {
    constexpr float sine[] = {1.57079633f, -0.645964096f, 0.0796925827f, -0.00468126626f, 0.000158206304f};
    constexpr float cosine[] = {1.0f, -1.23370054f, 0.253669204f, -0.0208600695f, 0.000903628066f};
    const Vector u = (to_float(reinterpret_cast<Index>(radius_word >> 1)) + 0.5f) * 0x1p-31f;
    const Vector radius = root(log(u) * -2.0f);
    const Words turned = angle_word + 0x20000000u;  // so that the quarter is centred on the axis
    const Vector s = to_float(reinterpret_cast<Index>(turned & 0x3fffffffu) - 0x20000000) * 0x1p-30f;  // [-1/2, 1/2)
    const Vector z = s * s;
    const Vector across = s * polynomial(sine, z), along = polynomial(cosine, z);
    const Index odd = reinterpret_cast<Index>(turned << 1) >> 31;  // quarters 1 and 3: the axes swap
    const Index flip = reinterpret_cast<Index>((turned + 0x40000000u) & 0x80000000u);  // quarters 1 and 2: cosine < 0
    const Index turn = reinterpret_cast<Index>(turned & 0x80000000u);                  // quarters 2 and 3: sine < 0
    const Vector x = choose(odd, across, along), y = choose(odd, along, across);
    return {radius * reinterpret_cast<Vector>(reinterpret_cast<Index>(x) ^ flip),
            radius * reinterpret_cast<Vector>(reinterpret_cast<Index>(y) ^ turn)};
}

/// exp(-x) for x in [0, many_photons], to 1e-15: Taylor's series on [-ln 2 / 2, ln 2 / 2], times a power of 2.
[[gnu::always_inline]] inline Doubles exp_minus(Doubles x) {
    constexpr double shift = 0x1.8p52;  // adding it rounds to a whole number, which is then in the lower bits
    const Doubles whole = x * -1.4426950408889634 + shift, n = whole - shift;
    const Doubles r = (-x - n * 0x1.62e42fee00000p-1) - n * 0x1.a39ef35793c76p-33;  // ln 2 in two parts
    Doubles sum = r - r + 1.0;
#pragma GCC unroll 13
    for (int i = 13; i > 0; --i) sum = sum * r * (1.0 / i) + 1.0;
    const Longs power = (reinterpret_cast<Longs>(whole) + 1023) << 52;
    return sum * reinterpret_cast<Doubles>(power);
}

}  // namespace
}  // namespace star::STAR_ISA
