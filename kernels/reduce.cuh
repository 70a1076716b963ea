// Sums across a warp and a block, always in the same order.
#pragma once
#include "kernels/simt.h"

namespace star {

/// Sum over the 32 lanes; every lane gets the same bits (each step adds the same two numbers on both sides).
template <class V>
__device__ V warp_sum(V v) {
    for (int step = 16; step > 0; step /= 2) v += shuffle_xor(v, step);
    return v;
}

/// Sum over the block; valid in warp 0 only. All threads must call. Synchronises the block once: before per_warp is
/// used again the caller needs a barrier of its own.
template <class V>
__device__ V block_sum(V v, V (&per_warp)[32]) {
    v = warp_sum(v);
    if (lane() == 0) per_warp[threadIdx.x / 32] = v;
    sync_block();  // every warp's sum is there
    v = threadIdx.x < blockDim.x / 32 ? per_warp[threadIdx.x] : V{};
    return warp_sum(v);
}

}  // namespace star
