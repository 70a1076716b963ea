// One vector of floats, as wide as the instruction set of the file that includes this (a *_simd.cpp).
// All of it is inlined or local to the file, so nothing compiled for a wide instruction set can be linked elsewhere.
#pragma once
#include <immintrin.h>

#include <cstdint>

#include "kernels/types.h"

namespace star::STAR_ISA {
namespace {

// tile_rows: of a tile two vectors wide; rows_of(): of one that is so many wide, as its sums, a row of b and a value of
// a take the registers. One vector: two units times a latency of four cycles want eight sums.
#if defined(__AVX512F__)
constexpr int lanes = 16, tile_rows = 14;  // 28 sums, 2 columns, 1 row value: 31 of 32 registers
constexpr int rows_of(int vectors) { return vectors == 3 ? 9 : tile_rows; }
#elif defined(__AVX2__)
constexpr int lanes = 8, tile_rows = 6;  // 12 sums: 15 of 16 registers
constexpr int rows_of(int vectors) { return vectors == 3 ? 4 : vectors == 2 ? tile_rows : 8; }
#else
constexpr int lanes = 4, tile_rows = 6;  // likewise, and one for the product
constexpr int rows_of(int vectors) { return vectors == 3 ? 3 : vectors == 2 ? tile_rows : 8; }
#endif

typedef float Vector __attribute__((vector_size(lanes * 4)));
typedef float LooseVector __attribute__((vector_size(lanes * 4), aligned(4), may_alias));
typedef std::uint32_t Words __attribute__((vector_size(lanes * 4)));
typedef std::int32_t Index __attribute__((vector_size(lanes * 4)));
typedef std::uint16_t Halves __attribute__((vector_size(lanes * 2)));
typedef std::uint16_t LooseHalves __attribute__((vector_size(lanes * 2), aligned(2), may_alias));

[[gnu::always_inline]] inline Vector load(const float* p) { return *reinterpret_cast<const LooseVector*>(p); }
[[gnu::always_inline]] inline Vector load(const bf16* p) {
    const Halves h = *reinterpret_cast<const LooseHalves*>(p);
    return reinterpret_cast<Vector>(__builtin_convertvector(h, Words) << 16);
}
[[gnu::always_inline]] inline float load_one(const float* p) {
    float v;
    __builtin_memcpy(&v, p, sizeof v);  // there may be a pair of bf16 (conv_tiles.cpp)
    return v;
}
[[gnu::always_inline]] inline float load_one(const bf16* p) {
    return __builtin_bit_cast(float, std::uint32_t{p->bits} << 16);
}

[[gnu::always_inline]] inline void store(float* p, Vector v) { *reinterpret_cast<LooseVector*>(p) = v; }
/// Rounds to nearest, ties to even; NaN stays NaN: the same bits as to_bf16().
[[gnu::always_inline]] inline void store(bf16* p, Vector v) {
    const Words u = reinterpret_cast<Words>(v);
    const Words nan = reinterpret_cast<Words>((u & 0x7fffffffu) > 0x7f800000u);
    const Words rounded = (u + 0x7fffu + (u >> 16 & 1u)) >> 16, kept = u >> 16 | 0x40u;
    *reinterpret_cast<LooseHalves*>(p) = __builtin_convertvector((nan & kept) | (~nan & rounded), Halves);
}
[[gnu::always_inline]] inline void store_one(float* p, float v) { *p = v; }
[[gnu::always_inline]] inline void store_one(bf16* p, float v) {
    const auto u = __builtin_bit_cast(std::uint32_t, v);
    const bool nan = (u & 0x7fffffffu) > 0x7f800000u;
    p->bits = std::uint16_t(nan ? u >> 16 | 0x40u : (u + 0x7fffu + (u >> 16 & 1u)) >> 16);
}

[[gnu::always_inline]] inline Vector all(float v) { return v - Vector{}; }

/// a * b + c, rounded once where the hardware can.
[[gnu::always_inline]] inline Vector multiply_add(Vector a, Vector b, Vector c) {
#if defined(__AVX512F__)
    return _mm512_fmadd_ps(a, b, c);
#elif defined(__AVX2__)
    return _mm256_fmadd_ps(a, b, c);
#else
    return a * b + c;
#endif
}

}  // namespace
}  // namespace star::STAR_ISA
