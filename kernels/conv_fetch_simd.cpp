// Moves pixels and weights into the blocks that conv_multiply_simd.cpp reads.
#include "kernels/conv_simd_tables.h"
#include "kernels/conv_vector.h"

namespace star::STAR_ISA {
namespace {

template <class T>
[[gnu::always_inline]] inline void copy(float* to, const T* from, int count) {
    int i = 0;
    for (; i + lanes <= count; i += lanes) store(to + i, load(from + i));
    for (; i < count; ++i) to[i] = load_one(from + i);
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

template <class T>
Vector load_some(const T* from, int count) {
    alignas(64) float buffer[lanes] = {};
    for (int i = 0; i < count; ++i) buffer[i] = load_one(from + i);
    return load(buffer);
}

}  // namespace

template <class T>
void conv_fetch(const ConvSource<T>& source, const ConvPixel* pixels, int count, int first, int depth, float* block,
                int stride) {
    const int run = source.taps * source.c;  // contiguous in the image, too: one row of the filter
    for (int d = first; d < first + depth;) {
        const int r = d / run, begin = d % run, here = begin + (first + depth - d);
        const int end = here < run ? here : run, at = d - first, length = end - begin;
        // Whole vectors are quicker than an exact end; what follows in the block's row is written later or unused.
        const int whole = (length + lanes - 1) / lanes * lanes;
        const bool roomy = at + whole <= stride;
        for (int m = 0; m < count; ++m) {
            const ConvPixel p = pixels[m];
            float* to = block + std::int64_t{m} * stride + at;
            const int row = p.row + r;
            if (row < 0 || row >= source.h) {
                clear(to, length);
                continue;
            }
            const std::int64_t from = p.image + (std::int64_t{row} * source.w + p.column) * source.c + begin;
            const bool inside = p.column >= 0 && p.column + source.taps <= source.w;
            if (inside && roomy && from + whole <= source.size) {
                for (int i = 0; i < whole; i += lanes) store(to + i, load(source.data + from + i));
            } else if (inside) {
                copy(to, source.data + from, length);
            } else {
                // Filter columns left of the image, in it, right of it.
                std::int64_t low = -std::int64_t{p.column} * source.c - begin;
                std::int64_t high = (std::int64_t{source.w} - p.column) * source.c - begin;
                low = low < 0 ? 0 : low > length ? length : low;
                high = high < low ? low : high > length ? length : high;
                clear(to, int(low));
                if (high > low) copy(to + low, source.data + from + low, int(high - low));
                clear(to + high, int(length - high));
            }
        }
        d += length;
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

void conv_add_rows(const float* from, std::int64_t stride, int columns, int depth, float* sums) {
    int n = 0;
    for (; n + lanes <= columns; n += lanes) {
        Vector s{};
        for (int d = 0; d < depth; ++d) s += load(from + d * stride + n);
        store(sums + n, load(sums + n) + s);
    }
    for (; n < columns; ++n) {
        float s = 0;
        for (int d = 0; d < depth; ++d) s += from[d * stride + n];
        sums[n] += s;
    }
}

const ConvKernels<float> conv_kernels_float{
    tile_rows,    lanes, conv_fetch<float>, conv_pack_columns<float>, conv_pack_rows<float>, conv_multiply<float>,
    conv_add_rows};
const ConvKernels<bf16> conv_kernels_bf16{
    tile_rows,           lanes,        conv_fetch<bf16>, conv_pack_columns<bf16>, conv_pack_rows<bf16>,
    conv_multiply<bf16>, conv_add_rows};

}  // namespace star::STAR_ISA
