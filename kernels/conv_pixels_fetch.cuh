// How the convolution and its input gradient find the operands of their product: rows are pixels' windows in the
// source, columns are the weights of channels. A block's tile, and what one thread fetches of its slices. A part of
// conv_pixels.cu.
#pragma once
#include "kernels/conv_pixels.h"
#include "kernels/conv_plain.cuh"
#include "kernels/conv_product.cuh"

namespace star::cuda::pixels {

using tensor::Piece, tensor::piece, tensor::Pieces;

// Depth is cut in parts of whole slices of the tensor product; float does the same, so both have the same parts.
inline constexpr int part_unit = tensor::slice;

/// A place in the depth, and the walk along it.
struct Depth {
    int r, s, c;
    __device__ Depth(int d, const ConvGrid& g)
        : r(d / g.source.c / g.taps_w), s(d / g.source.c % g.taps_w), c(d % g.source.c) {}
    __device__ void advance(int by, const ConvGrid& g) {
        c += by;
        while (c >= g.source.c) {
            c -= g.source.c;
            if (++s == g.taps_w) s = 0, ++r;
        }
    }
};

/// Of lines, with their padding.
template <Pieces how>
__device__ int depth_of(const ConvGrid& g) {
    return g.taps_h * (how == Pieces::line ? piece : g.taps_w * g.source.c);
}
__device__ inline std::int64_t pixels_of(const ConvGrid& g) { return std::int64_t{g.source.n} * g.grid_h * g.grid_w; }

/// The window of a grid's pixel: its image and top-left source pixel.
struct Window {
    int n, h, w;
    __device__ Window(std::int64_t pixel, const ConvGrid& g) {
        const std::int64_t line = pixel / g.grid_w;
        n = int(line / g.grid_h);
        h = int(line % g.grid_h) * g.step_in + g.offset_h;
        w = int(pixel % g.grid_w) * g.step_in + g.offset_w;
        if (n >= g.source.n) n = 0, h = -(1 << 30);  // past the end: never within the image
    }
    /// Whether the source has a pixel there, and the depth isn't past its end.
    __device__ bool has(Depth d, const ConvGrid& g) const {
        return d.r < g.taps_h && unsigned(h + d.r) < unsigned(g.source.h) && unsigned(w + d.s) < unsigned(g.source.w);
    }
    __device__ std::int64_t index(Depth d, const ConvGrid& g) const {
        return ((std::int64_t{n} * g.source.h + h + d.r) * g.source.w + w + d.s) * g.source.c + d.c;
    }
};

/// What a block computes: a tile of one phase, over one part of the depth, of which there is `all`.
struct Tile {
    std::int64_t first_pixel;
    int first_k, first_depth, depth;
    __device__ Tile(const ConvGrid& g, int all, int splits, int pixels, int channels) {
        const int tiles_k = ceil_div(g.out.c, channels);
        const int part = ceil_div(ceil_div(all, part_unit), splits) * part_unit;
        first_pixel = std::int64_t(blockIdx.x / unsigned(tiles_k)) * pixels;
        first_k = int(blockIdx.x % unsigned(tiles_k)) * channels;  // neighbours share pixels, through L2
        first_depth = int(blockIdx.z) * part;
        depth = first_depth >= all ? 0 : all - first_depth < part ? all - first_depth : part;
    }
};

/// What one thread fetches of both operands: piece t % 4 of the rows t / 4, t / 4 + 64...
template <int channels, Pieces how>
struct Fetch {
    static constexpr int pieces = tensor::slice / piece, step = tensor::threads / pieces;
    const ConvPixels<bf16>& q;
    const ConvPhase<bf16>& phase;
    const int row, column;
    const std::int64_t first_k;
    Depth depth;  // but for lines
    int d;
    Window at[tensor::tile_rows / step];

    __device__ Fetch(const ConvPixels<bf16>& q, const ConvPhase<bf16>& phase, const Tile& tile)
        : q(q),
          phase(phase),
          row(int(threadIdx.x) / pieces),
          column(int(threadIdx.x) % pieces),
          first_k(tile.first_k),
          depth(tile.first_depth + column * piece, phase.grid),
          d(tile.first_depth + column * piece),
          at{{tile.first_pixel + row, phase.grid}, {tile.first_pixel + row + step, phase.grid}} {
        static_assert(tensor::tile_rows / step == 2);
    }

