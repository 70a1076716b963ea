// Two by two tiles of sums, of which each tile of pixels and of weights that is loaded serves two.
#include "kernels/conv_tiles_amx.h"

#include "kernels/conv_vector.h"

namespace star::amx {
namespace {

static_assert(lanes == tile_side);

// As the processor reads it.
struct alignas(64) Configuration {
    std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
    std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(Configuration) == 64);

// Tiles 0 to 3: sums, two rows of two; 4, 5: pixels; 6, 7: weights. sums: rows of 32.
template <int down, int across>
[[gnu::always_inline]] inline void sum(const ConvTiles& p, const bf16* a, const float* b, float* sums) {
    constexpr int row = 2 * tile_side, sum_bytes = row * int(sizeof(float));
    const std::int64_t a_bytes = p.stride * std::int64_t{sizeof(bf16)},
                       panel = std::int64_t{p.steps} * tile_side * lanes;
    _tile_zero(0);
    if constexpr (across == 2) _tile_zero(1);
    if constexpr (down == 2) _tile_zero(2);
    if constexpr (down == 2 && across == 2) _tile_zero(3);
    for (int step = 0; step < p.steps; ++step, a += tile_depth, b += tile_side * lanes) {
        _tile_loadd(4, a, a_bytes);
        _tile_loadd(6, b, 64);
        _tile_dpbf16ps(0, 4, 6);
        if constexpr (across == 2) {
            _tile_loadd(7, b + panel, 64);
            _tile_dpbf16ps(1, 4, 7);
        }
        if constexpr (down == 2) {
            _tile_loadd(5, a + tile_side * p.stride, a_bytes);
            _tile_dpbf16ps(2, 5, 6);
            if constexpr (across == 2) _tile_dpbf16ps(3, 5, 7);
        }
    }
    _tile_stored(0, sums, sum_bytes);
    if constexpr (across == 2) _tile_stored(1, sums + tile_side, sum_bytes);
    if constexpr (down == 2) _tile_stored(2, sums + tile_side * row, sum_bytes);
    if constexpr (down == 2 && across == 2) _tile_stored(3, sums + tile_side * row + tile_side, sum_bytes);
}

void finish(const ConvTiles& p, const float* sums, int first, int rows, int column) {
    const int columns = p.columns - column < 2 * tile_side ? p.columns - column : 2 * tile_side;
    for (int m = 0; m < rows; ++m, sums += 2 * tile_side) {
        const std::int64_t at = p.out_at[first + m] + column;
        int n = 0;
        for (; n + lanes <= columns; n += lanes) {
            Vector v = load(sums + n);
            if (p.bias) v += load(p.bias + column + n);
            if (p.residual) v += load(p.residual + at + n);
            if (p.relu) v = v < 0 ? Vector{} : v;
            store(p.out + at + n, v);
        }
        for (; n < columns; ++n) {
            float v = sums[n];
            if (p.bias) v += p.bias[column + n];
            if (p.residual) v += load_one(p.residual + at + n);
            if (p.relu) v = v < 0 ? 0 : v;
            store_one(p.out + at + n, v);
        }
    }
}

}  // namespace

void conv_multiply(const ConvTiles& p) {
    static constexpr Configuration configuration;
    _tile_loadconfig(&configuration);
    asm volatile("" ::: "memory");  // GCC doesn't know that loading a tile reads what was written before
    alignas(64) float sums[2 * tile_side * 2 * tile_side];
    for (int column = 0; column < p.columns; column += 2 * tile_side) {
        const float* const b = p.b + std::int64_t{column} * p.steps * tile_side;
        const bool wide = p.columns - column > tile_side;
        for (int first = 0; first < p.rows; first += 2 * tile_side) {
            const bf16* const a = p.a + first * p.stride;
            const int rows = p.rows - first < 2 * tile_side ? p.rows - first : 2 * tile_side;
            if (rows > tile_side)
                wide ? sum<2, 2>(p, a, b, sums) : sum<2, 1>(p, a, b, sums);
            else
                wide ? sum<1, 2>(p, a, b, sums) : sum<1, 1>(p, a, b, sums);
            finish(p, sums, first, rows, column);
        }
    }
    _tile_release();  // what a thread switch would have to save
}

}  // namespace star::amx
