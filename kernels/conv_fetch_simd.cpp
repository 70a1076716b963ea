// Moves pixels and weights into the blocks that conv_multiply_simd.cpp reads.
#include "kernels/conv_simd_tables.h"
#include "kernels/conv_vector.h"

namespace star::STAR_ISA {
namespace {

#if defined(__AVX512F__)
[[gnu::always_inline]] inline void copy_some(float* to, const float* from, int count) {
    const auto mask = __mmask16((1u << count) - 1);
    _mm512_mask_storeu_ps(to, mask, _mm512_maskz_loadu_ps(mask, from));
}
[[gnu::always_inline]] inline void copy_some(float* to, const bf16* from, int count) {
    const auto mask = __mmask16((1u << count) - 1);
    const Halves h = reinterpret_cast<Halves>(_mm256_maskz_loadu_epi16(mask, from));
    _mm512_mask_storeu_ps(to, mask, reinterpret_cast<Vector>(__builtin_convertvector(h, Words) << 16));
}
#else
template <class T>
[[gnu::always_inline]] inline void copy_some(float* to, const T* from, int count) {
    for (int i = 0; i < count; ++i) to[i] = load_one(from + i);
}
#endif

template <class T>
[[gnu::always_inline]] inline void copy(float* to, const T* from, int count) {
    int i = 0;
    for (; i + lanes <= count; i += lanes) store(to + i, load(from + i));
    if (i < count) copy_some(to + i, from + i, count - i);
}

/// Whole vectors: up to one too many is read and written.
template <class T>
[[gnu::always_inline]] inline void copy_whole(float* to, const T* from, int count) {
    for (int i = 0; i < count; i += lanes) store(to + i, load(from + i));
}

[[gnu::always_inline]] inline void clear(float* to, int count) {
    int i = 0;
    for (; i + lanes <= count; i += lanes) store(to + i, Vector{});
    for (; i < count; ++i) to[i] = 0;
}

/// Interleaves the first and the second halves of the rows' sequence; log2(lanes) times over, this transposes.
[[gnu::always_inline]] inline void transpose(Vector* rows) {
    Index low, high;
    for (int i = 0; i < lanes; ++i) low[i] = i / 2 + i % 2 * lanes, high[i] = low[i] + lanes / 2;
#pragma GCC unroll 4
    for (int step = 1; step < lanes; step *= 2) {
        Vector next[lanes];
#pragma GCC unroll 16
        for (int i = 0; i < lanes / 2; ++i) {
            next[2 * i] = __builtin_shuffle(rows[i], rows[i + lanes / 2], low);
            next[2 * i + 1] = __builtin_shuffle(rows[i], rows[i + lanes / 2], high);
        }
#pragma GCC unroll 16
        for (int i = 0; i < lanes; ++i) rows[i] = next[i];
    }
}

/// Depth indices that lie side by side both in the image and in what is fetched.
struct Piece {
    int r, begin, length;  // row of the filter; place and number of elements in it
    int at;                // where they go
};

/// Copies what lies in the image, and clears the rest.
template <class T>
void fetch_clipped(const ConvSource<T>& source, const ConvPixel& p, const Piece& piece, float* to) {
    const int row = p.row + piece.r;
    if (row < 0 || row >= source.h) return clear(to, piece.length);
    // Filter columns left of the image, in it, right of it.
    std::int64_t low = -std::int64_t{p.column} * source.c - piece.begin;
    std::int64_t high = (std::int64_t{source.w} - p.column) * source.c - piece.begin;
    low = low < 0 ? 0 : low > piece.length ? piece.length : low;
    high = high < low ? low : high > piece.length ? piece.length : high;
    clear(to, int(low));
    const std::int64_t from = p.image + (std::int64_t{row} * source.w + p.column) * source.c + piece.begin;
    if (high > low) copy(to + low, source.data + from + low, int(high - low));
    clear(to + high, int(piece.length - high));
}

template <class T>
void fetch_pieces(const ConvSource<T>& source, const ConvPixel* pixels, int count, const Piece* pieces, int number,
                  float* to) {
    const Piece& last = pieces[number - 1];
    const std::int64_t row = std::int64_t{source.w} * source.c;
    for (int m = 0; m < count; ++m, to += conv_block_stride) {
        const ConvPixel p = pixels[m];
        const std::int64_t from = p.image + p.row * row + std::int64_t{p.column} * source.c;
        if (p.row + pieces[0].r >= 0 && p.row + last.r < source.h && p.column >= 0 &&
            p.column + source.taps <= source.w &&
            from + last.r * row + last.begin + last.length + lanes <= source.size) {
            for (int i = 0; i < number; ++i)
                copy_whole(to + pieces[i].at, source.data + from + pieces[i].r * row + pieces[i].begin,
                           pieces[i].length);
        } else {
            for (int i = 0; i < number; ++i) fetch_clipped(source, p, pieces[i], to + pieces[i].at);
        }
    }
}

template <class T>
Vector load_some(const T* from, int count) {
    alignas(64) float buffer[lanes] = {};
    for (int i = 0; i < count; ++i) buffer[i] = load_one(from + i);
    return load(buffer);
}

}  // namespace

template <class T>
void conv_fetch(const ConvSource<T>& source, const ConvPixel* pixels, int count, int first, int depth, float* to) {
    constexpr int most = 16;
    Piece pieces[most];
    const int run = source.taps * source.c;
    int number = 0;
    for (int d = 0; d < depth;) {
        const int r = (first + d) / run, begin = (first + d) % run;
        const int length = run - begin < depth - d ? run - begin : depth - d;
        pieces[number++] = {r, begin, length, d};
        d += length;
        if (number == most || d == depth) {
            fetch_pieces(source, pixels, count, pieces, number, to);
            number = 0;
        }
    }
}

template <class T>
void conv_pack_columns(const T* from, std::int64_t stride, int columns, int depth, float* panel, int width) {
    for (int n = 0; n < width; n += lanes)
        for (int d = 0; d < depth; d += lanes) {
            const int deep = depth - d < lanes ? depth - d : lanes, wide = columns - n < lanes ? columns - n : lanes;
            Vector rows[lanes];
            for (int i = 0; i < lanes; ++i) {
                const T* p = from + (n + i) * stride + d;
                rows[i] = i >= wide ? Vector{} : deep == lanes ? load(p) : load_some(p, deep);
            }
            transpose(rows);
            for (int i = 0; i < deep; ++i) store(panel + std::int64_t{d + i} * width + n, rows[i]);
        }
}

template <class T>
void conv_pack_rows(const T* from, std::int64_t stride, int columns, int depth, float* panel, int width) {
    for (int d = 0; d < depth; ++d) {
        float* to = panel + std::int64_t{d} * width;
        copy(to, from + d * stride, columns);
        clear(to + columns, width - columns);
    }
}

template <class T>
void conv_pack_tiles(const T* from, std::int64_t stride, int rows, int depth, float* to) {
    constexpr int vectors = (tile_rows + lanes - 1) / lanes;
    constexpr int strip = 16;  // of the depth at a time: the first-level cache keeps its lines for the next tiles
    for (int first = 0; first < depth; first += strip)
        for (int m = 0; m < rows; m += tile_rows) {
            const T* source = from + first * stride + m;
            float* row = to + m / tile_rows * conv_tile_size(depth, tile_rows) + first * tile_rows;
            const int last = depth - first < strip ? depth : first + strip;
            const int count = rows - m < tile_rows ? rows - m : tile_rows;
            // Whole vectors where there is something to read: the tile's next row overwrites what is too much.
            const bool whole = m + vectors * lanes <= rows;
            for (int d = first; d < last; ++d, source += stride, row += tile_rows) {
                __builtin_prefetch(source + strip * stride);  // the next strip, from afar
                if (whole)
                    copy_whole(row, source, tile_rows);
                else
                    copy(row, source, count);
            }
        }
}

template <class T>
void conv_sum_rows(const T* from, std::int64_t stride, int columns, int depth, bool add, float* sums) {
    int n = 0;
    for (; n + lanes <= columns; n += lanes) {
        Vector s{};
        for (int d = 0; d < depth; ++d) s += load(from + d * stride + n);
        store(sums + n, add ? load(sums + n) + s : s);
    }
    for (; n < columns; ++n) {
        float s = 0;
        for (int d = 0; d < depth; ++d) s += load_one(from + d * stride + n);
        sums[n] = add ? sums[n] + s : s;
    }
}

/// Of `vectors` vectors of columns: their sums stay in registers.
template <int vectors, class T>
[[gnu::always_inline]] inline void moments_of(const T* y, std::int64_t stride, int rows, float* to, std::int64_t step) {
    Vector mean[vectors] = {}, sum[vectors] = {}, square[vectors] = {};
    for (int m = 0; m < rows; ++m)
        for (int v = 0; v < vectors; ++v) mean[v] += load(y + m * stride + v * lanes);
    for (int v = 0; v < vectors; ++v) mean[v] /= all(float(rows));
    for (int m = 0; m < rows; ++m)
        for (int v = 0; v < vectors; ++v) {
            const Vector d = load(y + m * stride + v * lanes) - mean[v];
            sum[v] += d, square[v] += d * d;
        }
    for (int v = 0; v < vectors; ++v) {
        store(to + v * lanes, mean[v]);
        store(to + step + v * lanes, sum[v]);
        store(to + 2 * step + v * lanes, square[v]);
    }
}

template <class T>
void conv_moments(const T* y, std::int64_t stride, int rows, int columns, float* to, std::int64_t step) {
    int n = 0;
    for (; n + 4 * lanes <= columns; n += 4 * lanes) moments_of<4>(y + n, stride, rows, to + n, step);
    for (; n + lanes <= columns; n += lanes) moments_of<1>(y + n, stride, rows, to + n, step);
    for (; n < columns; ++n) {
        float mean = 0, sum = 0, square = 0;
        for (int m = 0; m < rows; ++m) mean += load_one(y + m * stride + n);
        mean /= float(rows);
        for (int m = 0; m < rows; ++m) {
            const float d = load_one(y + m * stride + n) - mean;
            sum += d, square += d * d;
        }
        to[n] = mean, to[step + n] = sum, to[2 * step + n] = square;
    }
}

static void conv_add_parts(const float* from, std::int64_t step, int parts, std::int64_t count, float* to) {
    std::int64_t i = 0;
    for (; i + lanes <= count; i += lanes) {
        Vector s = load(to + i);
        for (int p = 0; p < parts; ++p) s += load(from + p * step + i);
        store(to + i, s);
    }
    for (; i < count; ++i)
        for (int p = 0; p < parts; ++p) to[i] += from[p * step + i];
}

template <class T>
constexpr ConvKernels<T> table{tile_rows,         lanes,
                               conv_fetch<T>,     conv_pack_columns<T>,
                               conv_pack_rows<T>, conv_pack_tiles<T>,
                               conv_multiply<T>,  conv_multiply_packed,
                               conv_sum_rows<T>,  conv_moments<T>,
                               conv_add_parts};
const ConvKernels<float> conv_kernels_float = table<float>;
const ConvKernels<bf16> conv_kernels_bf16 = table<bf16>;

}  // namespace star::STAR_ISA
