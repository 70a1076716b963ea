// How the weight gradient finds the operands of its product: rows are weights (r, s, c) under the windows of an image's
// pixels in x, columns are channels of dy, the depth is those pixels. How the work is cut, a block's tile, and what one
// thread fetches of its slices. A part of conv_backward_weight.cu.
#pragma once
#include "kernels/conv_plain.cuh"
#include "kernels/conv_plan.h"
#include "kernels/conv_product.cuh"

namespace star::cuda::weights {

using tensor::Piece, tensor::piece, tensor::Pieces;

// A chunk's sums are written and read once: from this many pixels on, reading its operands costs more.
inline constexpr int least_chunk = 512;
// Tiles and chunks of one image: a batch of eight then has two blocks for each of an A100's 108 processors.
inline constexpr int wanted_blocks = 32;
// The workspace holds the chunks of as many images as fit into this, at least of one.
inline constexpr std::int64_t most_bytes = 32 << 20;
inline constexpr int most_images = 1024;

/// How the work is cut. The chunks, which decide the order of sums, depend on the shapes of one image alone.
struct Plan {
    int weights, channels;  // R*S*C; K
    int pixels, chunk, chunks;
    std::int64_t slot;  // floats for the sums of one chunk: K rows of weights, then K biases
    int images;         // at a time
    Plan(Shape x, Shape w, Conv how) {
        const Shape y = conv_shape(x, w, how);
        weights = w.h * w.w * w.c, channels = w.n;
        pixels = y.h * y.w;
        const std::int64_t tiles =
            std::int64_t{ceil_div(weights, tensor::tile_rows)} * ceil_div(channels, tensor::tile_rows);
        const std::int64_t wanted =
            std::clamp(wanted_blocks / tiles, std::int64_t{1}, std::int64_t{ceil_div(pixels, least_chunk)});
        chunk = round_up(ceil_div(pixels, int(wanted)), tensor::slice);
        chunks = ceil_div(pixels, chunk);
        slot = ceil_div((std::int64_t{weights} + 1) * channels, std::int64_t{piece}) * piece;
        const std::int64_t fit = most_bytes / (chunks * slot * std::int64_t{sizeof(float)});
        images = int(std::clamp(fit, std::int64_t{1}, std::int64_t{std::min(x.n, most_images)}));
    }
    std::int64_t floats() const { return images * chunks * slot; }
};

template <class T>
struct Problem {
    ConvGrid grid;  // source is x, out is dy
    const T *x, *dy;
    float *dw, *dbias;  // dbias may be null
    float* partial;
    Plan plan;
    int first_image, images;
};

/// What a block computes: a tile of dw over one chunk of an image.
template <class T>
struct Tile {
    int first_weight, first_k, first_pixel, pixels;
    std::int64_t n;
    float* partial;
    __device__ Tile(const Problem<T>& q, int rows, int columns) {
        const unsigned tiles_k = unsigned(ceil_div(q.plan.channels, columns));
        first_weight = int(blockIdx.x / tiles_k) * rows;
        first_k = int(blockIdx.x % tiles_k) * columns;
        first_pixel = int(blockIdx.y) * q.plan.chunk;
        pixels = q.plan.pixels - first_pixel < q.plan.chunk ? q.plan.pixels - first_pixel : q.plan.chunk;
        n = q.first_image + int(blockIdx.z);
        partial = q.partial + (std::int64_t{blockIdx.z} * q.plan.chunks + blockIdx.y) * q.plan.slot;
    }
    __device__ const T* dy(const Problem<T>& q) const {
        return q.dy + (n * q.plan.pixels + first_pixel) * q.plan.channels;
    }
};

/// A weight's tap and channel, and the walk along the weights. r = taps_h and more: past the end.
struct Weight {
    int r, s, c;
    __device__ Weight(int at, const ConvGrid& g)
        : r(at / g.source.c / g.taps_w), s(at / g.source.c % g.taps_w), c(at % g.source.c) {}
    __device__ void advance(const ConvGrid& g) {
        if (++c < g.source.c) return;
        c = 0;
        if (++s == g.taps_w) s = 0, ++r;
    }
};

/// Rows of the product: weights, with the padding of lines.
template <Pieces how>
constexpr int rows_of(const ConvGrid& g) {
    return g.taps_h * (how == Pieces::line ? piece : g.taps_w * g.source.c);
}

/// An output pixel's window in x, and the walk along the pixels.
struct Window {
    int i, j;
    __device__ Window(int pixel, const ConvGrid& g) : i(pixel / g.grid_w), j(pixel % g.grid_w) {}
    __device__ void advance(int by, const ConvGrid& g) {
        j += by;
        while (j >= g.grid_w) j -= g.grid_w, ++i;
    }
    /// The element of an image under a weight; -1 outside.
    __device__ std::int64_t index(const Weight& w, const ConvGrid& g) const {
        const int h = i * g.step_in + g.offset_h + w.r, v = j * g.step_in + g.offset_w + w.s;
        if (w.r >= g.taps_h || unsigned(h) >= unsigned(g.source.h) || unsigned(v) >= unsigned(g.source.w)) return -1;
        return (std::int64_t{h} * g.source.w + v) * g.source.c + w.c;
    }
};

template <class T>
__device__ const T* image(const Problem<T>& q, std::int64_t n) {
    return q.x + n * q.grid.source.h * q.grid.source.w * q.grid.source.c;
}

/// What one thread fetches: a piece of 8 weights of every 16th pixel of x, a piece of 8 channels of every 16th (of 64
/// channels: 32nd) pixel of dy. how: for x; whole_dy: those of dy can be copied by the piece.
template <int channels, Pieces how, bool whole_dy>
struct Fetch {
    static constexpr int pieces_x = tensor::tile_rows / piece, step_x = tensor::threads / pieces_x;
    static constexpr int pieces_dy = channels / piece, step_dy = tensor::threads / pieces_dy;
    const Problem<bf16>& q;
    const bf16 *x, *dy;       // the image; this thread's first piece of the next slice
    const Weight weight;      // of a line, its first
    const int channels_left;  // of dy, from this thread's on
    int pixels_left;          // of the chunk, from the next slice on
    Window window;

