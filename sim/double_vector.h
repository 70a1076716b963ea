// One vector of doubles, half as many as of floats, whole or the first few of them.
#pragma once
#include "kernels/conv_vector.h"

namespace star::STAR_ISA {
namespace {

constexpr int wide = lanes / 2;

typedef double Doubles __attribute__((vector_size(wide * 8)));
typedef double LooseDoubles __attribute__((vector_size(wide * 8), aligned(8), may_alias));

[[gnu::always_inline]] inline Doubles every(double v) { return v - Doubles{}; }

// The first `count` lanes: what lies beyond isn't touched in memory, and is read as 0.
#if defined(__AVX512F__)
struct Some {
    __mmask8 lanes;
    explicit Some(int count) : lanes(__mmask8((1u << count) - 1)) {}
    Doubles load(const double* p) const { return _mm512_maskz_loadu_pd(lanes, p); }
    Doubles widen(const float* p) const { return _mm512_maskz_cvtps_pd(lanes, _mm256_maskz_loadu_ps(lanes, p)); }
    void store(double* p, Doubles v) const { _mm512_mask_storeu_pd(p, lanes, v); }
};
[[gnu::always_inline]] inline Doubles widen(const float* p) {
    return _mm512_maskz_cvtps_pd(__mmask8(-1), _mm256_loadu_ps(p));  // GCC 12 warns of the plain one
}
[[gnu::always_inline]] inline Doubles multiply_add(Doubles a, Doubles b, Doubles c) { return _mm512_fmadd_pd(a, b, c); }
#elif defined(__AVX2__)
struct Some {
    __m256i doubles;
    __m128i floats;
    explicit Some(int count)
        : doubles(_mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3))),
          floats(_mm_cmpgt_epi32(_mm_set1_epi32(count), _mm_setr_epi32(0, 1, 2, 3))) {}
    Doubles load(const double* p) const { return _mm256_maskload_pd(p, doubles); }
    Doubles widen(const float* p) const { return _mm256_cvtps_pd(_mm_maskload_ps(p, floats)); }
    void store(double* p, Doubles v) const { _mm256_maskstore_pd(p, doubles, v); }
};
[[gnu::always_inline]] inline Doubles widen(const float* p) { return _mm256_cvtps_pd(_mm_loadu_ps(p)); }
[[gnu::always_inline]] inline Doubles multiply_add(Doubles a, Doubles b, Doubles c) { return _mm256_fmadd_pd(a, b, c); }
#else
struct Some {  // one of two, or both
    bool both;
    explicit Some(int count) : both(count > 1) {}
    Doubles load(const double* p) const { return Doubles{p[0], both ? p[1] : 0}; }
    Doubles widen(const float* p) const { return Doubles{p[0], both ? p[1] : 0}; }
    void store(double* p, Doubles v) const {
        p[0] = v[0];
        if (both) p[1] = v[1];
    }
};
[[gnu::always_inline]] inline Doubles widen(const float* p) { return Doubles{p[0], p[1]}; }
[[gnu::always_inline]] inline Doubles multiply_add(Doubles a, Doubles b, Doubles c) { return a * b + c; }
#endif

// All lanes.
struct Whole {
    Doubles load(const double* p) const { return *reinterpret_cast<const LooseDoubles*>(p); }
    Doubles widen(const float* p) const { return STAR_ISA::widen(p); }
    void store(double* p, Doubles v) const { *reinterpret_cast<LooseDoubles*>(p) = v; }
};

/// In a fixed order: halves onto each other.
[[gnu::always_inline]] inline double sum(Doubles v) {
#if defined(__AVX512F__)
    const auto four = __builtin_shufflevector(v, v, 0, 1, 2, 3) + __builtin_shufflevector(v, v, 4, 5, 6, 7);
    const auto two = __builtin_shufflevector(four, four, 0, 1) + __builtin_shufflevector(four, four, 2, 3);
#elif defined(__AVX2__)
    const auto two = __builtin_shufflevector(v, v, 0, 1) + __builtin_shufflevector(v, v, 2, 3);
#else
    const Doubles two = v;
#endif
    return two[0] + two[1];
}

/// Calls body(first column, how many of them) for all columns, the last with what is left of a vector.
template <class Body>
[[gnu::always_inline]] inline void for_columns(int columns, Body body) {
    int column = 0;
    for (; column + wide <= columns; column += wide) body(column, Whole{});
    if (column < columns) body(column, Some(columns - column));
}

}  // namespace
}  // namespace star::STAR_ISA
