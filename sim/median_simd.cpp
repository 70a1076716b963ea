// Medians of a vector of windows at once, by forgetting: of half of the values and two more, the smallest and the
// largest can't be the median; without them and with one that wasn't seen yet it goes on, until three are left.
#include "sim/median_simd.h"

#include "kernels/conv_vector.h"

namespace star::STAR_ISA {
namespace {

[[gnu::always_inline]] inline Vector lower(Vector a, Vector b) {
#if defined(__AVX512F__)
    return _mm512_mask_min_ps(a, __mmask16(-1), a, b);  // GCC 12 warns of the plain one
#elif defined(__AVX2__)
    return _mm256_min_ps(a, b);
#else
    return _mm_min_ps(a, b);
#endif
}
[[gnu::always_inline]] inline Vector upper(Vector a, Vector b) {
#if defined(__AVX512F__)
    return _mm512_mask_max_ps(a, __mmask16(-1), a, b);
#elif defined(__AVX2__)
    return _mm256_max_ps(a, b);
#else
    return _mm_max_ps(a, b);
#endif
}
[[gnu::always_inline]] inline void sort(Vector& a, Vector& b) {
    const Vector low = lower(a, b);
    b = upper(a, b), a = low;
}

/// The smallest of `size` values to the front, the largest to the end; an odd one in the middle may be either.
template <int size>
[[gnu::always_inline]] inline void to_ends(Vector* v) {
#pragma GCC unroll 32
    for (int i = 0; i < size / 2; ++i) sort(v[i], v[size - 1 - i]);
#pragma GCC unroll 32
    for (int i = 1; i < (size + 1) / 2; ++i) sort(v[0], v[i]);
#pragma GCC unroll 32
    for (int i = size / 2; i < size - 1; ++i) sort(v[i], v[size - 1]);
}

/// The median of the `size` values in v and of those from value(next) on, as many as make it theirs.
template <int size, int next, class Value>
[[gnu::always_inline]] inline Vector forget(Vector* v, Value value) {
    to_ends<size>(v);
    if constexpr (size == 3) {
        return v[1];
    } else {
        v[0] = value(next);  // v[size - 1] is forgotten with it
        return forget<size - 1, next + 1>(v, value);
    }
}

template <int side>
[[gnu::always_inline]] inline Vector median_of(const float* from, std::int64_t stride) {
    constexpr int kept = side * side / 2 + 2;
    const auto value = [&](int i) { return load(from + i / side * stride + i % side); };
    Vector v[kept];
#pragma GCC unroll 32
    for (int i = 0; i < kept; ++i) v[i] = value(i);
    return forget<kept, kept>(v, value);
}

template <int side>
void row(const float* from, std::int64_t stride, int count, float* out) {
    for (int x = 0; x < count; x += lanes) store(out + x, median_of<side>(from + x, stride));
}

}  // namespace

void median_row(const float* from, std::int64_t stride, int radius, int count, float* out) {
    if (radius == 1)
        row<3>(from, stride, count, out);
    else if (radius == 2)
        row<5>(from, stride, count, out);
    else
        row<7>(from, stride, count, out);
}

}  // namespace star::STAR_ISA
