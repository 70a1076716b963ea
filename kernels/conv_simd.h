// What the CPU's convolution needs of each instruction set: fetching pixels, packing weights, and multiplying blocks.
// conv_fetch_simd.cpp and conv_multiply_simd.cpp are compiled once per instruction set; conv_cpu.cpp and
// conv_weight_cpu.cpp cut the work into such blocks. Everything here is one thread's work on memory it is given.
#pragma once
#include <cstdint>

#include "kernels/isa.h"

namespace star {

struct bf16;

/// Depth is the index that is summed over. Sums longer than this are cut into blocks: 256 rows of a panel, two
/// AVX-512 vectors wide, take two thirds of a first-level cache of 48 KB.
inline constexpr int conv_depth = 256;
/// Distance of rows in a fetched block, in floats: leaves room for one vector too many, and puts equal columns of
/// consecutive rows into different sets of the first-level cache.
inline constexpr int conv_block_stride = conv_depth + 16;

/// An output pixel as seen from the source image: where the filter's first tap falls. May lie outside.
struct ConvPixel {
    std::int64_t image;  // elements before the image
    int row, column;
};

template <class T>
struct ConvSource {
    const T* data;
    std::int64_t size;  // elements that may be read
    int h, w, c;
    int taps;  // filter columns: depth index = (r * taps + s) * c + channel
};

/// A block of products. Row m, column n: sum over d of a(m, d) * b(d, n).
/// Either a(m, d) = a[m * conv_block_stride + d] (a fetched block) or, transposed, a(m, d) = a[d * a_stride + m].
/// b: panels of 2 * lanes columns (the last may have `lanes`), each `depth` rows one after the other.
/// The result is added to sum[sum_at[m] + n] if `add`. Then, if `out` is null, it is stored in `sum`;
/// otherwise out[out_at[m] + n] = it + bias[n] (if bias), max(., 0) if relu, rounded to T.
template <class T>
struct ConvProduct {
    const float* a;
    std::int64_t a_stride;
    bool transposed;
    const float* b;
    int rows, depth, columns;
    float* sum;
    const std::int64_t* sum_at;
    bool add;
    T* out;
    const std::int64_t* out_at;
    const float* bias;
    bool relu;
};

template <class T>
struct ConvKernels {
    int rows, lanes;  // a tile is up to `rows` rows by 2 * lanes columns, all of it in registers

    /// block[m * stride + d - first] = the source under depth index d of pixel m, d in [first, first + depth);
    /// 0 outside the image. May also write up to stride - depth elements behind a row.
    void (*fetch)(const ConvSource<T>&, const ConvPixel*, int pixels, int first, int depth, float* block, int stride);

    /// panel[d * width + n] = from[n * stride + d] for n < columns, 0 for the rest of width.
    void (*pack_columns)(const T* from, std::int64_t stride, int columns, int depth, float* panel, int width);

    /// panel[d * width + n] = from[d * stride + n] for n < columns, 0 for the rest of width.
    void (*pack_rows)(const T* from, std::int64_t stride, int columns, int depth, float* panel, int width);

    void (*multiply)(const ConvProduct<T>&);

    /// sums[n] += the sum over d of from[d * stride + n].
    void (*add_rows)(const float* from, std::int64_t stride, int columns, int depth, float* sums);
};

template <class T>
const ConvKernels<T>& conv_kernels(Isa);

}  // namespace star
