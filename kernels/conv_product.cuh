// A block's matrix product on tensor cores, sum over d of a(row, d) * b(column, d): what the three convolutions share.
// The depth d is walked in slices, of which several are in flight to shared memory or in use there. What fills a slice
// (a Fetch) and what becomes of the sums are the caller's.
#pragma once
#include "kernels/simt.h"

namespace star::cuda::tensor {

inline constexpr int threads = 256, warps = threads / 32;
inline constexpr int tile_rows = 128;  // of a block; its columns are 128 or 64
inline constexpr int slice = 32, stages = 4;
inline constexpr int piece = 8;  // elements that a thread copies at a time: 16 bytes

struct alignas(16) Piece {
    bf16 x[piece];
};

/// Whether rows of `extent` elements from `data` on can be copied by the piece.
inline bool whole_pieces(const void* data, int extent) {
    return extent % piece == 0 && reinterpret_cast<std::uintptr_t>(data) % sizeof(Piece) == 0;
}

/// How an operand of taps and channels comes by its pieces. whole: 8 channels of a tap, copied asynchronously. line: of
/// one channel, a line of a filter no wider than 8 taps and padded to 8. gathered: any 8 in sequence.
enum class Pieces { whole, line, gathered };
inline bool short_lines(int taps_h, int taps_w) { return taps_w <= piece && taps_h < 1 << 20; }  // padded: still an int

/// A slice of an operand that lies in memory along the depth. A row is 64 bytes, so two rows span all banks; pieces
/// change places within a row so that the same piece of eight rows in sequence falls in different banks, as do eight
/// pieces in sequence.
template <int rows>
struct AlongDepth {
    static constexpr int pieces = slice / piece;  // of a row
    Piece data[rows * pieces];

    __device__ Piece& at(int row, int p) { return data[row * pieces + (p ^ row / 2 % pieces)]; }
    __device__ FragA a(int row, int d) { return load_a(mine(row, a_source(lane()), d)); }
    __device__ FragB2 b2(int row, int d) { return load_b2(mine(row, b2_source(lane()), d)); }

private:
    __device__ const bf16* mine(int row, Element e, int d) { return at(row + e.row, (d + e.k) / piece).x; }
};

/// A slice of an operand that lies in memory along its rows: one line per depth. Loads turn it. Eight lines begin in
/// the same bank; pieces change places within a line so that the same piece of eight lines in sequence falls in
/// different banks, as do eight pieces in sequence.
template <int rows>
struct AcrossDepth {
    static constexpr int pieces = rows / piece;  // of a line
    static_assert(pieces % 8 == 0);
    Piece data[slice * pieces];

    __device__ Piece& at(int d, int p) { return data[d * pieces + (p ^ d % 8)]; }
    __device__ FragA a(int row, int d) { return load_a_across(mine(row, a_source_across(lane()), d)); }
    __device__ FragB2 b2(int row, int d) { return load_b2_across(mine(row, b2_source_across(lane()), d)); }

private:
    __device__ const bf16* mine(int row, Element e, int d) { return at(d + e.k, (row + e.row) / piece).x; }
};

/// Slices of both operands: A has tile_rows rows, B as many as the tile has columns.
template <class A, class B>
struct Stage {
    A a;
    B b;
};

/// Where a warp's part of the tile begins, and its sums: 16 * m_count rows by 32 columns.
template <int columns>
struct Sums {
    static constexpr int across = columns / 32, m_count = tile_rows / (warps / across) / 16, n_count = 4;
    int row, column;
    FragC sum[m_count][n_count];

    __device__ Sums()
        : row(int(threadIdx.x) / 32 / across * m_count * 16), column(int(threadIdx.x) / 32 % across * 32), sum{} {}
};

/// Adds `count` slices to the sums. fetch.next(stage) starts this thread's copies (or does its stores) of the next
/// slice. Ends without a barrier: others may still read the last slices.
template <int columns, class Slices, class Fetch>
__device__ void multiply(Slices (&stage)[stages], Fetch& fetch, int count, Sums<columns>& to) {
    for (int i = 0; i < stages - 1; ++i) {
        if (i < count) fetch.next(stage[i]);
        copy_commit();
    }
    for (int i = 0; i < count; ++i) {
        copy_wait<stages - 2>();
        sync_block();  // slice i is there for all, and nobody reads slice i - 1 any more, whose place is filled next
        if (i + stages - 1 < count) fetch.next(stage[(i + stages - 1) % stages]);
        copy_commit();
        auto& now = stage[i % stages];
#pragma unroll
        for (int d = 0; d < slice; d += 16) {
            FragA a[Sums<columns>::m_count];
#pragma unroll
            for (int m = 0; m < Sums<columns>::m_count; ++m) a[m] = now.a.a(to.row + 16 * m, d);
#pragma unroll
            for (int n = 0; n < Sums<columns>::n_count; n += 2) {
                const FragB2 b = now.b.b2(to.column + 8 * n, d);
#pragma unroll
                for (int m = 0; m < Sums<columns>::m_count; ++m) {
                    mma(to.sum[m][n], a[m], b.n[0]);
                    mma(to.sum[m][n + 1], a[m], b.n[1]);
                }
            }
        }
    }
}

}  // namespace star::cuda::tensor
