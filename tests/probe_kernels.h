// Kernels of a few lines that show what single verbs of the dialect do: run by the emulator and on a GPU.
#pragma once
#include "kernels/device.h"

namespace star::test {

/// c = a b on one warp. a (16,16) [m][k], b (8,16) [n][k], c (16,8) [m][n]; load_a, load_b, mma, c_row, c_col.
void probe_mma(Stream, const bf16* a, const bf16* b, float* c);
/// c = a b with b (16,16) [n][k], c (16,16); load_b2 twice into one, from rows of 24 elements; adds to c's values.
void probe_mma2(Stream, const bf16* a, const bf16* b, float* c);
/// What each lane gets: a (32*8) of load_a, b (32*4) of load_b, b2 (32*8) of load_b2, from a tile (16,16).
void probe_loads(Stream, const bf16* tile, bf16* a, bf16* b, bf16* b2);
/// What each lane gets of load_a_across, a (32*8), and load_b2_across, b2 (32*8), from a tile (16,16) [k][row].
void probe_loads_across(Stream, const bf16* tile, bf16* a, bf16* b2);
/// c = a b with both across: a (16,16) [k][m], b (16,16) [k][n], c (16,16) [m][n].
void probe_mma_across(Stream, const bf16* a, const bf16* b, float* c);
/// One warp; out (9, 32): xor 5 of 100 + lane, up 3, down 7, from lane 37 - lane, all as 8-byte numbers in words 0...3;
/// ballot(lane % 3 == 0), any(false), any(lane == 31), all(true), all(lane != 4) in words 4...8.
void probe_warp(Stream, std::uint32_t* out);
/// `blocks` blocks of 64 threads with global number t: sum += t; most = max(t - 10); slots[t] gets the old value of an
/// add of 1 to count; the first to swap -1 for t in first wins.
void probe_atomics(Stream, int blocks, std::int64_t* sum, int* most, unsigned* count, unsigned* slots, int* first);
/// out[i] = in[i] for i < 256 and 0 for the next 256, by asynchronous copies in two groups. 128 threads.
void probe_copies(Stream, const float* in, float* out);
/// One warp; lane i < lanes copies from[i * step] to to[i * step].
void probe_strided_copy(Stream, const float* from, float* to, int step, int lanes);
/// One warp; lane i writes word i * step of shared memory, then reads word i. step <= 33.
void probe_strided_shared(Stream, int step);
/// A launch that no device takes: 2000 threads per block. Throws Error.
void probe_bad_launch(Stream);

}  // namespace star::test
