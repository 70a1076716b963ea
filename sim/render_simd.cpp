// Adds stamps to an image, a vector of columns at a time.
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

// A vector of columns, of `rest` columns if `some`, of all rows.
template <bool some>
[[gnu::always_inline]] inline void add_columns(const StampPart& s, int column, int rest) {
    constexpr bool roomy = lanes == 16;  // 32 registers hold all products of weights; with 16, rows are summed first
    const StampTaps& taps = *s.taps;
    Vector wx[4], wy[4], weight[4][4];
    const float* from[4];
    std::int64_t at[4];
    for (int i = 0; i < 4; ++i) {
        from[i] = s.table + taps.at_y[i] + column, at[i] = taps.at_x[i];
        wx[i] = all(taps.x[i]), wy[i] = all(taps.y[i]);
        for (int j = 0; j < 4; ++j) weight[i][j] = all(taps.y[i] * taps.x[j]);
    }
    const auto get = [rest](const float* p) __attribute__((always_inline)) {
        return some ? load_some(p, rest) : load(p);
    };
    float* out = s.out + column;
    for (int row = 0; row < s.rows; ++row) {
        Vector sum = get(out);
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
            Vector line = roomy ? sum : wx[0] * get(from[i] + at[0]);
#pragma GCC unroll 4
            for (int j = roomy ? 0 : 1; j < 4; ++j)
                line = multiply_add(roomy ? weight[i][j] : wx[j], get(from[i] + at[j]), line);
            sum = roomy ? line : multiply_add(wy[i], line, sum);
            from[i] += s.table_stride;
        }
        if (some)
            store_some(out, sum, rest);
        else
            store(out, sum);
        out += s.out_stride;
    }
}

void add(const StampPart& s) {
    int column = 0;
    for (; column + lanes <= s.columns; column += lanes) add_columns<false>(s, column, 0);
    if (column < s.columns) add_columns<true>(s, column, s.columns - column);
}

}  // namespace

const RenderKernels render_kernels{add};

}  // namespace star::STAR_ISA