    /// Past the end of the depth both are zero.
    template <class Stage>
    __device__ void next(Stage& to) {
#pragma unroll
        for (int i = 0; i < tensor::tile_rows / step; ++i) next_pixel(to.a.at(row + i * step, column), at[i]);
#pragma unroll
        for (int i = 0; i < channels / step; ++i)
            next_weights(to.b.at(row + i * step, column), first_k + row + i * step);
        d += tensor::slice;
        if constexpr (how == Pieces::whole) depth.advance(tensor::slice, phase.grid);
        if constexpr (how == Pieces::gathered) depth = Depth(d, phase.grid);  // of few channels, a walk is long
    }
    __device__ void next_pixel(Piece& put, const Window& from) const {
        const ConvGrid& g = phase.grid;
        if constexpr (how == Pieces::whole) {
            const bool in = from.has(depth, g);
            copy_async(&put, in ? q.source + from.index(depth, g) : q.source, in);
            return;
        }
        Piece found;
        if constexpr (how == Pieces::line) {
            const int h = from.h + d / piece;
            const bool in = d < depth_of<how>(g) && unsigned(h) < unsigned(g.source.h);
            const bf16* line = q.source + (std::int64_t{from.n} * g.source.h + h) * g.source.w + from.w;
#pragma unroll
            for (int s = 0; s < piece; ++s)
                found.x[s] = in && s < g.taps_w && unsigned(from.w + s) < unsigned(g.source.w) ? line[s] : bf16{0};
        } else {
            Depth e = depth;
#pragma unroll
            for (int j = 0; j < piece; ++j, e.advance(1, g))
                found.x[j] = from.has(e, g) ? q.source[from.index(e, g)] : bf16{0};
        }
        put = found;
    }
    __device__ void next_weights(Piece& put, std::int64_t k) const {
        const ConvGrid& g = phase.grid;
        const int size = g.taps_h * g.taps_w * g.source.c;
        if constexpr (how == Pieces::whole) {
            const bool in = k < g.out.c && d < size;
            copy_async(&put, in ? phase.w + k * size + d : phase.w, in);
            return;
        }
        const int from = how == Pieces::line ? d / piece * g.taps_w : d;
        const int left = how == Pieces::line && size - from > g.taps_w ? g.taps_w : size - from;
        Piece found;
#pragma unroll
        for (int j = 0; j < piece; ++j) found.x[j] = k < g.out.c && j < left ? phase.w[k * size + from + j] : bf16{0};
        put = found;
    }
};

/// What one thread fetches of both operands in float: depth t % 16 of the rows t / 16, t / 16 + 16...
struct PlainFetch {
    const ConvPixels<float>& q;
    const ConvPhase<float>& phase;
    const int row, column;
    const std::int64_t first_k;
    Depth depth;
    int d;
    Window at[plain::each];

    __device__ PlainFetch(const ConvPixels<float>& q, const ConvPhase<float>& phase, const Tile& tile, int row,
                          int column)
        : q(q),
          phase(phase),
          row(row),
          column(column),
          first_k(tile.first_k),
          depth(tile.first_depth + column, phase.grid),
          d(tile.first_depth + column),
          at{{tile.first_pixel + row, phase.grid},
             {tile.first_pixel + row + 16, phase.grid},
             {tile.first_pixel + row + 32, phase.grid},
             {tile.first_pixel + row + 48, phase.grid}} {
        static_assert(plain::each == 4);
    }

    __device__ void next(plain::Shared& to) {
        const ConvGrid& g = phase.grid;
        const int size = depth_of<Pieces::gathered>(g);
#pragma unroll
        for (int i = 0; i < plain::each; ++i) {
            const std::int64_t k = first_k + row + 16 * i;
            to.a[column][row + 16 * i] = at[i].has(depth, g) ? q.source[at[i].index(depth, g)] : 0;
            to.b[column][row + 16 * i] = k < g.out.c && d < size ? phase.w[k * size + d] : 0;
        }
        d += plain::slice;
        depth.advance(plain::slice, g);
    }
};

}  // namespace star::cuda::pixels
