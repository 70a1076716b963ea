// A block's matrix product in float with plain FMAs, each sum in the order of depth: the convolutions' exact second
// opinion. A block computes 64 rows by 64 columns, a thread every 16th of both.
#pragma once
#include "kernels/simt.h"

namespace star::cuda::plain {

inline constexpr int threads = 256, tile = 64, slice = 16, each = tile / 16;

struct Shared {
    float a[slice][tile + 1], b[slice][tile + 1];  // odd rows: a column's elements fall in different banks
};

struct Sums {
    float sum[each][each] = {};
    /// Rows are row() + 16 * i, columns column() + 16 * j.
    static __device__ int row() { return int(threadIdx.x) / 16; }
    static __device__ int column() { return int(threadIdx.x) % 16; }
};

/// Adds `depth` products to each sum. fetch.next(shared) stores this thread's part of the next slice: all of it, past
/// the end of the depth with anything.
template <class Fetch>
__device__ void multiply(Shared& s, Fetch& fetch, int depth, Sums& to) {
    for (int first = 0; first < depth; first += slice) {
        fetch.next(s);
        sync_block();  // the slice is there
        for (int d = 0; d < slice && first + d < depth; ++d)
#pragma unroll
            for (int i = 0; i < each; ++i)
#pragma unroll
                for (int j = 0; j < each; ++j)
                    to.sum[i][j] = fmaf(s.a[d][Sums::row() + 16 * i], s.b[d][Sums::column() + 16 * j], to.sum[i][j]);
        sync_block();  // and read
    }
}

}  // namespace star::cuda::plain
