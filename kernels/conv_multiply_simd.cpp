// The convolution's inner loop: a tile of sums held in registers.
#include "kernels/conv_simd_tables.h"
#include "kernels/conv_vector.h"

namespace star::STAR_ISA {
namespace {

template <class T>
[[gnu::always_inline]] inline void finish_row(const ConvProduct<T>& p, const Vector* sums, int vectors, int m,
                                              int column) {
    float* sum = p.sum + p.sum_at[m] + column;
    T* out = p.out ? p.out + p.out_at[m] + column : nullptr;
    const int valid = p.columns - column;
    if (valid >= vectors * lanes) {
        for (int v = 0; v < vectors; ++v) {
            Vector s = sums[v];
            if (p.add) s = load(sum + v * lanes) + s;
            if (!out) {
                store(sum + v * lanes, s);
                continue;
            }
            if (p.bias) s += load(p.bias + column + v * lanes);
            if (p.relu) s = s < 0 ? Vector{} : s;  // NaN stays
            store(out + v * lanes, s);
        }
        return;
    }
    alignas(64) float buffer[2 * lanes];
    for (int v = 0; v < vectors; ++v) store(buffer + v * lanes, sums[v]);
    for (int n = 0; n < valid; ++n) {
        float s = buffer[n];
        if (p.add) s = sum[n] + s;
        if (!out) {
            sum[n] = s;
            continue;
        }
        if (p.bias) s += p.bias[column + n];
        if (p.relu) s = s < 0 ? 0 : s;
        store_one(out + n, s);
    }
}

template <int rows, int vectors, bool transposed, class T>
void tile(const ConvProduct<T>& p, const float* a, const float* b, int first, int column) {
    constexpr int across = transposed ? 1 : conv_block_stride, along = transposed ? tile_rows : 1;
    Vector sums[rows][vectors];
#pragma GCC unroll 16
    for (int m = 0; m < rows; ++m)
#pragma GCC unroll 2
        for (int v = 0; v < vectors; ++v) sums[m][v] = Vector{};
    for (int d = 0; d < p.depth; ++d, a += along, b += vectors * lanes) {
        Vector right[vectors];
#pragma GCC unroll 2
        for (int v = 0; v < vectors; ++v) right[v] = load(b + v * lanes);
#pragma GCC unroll 16
        for (int m = 0; m < rows; ++m) {
            const Vector left = all(a[m * across]);
#pragma GCC unroll 2
            for (int v = 0; v < vectors; ++v) sums[m][v] = multiply_add(left, right[v], sums[m][v]);
        }
    }
#pragma GCC unroll 16
    for (int m = 0; m < rows; ++m) finish_row(p, sums[m], vectors, first + m, column);
}

/// The tile with `count` rows, known only now: each number of rows has its own code.
template <int rows, int vectors, bool transposed, class T>
void tile_of(int count, const ConvProduct<T>& p, const float* a, const float* b, int first, int column) {
    if constexpr (rows > 1)
        if (count < rows) return tile_of<rows - 1, vectors, transposed>(count, p, a, b, first, column);
    tile<rows, vectors, transposed>(p, a, b, first, column);
}

template <bool transposed, class T>
void tiles(const ConvProduct<T>& p) {
    // Packed tiles are full but for the last; fetched rows are cut into as few tiles as possible, of equal height.
    const int count = (p.rows + tile_rows - 1) / tile_rows,
              high = transposed ? tile_rows : (p.rows + count - 1) / count;
    const float* b = p.b;
    for (int column = 0; column < p.columns; column += 2 * lanes) {
        const bool narrow = p.columns - column <= lanes;
        const float* a = p.a;
        for (int first = 0; first < p.rows; first += high) {
            const int rows = p.rows - first < high ? p.rows - first : high;
            if (narrow)
                tile_of<tile_rows, 1, transposed>(rows, p, a, b, first, column);
            else
                tile_of<tile_rows, 2, transposed>(rows, p, a, b, first, column);
            a += std::int64_t{high} * (transposed ? p.depth : conv_block_stride);
        }
        b += std::int64_t{p.depth} * 2 * lanes;
    }
}

}  // namespace

template <class T>
void conv_multiply(const ConvProduct<T>& p) {
    if (p.transposed)
        tiles<true>(p);
    else
        tiles<false>(p);
}

template void conv_multiply(const ConvProduct<float>&);
template void conv_multiply(const ConvProduct<bf16>&);

}  // namespace star::STAR_ISA
