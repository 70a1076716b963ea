// Running sums of integers across a block.
#pragma once
#include "kernels/simt.h"

namespace star {

/// Sum of v over the lanes up to this one.
__device__ inline int warp_scan(int v) {
    for (int step = 1; step < 32; step *= 2) {
        const int before = shuffle_up(v, step);
        if (lane() >= step) v += before;
    }
    return v;
}

struct Scanned {
    int before, total;  ///< sum over the threads before this one; over the block
};

/// All threads must call. Synchronises the block twice: per_warp may be used again at once.
__device__ inline Scanned block_scan(int v, int (&per_warp)[32]) {
    const int warp = int(threadIdx.x) / 32, mine = warp_scan(v);
    if (lane() == 31) per_warp[warp] = mine;
    sync_block();  // every warp's sum is there
    const int warps = warp_scan(lane() < int(blockDim.x) / 32 ? per_warp[lane()] : 0);
    const int before = shuffle_idx(warps, warp > 0 ? warp - 1 : 0), total = shuffle_idx(warps, 31);
    sync_block();  // and read
    return {(warp > 0 ? before : 0) + mine - v, total};
}

}  // namespace star