    __device__ Fetch(const Problem<bf16>& q, const Tile<bf16>& tile)
        : q(q),
          x(image(q, tile.n)),
          dy(tile.dy(q) + std::int64_t{row_dy()} * q.plan.channels + tile.first_k + column_dy() * piece),
          weight(how == Pieces::line ? (tile.first_weight / piece + column_x()) * q.grid.taps_w
                                     : tile.first_weight + column_x() * piece,
                 q.grid),
          channels_left(q.plan.channels - tile.first_k - column_dy() * piece),
          pixels_left(tile.pixels),
          window(tile.first_pixel + row_x(), q.grid) {}

    static __device__ int row_x() { return int(threadIdx.x) / pieces_x; }
    static __device__ int column_x() { return int(threadIdx.x) % pieces_x; }
    static __device__ int row_dy() { return int(threadIdx.x) / pieces_dy; }
    static __device__ int column_dy() { return int(threadIdx.x) % pieces_dy; }

    /// Past the end of the chunk both are zero.
    template <class Stage>
    __device__ void next(Stage& to) {
#pragma unroll
        for (int i = 0; i < tensor::slice; i += step_x) {
            next_x(to.a.at(row_x() + i, column_x()), row_x() + i < pixels_left);
            window.advance(step_x, q.grid);
        }
#pragma unroll
        for (int i = 0; i < tensor::slice; i += step_dy)
            next_dy(to.b.at(row_dy() + i, column_dy()), dy + std::int64_t{i} * q.plan.channels,
                    row_dy() + i < pixels_left);
        pixels_left -= tensor::slice;
        dy += std::int64_t{tensor::slice} * q.plan.channels;
    }
    __device__ void next_x(Piece& put, bool inside) const {
        const ConvGrid& g = q.grid;
        if constexpr (how == Pieces::whole) {
            const std::int64_t at = inside ? window.index(weight, g) : -1;
            copy_async(&put, at < 0 ? q.x : x + at, at >= 0);
        } else if constexpr (how == Pieces::line) {
            const int h = window.i * g.step_in + g.offset_h + weight.r, v = window.j * g.step_in + g.offset_w;
            const bool in = inside && weight.r < g.taps_h && unsigned(h) < unsigned(g.source.h);
            const bf16* line = x + std::int64_t{h} * g.source.w + v;
            Piece found;
#pragma unroll
            for (int s = 0; s < piece; ++s)
                found.x[s] = in && s < g.taps_w && unsigned(v + s) < unsigned(g.source.w) ? line[s] : bf16{0};
            put = found;
        } else {
            Weight w = weight;
            Piece found;
#pragma unroll
            for (int e = 0; e < piece; ++e, w.advance(g)) {
                const std::int64_t at = inside ? window.index(w, g) : -1;
                found.x[e] = at < 0 ? bf16{0} : x[at];
            }
            put = found;
        }
    }
    __device__ void next_dy(Piece& put, const bf16* from, bool inside) const {
        if constexpr (whole_dy) {
            const bool in = inside && channels_left > 0;
            copy_async(&put, in ? from : q.dy, in);
        } else {
            Piece found;
#pragma unroll
            for (int e = 0; e < piece; ++e) found.x[e] = inside && e < channels_left ? from[e] : bf16{0};
            put = found;
        }
    }
};

/// What one thread fetches in float: a weight and a channel of every fourth pixel of a slice.
struct PlainFetch {
    const Problem<float>& q;
    const int row, column;
    const bool in_channels;
    const Weight weight;
    const float *x, *dy;
    Window window;
    int pixels_left;

    __device__ PlainFetch(const Problem<float>& q, const Tile<float>& tile)
        : q(q),
          row(int(threadIdx.x) / plain::tile),
          column(int(threadIdx.x) % plain::tile),
          in_channels(tile.first_k + column < q.plan.channels),
          weight(tile.first_weight + column, q.grid),
          x(image(q, tile.n)),
          dy(tile.dy(q) + std::int64_t{row} * q.plan.channels + tile.first_k + column),
          window(tile.first_pixel + row, q.grid),
          pixels_left(tile.pixels) {}

    __device__ void next(plain::Shared& to) {
        constexpr int step = plain::threads / plain::tile;
        for (int i = row; i < plain::slice; i += step) {
            const bool inside = i < pixels_left;
            const std::int64_t at = inside ? window.index(weight, q.grid) : -1;
            to.a[i][column] = at < 0 ? 0 : x[at];
            to.b[i][column] = inside && in_channels ? *dy : 0;
            dy += std::int64_t{step} * q.plan.channels;
            window.advance(step, q.grid);
        }
        pixels_left -= plain::slice;
    }
};

}  // namespace star::cuda::weights
