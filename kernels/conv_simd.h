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
/// a: fetched rows, a(m, d) = a[m * conv_block_stride + d], or, transposed, packed tiles of kernels.rows rows each,
/// a(t * kernels.rows + m, d) = a[(t * depth + d) * kernels.rows + m].
/// b: panels of 2 * lanes columns (the last may have `lanes`), each `depth` rows one after the other.
/// The result is added to sum[sum_at[m] + n] if `add`. Then, if `out` is null, it is stored in `sum`;
/// otherwise out[out_at[m] + n] = it + bias[n] (if bias), max(., 0) if relu, rounded to T.
template <class T>
struct ConvProduct {
    const float* a;
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

    /// The source under the depth indices [first, first + depth) of each pixel, 0 outside the image: in panels of
    /// `wide` columns, each `pixels` rows of `wide` (in the last panel: of `last`) floats, one panel after the other.
    /// What lies in a row behind its last column may be written, too.
    void (*fetch)(const ConvSource<T>&, const ConvPixel*, int pixels, int first, int depth, float* to, int wide,
                  int last);

    /// panel[d * width + n] = from[n * stride + d] for n < columns, 0 for the rest of width.
    void (*pack_columns)(const T* from, std::int64_t stride, int columns, int depth, float* panel, int width);

    /// panel[d * width + n] = from[d * stride + n] for n < columns, 0 for the rest of width.
    void (*pack_rows)(const T* from, std::int64_t stride, int columns, int depth, float* panel, int width);

    /// Tiles for a transposed product: to[(t * depth + d) * rows + m] = from[d * stride + t * rows + m]. What lies
    /// behind the last row of the last tile is undefined; `to` has room for whole tiles and a vector more.
    void (*pack_tiles)(const T* from, std::int64_t stride, int rows, int depth, float* to);

    void (*multiply)(const ConvProduct<T>&);

    /// sums[n] = sum over d of from[d * stride + n], plus sums[n] if `add`.
    void (*sum_rows)(const T* from, std::int64_t stride, int columns, int depth, bool add, float* sums);

    /// to[i] = (to[i] + from[i]) + from[i + step] + ... for `parts` parts, i < count.
    void (*add_parts)(const float* from, std::int64_t step, int parts, std::int64_t count, float* to);
};

template <class T>
const ConvKernels<T>& conv_kernels(Isa);

}  // namespace star
