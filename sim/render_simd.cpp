// Adds stamps to an image, two vectors of columns at a time.
#include "sim/render_simd.h"

#include "kernels/conv_vector.h"

namespace star::STAR_ISA {
namespace {

// Some columns of a row, `count` of them: what lies beyond isn't touched.
#if defined(__AVX512F__)
[[gnu::always_inline]] inline Vector load_some(const float* p, int count) {
    return _mm512_maskz_loadu_ps(__mmask16((1u << count) - 1), p);
}
[[gnu::always_inline]] inline void store_some(float* p, Vector v, int count) {
    _mm512_mask_storeu_ps(p, __mmask16((1u << count) - 1), v);
}
#elif defined(__AVX2__)
[[gnu::always_inline]] inline __m256i first(int count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
[[gnu::always_inline]] inline Vector load_some(const float* p, int count) {
    return _mm256_maskload_ps(p, first(count));
}
[[gnu::always_inline]] inline void store_some(float* p, Vector v, int count) {
    _mm256_maskstore_ps(p, first(count), v);
}
#else
[[gnu::always_inline]] inline Vector load_some(const float* p, int count) {
    Vector v{};
    for (int i = 0; i < count; ++i) v[i] = p[i];
    return v;
}
[[gnu::always_inline]] inline void store_some(float* p, Vector v, int count) {
    for (int i = 0; i < count; ++i) p[i] = v[i];
}
#endif

// `whole` vectors of columns, and one more of `rest` columns if `some`, of all rows.
template <int whole, bool some>
[[gnu::always_inline]] inline void add_columns(const StampPart& s, int column, int rest) {
    constexpr int vectors = whole + some;
    Vector wy[4], wx[4];
    const float* from[4];
    std::int64_t at[4];
    for (int i = 0; i < 4; ++i) wy[i] = all(s.y[i]), wx[i] = all(s.x[i]), from[i] = s.table + s.at_y[i] + column;
    for (int j = 0; j < 4; ++j) at[j] = s.at_x[j];
    const auto get = [rest](const float* p, int v) __attribute__((always_inline)) {
        return v < whole ? load(p + v * lanes) : load_some(p + v * lanes, rest);
    };
    float* out = s.out + column;
    for (int row = 0; row < s.rows; ++row) {
        Vector sum[vectors];
#pragma GCC unroll 2
        for (int v = 0; v < vectors; ++v) sum[v] = get(out, v);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
#pragma GCC unroll 2
            for (int v = 0; v < vectors; ++v) {
                Vector line = wx[0] * get(from[i] + at[0], v);
#pragma GCC unroll 3
                for (int j = 1; j < 4; ++j) line = multiply_add(wx[j], get(from[i] + at[j], v), line);
                sum[v] = multiply_add(wy[i], line, sum[v]);
            }
            from[i] += s.table_stride;
        }
#pragma GCC unroll 2
        for (int v = 0; v < vectors; ++v)
            if (v < whole)
                store(out + v * lanes, sum[v]);
            else
                store_some(out + v * lanes, sum[v], rest);
        out += s.out_stride;
    }
}

void add(const StampPart& s) {
    int column = 0;
    for (; column + 2 * lanes <= s.columns; column += 2 * lanes) add_columns<2, false>(s, column, 0);
    const int left = s.columns - column;
    if (left > lanes)
        add_columns<1, true>(s, column, left - lanes);
    else if (left == lanes)
        add_columns<1, false>(s, column, 0);
    else if (left > 0)
        add_columns<0, true>(s, column, left);
}

}  // namespace

const RenderKernels render_kernels{add};

}  // namespace star::STAR_ISA
