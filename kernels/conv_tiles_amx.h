// What the forward convolution of bf16 needs of a processor's matrix tiles: one thread's work on memory it is given.
#pragma once
#include <cstdint>

#include "kernels/types.h"

namespace star {

/// A tile holds 16 rows of 32 bf16 of the depth, or 16 columns of 16 pairs of it, or 16 x 16 sums.
inline constexpr int tile_side = 16, tile_depth = 32;

/// out[m, n] = sum over d of a(m, d) b(d, n) + bias[n] + residual[m, n], max(., 0) if relu, rounded once, for `rows`
/// pixels m and `columns` channels n, each written at out[out_at[m] + n]. The processor takes denormals for 0.
struct ConvTiles {
    const bf16* a;        ///< row m at a + m * stride, 32 * steps long; whole tiles of rows may be read
    std::int64_t stride;  ///< elements
    const float* b;       ///< panels of 16 columns; of each, `steps` tiles of 16 rows of 16 pairs
    int rows, steps, columns;
    bf16* out;
    const std::int64_t* out_at;
    const float* bias;     ///< or null
    const bf16* residual;  ///< at out_at; or null
    bool relu;
};

namespace amx {
void conv_multiply(const ConvTiles&);
}

}  // namespace star
