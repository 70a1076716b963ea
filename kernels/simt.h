// The dialect kernels are written in: everything a kernel may use besides C++. On a GPU it is a thin skin over CUDA
// (simt_cuda.h); elsewhere it is an emulator (simt_host.h), which is as unkind as this contract allows.
//
//   launch(stream, Grid, kernel, args...)   queues kernel(args...); nothing on a dry stream. Throws Error that names
//                                           the caller's line if it can't be queued
//   const __grid_constant__ T arg   a kernel's argument that is indexed by a variable stays where arguments are, where
//                                   it would else be copied to each thread's local memory
//   shared_memory<T>()    the block's T, uninitialised; T is trivial, Grid::shared at least sizeof(T)
//   sync_block()          a barrier for the whole block: the same one for all threads, none has returned
//   sync_warp()           a barrier for the warp
//   lane()                0...31
//   shuffle_xor(v, mask), shuffle_up(v, by), shuffle_down(v, by), shuffle_idx(v, from)
//                         another lane's v (4 or 8 bytes); up and down keep one's own v past the warp's end
//   ballot(p), any(p), all(p)
//   atomic_add(p, v), atomic_max(p, v), atomic_cas(p, expected, v)
//                         integers only (sums of floats in no fixed order have no fixed bits); return the old value
//   copy_async(shared, global, valid)   copies 16 bytes, both ends 16-byte aligned; not valid: writes zeros and reads
//                         nothing. From here to copy_wait the 16 bytes at `shared` are indeterminate
//   copy_commit()         the copies since the last commit are a group
//   copy_wait<n>()        all of this thread's groups but the last n have landed, for itself; others need a barrier too
//   load_a(tile, stride), load_b, load_b2
//                         operands of mma from shared memory, B stored as [n][k]: rows are `stride` elements apart (a
//                         multiple of 8), the first element is 16-byte aligned
//   load_a(mine), load_b, load_b2
//                         the same from a tile laid out in another way: each lane points at its 8 elements, which begin
//                         at a_source(lane()), b_source(lane()) or b2_source(lane()), 16-byte aligned
//   load_a_across(mine), load_b2_across(mine)
//                         the same from a tile that holds lines of rows, one per k: each lane points at 8 rows of a
//                         line, which begin at a_source_across(lane()) or b2_source_across(lane())
//   mma(c, a, b)          c += a b. Products are exact; the order and rounding of sums are the hardware's
//
// Rules: one-dimensional blocks, a multiple of 32 threads, at most 1024; collectives (sync_warp, shuffles, votes,
// matrix loads, mma) by whole warps at one place; no return before a barrier; shared memory only through shared_memory.
#pragma once
#include <source_location>
#include <type_traits>

#include "kernels/check.h"
#include "kernels/device.h"
#include "kernels/fragment.h"

namespace star {

struct Blocks {
    unsigned x = 1, y = 1, z = 1;  ///< x < 2^31; y, z < 2^16
};

struct Grid {
    Blocks blocks;
    unsigned threads;        ///< per block
    std::size_t shared = 0;  ///< bytes per block: sizeof the kernel's Shared struct
};

/// "2x1x1 blocks of 256 threads with 0 bytes of shared memory"
inline std::string in_words(Grid g) {
    std::ostringstream text;
    text << g.blocks.x << 'x' << g.blocks.y << 'x' << g.blocks.z << " blocks of " << g.threads << " threads with "
         << g.shared << " bytes of shared memory";
    return text.str();
}

/// A stream, and the line that launches on it: converted at the call site.
struct Site {
    Stream stream;
    std::source_location where;
    Site(Stream stream, std::source_location where = std::source_location::current()) : stream(stream), where(where) {}
};

/// The most shared memory a block can have on every architecture we compile for: sm_80's 163 KiB.
inline constexpr std::size_t most_shared = 163 << 10;

}  // namespace star

#ifdef __CUDACC__
#include "kernels/simt_cuda.h"
#else
#include "kernels/simt_host.h"
#endif
