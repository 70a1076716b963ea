// What the CPU's convolution needs of each instruction set: fetching pixels, packing weights, and multiplying blocks.
// conv_fetch_simd.cpp and conv_multiply_simd.cpp are compiled once per instruction set; conv_cpu.cpp and
// conv_weight_cpu.cpp cut the work into such blocks. Everything here is one thread's work on memory it is given.
#pragma once
#include <cstdint>

#include "kernels/isa.h"

namespace star {

struct bf16;

/// Depth is the index that is summed over. Longer sums are cut into blocks: so many rows of a panel, two AVX2 vectors
/// wide, take 16 KB of a first-level cache of 32 KB (AVX-512: 32 of 48), which leaves room for what streams past it.
inline constexpr int conv_depth = 256;
/// Distance of rows in a fetched block, in floats: leaves room for one vector too many, and puts equal columns of
/// consecutive rows into different sets of the first-level cache.
inline constexpr int conv_block_stride = conv_depth + 16;

/// Floats of a packed tile of `rows` rows. The line more puts consecutive tiles into different sets of the first-level
/// cache, and takes what is written in whole vectors.
constexpr std::int64_t conv_tile_size(int depth, int rows) { return std::int64_t{depth} * rows + 16; }

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

/// A block of products for conv_forward and the input gradient. Row m, column n: sum over d of a(m, d) * b(d, n).
/// a: read where it lies, in `segments` runs of `length` values, a(m, s * length + d) = at[s * rows + m][d].
/// b: panels of 2 * lanes columns, each segments * length rows one after the other. The last panel has `lanes` columns
/// if those hold all there is, and 3 * lanes rather than leave a panel of `lanes` behind it.
/// The result is added to sum[sum_at[m] + n] if `add`. Then, if `out` is null, it is stored in `sum`;
/// otherwise out[out_at[m] + n] = it + bias[n] + residual[out_at[m] + n] (those that aren't null), max(., 0) if relu,
/// rounded to T.
template <class T>
struct ConvProduct {
    const float* const* at;
    int segments, length;
    const float* b;
    int rows, columns;
    bool add;
    float* sum;
    const std::int64_t* sum_at;
    T* out;
    const std::int64_t* out_at;
    const float* bias;
    const T* residual;
    bool relu;
};

/// A block of products for the weight gradient: sum[m * stride + n] = (that, if `add`) + sum over d of a(m, d) *
/// b[d][n]. a: pack_tiles(). b: a pointer per depth index, from which whole vectors may be read.
struct ConvPackedProduct {
    const float* a;
    const float* const* b;
    int rows, depth, columns;
    bool add;
    float* sum;
    std::int64_t stride;
};

template <class T>
struct ConvKernels {
    int rows, lanes;  // a packed tile is up to `rows` rows by 2 * lanes columns, all of it in registers

    /// The source under the depth indices [first, first + depth) of each pixel, 0 outside the image: rows of
    /// conv_block_stride floats, of which up to a vector behind the last index may be written, too.
    void (*fetch)(const ConvSource<T>&, const ConvPixel*, int pixels, int first, int depth, float* to);

    /// panel[d * width + n] = from[n * stride + d] for n < columns, 0 for the rest of width.
    void (*pack_columns)(const T* from, std::int64_t stride, int columns, int depth, float* panel, int width);

    /// panel[d * width + n] = from[d * stride + n] for n < columns, 0 for the rest of width.
    void (*pack_rows)(const T* from, std::int64_t stride, int columns, int depth, float* panel, int width);

    /// Tiles of a transposed matrix, t * conv_tile_size() floats from the first: to[d * rows + m] = from[d * stride + t
    /// * rows + m]. What lies behind the last row of the last tile is undefined.
    void (*pack_tiles)(const T* from, std::int64_t stride, int rows, int depth, float* to);

    void (*multiply)(const ConvProduct<T>&);
    void (*multiply_packed)(const ConvPackedProduct&);

    /// sums[n] = sum over d of from[d * stride + n], plus sums[n] if `add`.
    void (*sum_rows)(const T* from, std::int64_t stride, int columns, int depth, bool add, float* sums);

    /// Of each column of `rows` rows of y: batch_norm_moments(), with its bits. moments: mean, sum and square, `step`
    /// floats apart.
    void (*moments)(const T* y, std::int64_t stride, int rows, int columns, float* moments, std::int64_t step);

    /// to[i] = (to[i] + from[i]) + from[i + step] + ... for `parts` parts, i < count.
    void (*add_parts)(const float* from, std::int64_t step, int parts, std::int64_t count, float* to);
};

template <class T>
const ConvKernels<T>& conv_kernels(Isa);

}  // namespace star
