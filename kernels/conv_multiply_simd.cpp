// The convolution's inner loop: a tile of sums held in registers.
#include "kernels/conv_simd_tables.h"
#include "kernels/conv_vector.h"

namespace star::STAR_ISA {
namespace {

template <int rows, int vectors>
struct Sums {
    Vector at[rows][vectors];  // in registers: only ever indexed by constants
};

template <int rows, int vectors, class F>
[[gnu::always_inline]] inline void each(F f) {
#pragma GCC unroll 16
    for (int m = 0; m < rows; ++m)
#pragma GCC unroll 3
        for (int v = 0; v < vectors; ++v) f(m, v);
}

template <int rows, int vectors>
[[gnu::always_inline]] inline void clear(Sums<rows, vectors>& sums) {
    each<rows, vectors>([&](int m, int v) { sums.at[m][v] = Vector{}; });
}

/// Adds one row of b times one value of each row of a; value(m) is the one of row m.
template <int rows, int vectors, class Value>
[[gnu::always_inline]] inline void add_products(Sums<rows, vectors>& sums, const float* b, Value value) {
    Vector right[vectors];
#pragma GCC unroll 3
    for (int v = 0; v < vectors; ++v) right[v] = load(b + v * lanes);
#pragma GCC unroll 16
    for (int m = 0; m < rows; ++m) {
        const Vector left = all(value(m));
#pragma GCC unroll 3
        for (int v = 0; v < vectors; ++v) sums.at[m][v] = multiply_add(left, right[v], sums.at[m][v]);
    }
}

/// A block of products as far as its sums: what doesn't depend on the output's type.
struct Left {
    const float* const* at;
    int rows, segments, length;
};

/// What a tile fetches from afar meanwhile: one line at a time, as more would wait for each other.
struct Errands {
    int rows;  // behind the tile's, up to a line's floats of them: what the next tile reads
    int ends;  // rows of the tile: where they are written in the end
};

template <bool next, int rows, int vectors, class Written>
[[gnu::always_inline]] inline void sum_tile(const Left& left, int first, Errands errands, Written written,
                                            const float* b, Sums<rows, vectors>& sums) {
    constexpr int line = 64 / sizeof(float);
    const float* const* at = left.at + first;
    const float* a[rows];
    const auto step = [&](std::int64_t d) __attribute__((always_inline)) {
        if constexpr (next)
            if (d % line < errands.rows) __builtin_prefetch(at[rows + d % line] + d / line * line);
        add_products(sums, b, [&](int m) { return a[m][d]; });
        b += vectors * lanes;
    };
    for (int s = 0; s < left.segments; ++s, at += left.rows) {
#pragma GCC unroll 16
        for (int m = 0; m < rows; ++m) a[m] = at[m];
        std::int64_t d = 0;
        if (s == 0)
            for (; d < errands.ends; ++d) {
#pragma GCC unroll 3
                for (int v = 0; v < vectors; ++v) __builtin_prefetch(written(d) + v * lanes, 1);
                step(d);
            }
        for (; d < left.length; ++d) step(d);
    }
}

[[gnu::always_inline]] inline Vector above_zero(Vector v) { return v < 0 ? Vector{} : v; }  // NaN stays

template <int rows, int vectors, class T>
[[gnu::always_inline]] inline void finish(const ConvProduct<T>& p, Sums<rows, vectors>& sums, int first, int column) {
    float* const sum = p.sum + column;
    const std::int64_t* const sum_at = p.sum_at + first;
    if (p.add) each<rows, vectors>([&](int m, int v) { sums.at[m][v] += load(sum + sum_at[m] + v * lanes); });
    if (!p.out) return each<rows, vectors>([&](int m, int v) { store(sum + sum_at[m] + v * lanes, sums.at[m][v]); });
    T* const out = p.out + column;
    const std::int64_t* const out_at = p.out_at + first;
    if (p.bias) each<rows, vectors>([&](int m, int v) { sums.at[m][v] += load(p.bias + column + v * lanes); });
    if (p.residual) {
        const T* const residual = p.residual + column;
        each<rows, vectors>([&](int m, int v) { sums.at[m][v] += load(residual + out_at[m] + v * lanes); });
    }
    if (p.relu) each<rows, vectors>([&](int m, int v) { sums.at[m][v] = above_zero(sums.at[m][v]); });
    each<rows, vectors>([&](int m, int v) { store(out + out_at[m] + v * lanes, sums.at[m][v]); });
}

/// The same where the last vector has columns that aren't wanted: rows of `wide` sums in memory.
template <class T>
void finish_some(const ConvProduct<T>& p, const float* sums, int wide, int rows, int first, int column) {
    for (int m = 0; m < rows; ++m) {
        float* const sum = p.sum + p.sum_at[first + m];
        for (int n = column; n < p.columns; ++n) {
            float s = sums[m * wide + n - column];
            if (p.add) s = sum[n] + s;
            if (!p.out) {
                sum[n] = s;
                continue;
            }
            const std::int64_t at = p.out_at[first + m] + n;
            if (p.bias) s += p.bias[n];
            if (p.residual) s += load_one(p.residual + at);
            if (p.relu) s = s < 0 ? 0 : s;
            store_one(p.out + at, s);
        }
    }
}

template <int rows, int vectors, class T>
void tile(const ConvProduct<T>& p, const float* b, int first, int ahead, int column) {
    Sums<rows, vectors> sums;
    clear(sums);
    const Left left{p.at, p.rows, p.segments, p.length};
    const auto written = [&](std::int64_t m) { return p.out + p.out_at[first + m] + column; };
    const Errands errands{ahead, !p.out ? 0 : rows < p.length ? rows : p.length};
    if (ahead > 0)
        sum_tile<true>(left, first, errands, written, b, sums);
    else
        sum_tile<false>(left, first, errands, written, b, sums);
    if (p.columns - column >= vectors * lanes) return finish(p, sums, first, column);
    alignas(64) float buffer[rows * vectors * lanes];
    each<rows, vectors>([&](int m, int v) { store(buffer + (m * vectors + v) * lanes, sums.at[m][v]); });
    finish_some(p, buffer, vectors * lanes, rows, first, column);
}

/// Sums of a packed tile, and meanwhile on its way: where they go; if `next`, what the next panel reads.
template <bool next, int rows, int vectors>
[[gnu::always_inline]] inline void sum_packed(const ConvPackedProduct& p, int first, int column,
                                              Sums<rows, vectors>& sums) {
    const float* a = p.a + first / tile_rows * conv_tile_size(p.depth, tile_rows);
    const float* to = p.sum + first * p.stride + column;
    const auto step = [&](int d) __attribute__((always_inline)) {
        const float* const b = p.b[d] + column;
        if constexpr (next)
#pragma GCC unroll 3
            for (int v = 0; v < vectors; ++v) __builtin_prefetch(b + (vectors + v) * lanes);
        add_products(sums, b, [&](int m) { return a[m]; });
        a += tile_rows;
    };
    int d = 0;
    for (const int ends = rows < p.depth ? rows : p.depth; d < ends; ++d, to += p.stride) {
#pragma GCC unroll 3
        for (int v = 0; v < vectors; ++v) __builtin_prefetch(to + v * lanes, 1);
        step(d);
    }
    for (; d < p.depth; ++d) step(d);
}

template <int rows, int vectors>
void tile(const ConvPackedProduct& p, int first, int column) {
    Sums<rows, vectors> sums;
    clear(sums);
    if (first == 0)
        sum_packed<true>(p, first, column, sums);
    else
        sum_packed<false>(p, first, column, sums);
    float* const to = p.sum + first * p.stride + column;
    if (p.columns - column >= vectors * lanes) {
        if (p.add) each<rows, vectors>([&](int m, int v) { sums.at[m][v] += load(to + m * p.stride + v * lanes); });
        each<rows, vectors>([&](int m, int v) { store(to + m * p.stride + v * lanes, sums.at[m][v]); });
        return;
    }
    alignas(64) float buffer[rows * vectors * lanes];
    each<rows, vectors>([&](int m, int v) { store(buffer + (m * vectors + v) * lanes, sums.at[m][v]); });
    for (int m = 0; m < rows; ++m)
        for (int n = 0; n < p.columns - column; ++n) {
            const float s = buffer[m * vectors * lanes + n];
            to[m * p.stride + n] = p.add ? to[m * p.stride + n] + s : s;
        }
}

/// The tile with `count` rows, known only now: each number of rows has its own code.
template <int rows, int vectors, class... Where>
void tile_of(int count, const Where&... where) {
    if constexpr (rows > 1)
        if (count < rows) return tile_of<rows - 1, vectors>(count, where...);
    tile<rows, vectors>(where...);
}

/// One panel: rows in tiles as equal as can be. While the first panel meets a tile, the next tile is on its way.
template <int vectors, class T>
void panel(const ConvProduct<T>& p, const float* b, int column) {
    const int tiles = (p.rows + rows_of(vectors) - 1) / rows_of(vectors);
    for (int i = 0, first = 0; i < tiles; ++i) {
        const int last = p.rows * (i + 1) / tiles;
        const int ahead = column == 0 && i + 1 < tiles ? p.rows * (i + 2) / tiles - last : 0;
        tile_of<rows_of(vectors), vectors>(last - first, p, b, first, ahead, column);
        first = last;
    }
}

/// Packed tiles are full but for the last.
template <int vectors>
void panel(const ConvPackedProduct& p, int column) {
    for (int first = 0; first < p.rows; first += tile_rows)
        tile_of<tile_rows, vectors>(p.rows - first < tile_rows ? p.rows - first : tile_rows, p, first, column);
}

}  // namespace

template <class T>
void conv_multiply(const ConvProduct<T>& p) {
    const std::int64_t row = std::int64_t{p.segments} * p.length * lanes;
    const float* b = p.b;
    for (int column = 0; column < p.columns;) {
        const int left = (p.columns - column + lanes - 1) / lanes, vectors = left == 1 || left == 3 ? left : 2;
        if (vectors == 1)
            panel<1>(p, b, column);
        else if (vectors == 2)
            panel<2>(p, b, column);
        else
            panel<3>(p, b, column);
        column += vectors * lanes;
        b += vectors * row;
    }
}

void conv_multiply_packed(const ConvPackedProduct& p) {
    for (int column = 0; column < p.columns; column += 2 * lanes)
        if (p.columns - column <= lanes)
            panel<1>(p, column);
        else
            panel<2>(p, column);
}

template void conv_multiply(const ConvProduct<float>&);
template void conv_multiply(const ConvProduct<bf16>&);

}  // namespace star::STAR_ISA
