// Kernels with one mistake each, and one without: 256 threads, out[t] = in[255 - t], or the like.
#pragma once
#include "kernels/simt.h"

namespace star::bad {

inline constexpr int threads = 256;

struct alignas(16) Shared {
    float v[threads];
};

inline int self() { return int(threadIdx.x); }

__global__ inline void correct(const float* in, float* out) {
    auto& s = shared_memory<Shared>();
    s.v[self()] = in[self()] + float(self());
    sync_block();
    out[self()] = s.v[threads - 1 - self()];
}

// ---- Divergence.
__global__ inline void early_return(const float* in, float* out) {
    if (self() >= 200) return;
    sync_block();
    out[self()] = in[self()];
}
__global__ inline void two_barriers(const float* in, float* out) {
    if (self() < 128)
        sync_block();
    else
        sync_block();
    out[self()] = in[self()];
}
__global__ inline void lonely_shuffle(const float* in, float* out) {
    out[self()] = self() % 2 ? shuffle_xor(in[self()], 1) : 0;
}
__global__ inline void two_shuffles(const float* in, float* out) {
    out[self()] = self() % 2 ? shuffle_xor(in[self()], 1) : shuffle_xor(in[self()], 1);
}
__global__ inline void barrier_in_half_a_warp(const float* in, float* out) {
    if (self() % 32 < 16) sync_block();
    out[self()] = shuffle_xor(in[self()], 1);
}

// ---- Copies and matrix loads.
__global__ inline void misaligned_source(const float* in, float* out) {
    auto& s = shared_memory<Shared>();
    if (self() < 32) copy_async(&s.v[4 * self()], in + 4 * self() + 1, true);
    copy_commit();
    copy_wait<0>();
    out[self()] = 0;
}
__global__ inline void misaligned_destination(const float* in, float* out) {
    auto& s = shared_memory<Shared>();
    if (self() < 32) copy_async(&s.v[4 * self() + 2], in + 4 * self(), true);
    copy_commit();
    copy_wait<0>();
    out[self()] = 0;
}
__global__ inline void copy_to_the_stack(const float* in, float* out) {
    alignas(16) float mine[4];
    copy_async(mine, in, true);
    copy_commit();
    copy_wait<0>();
    out[self()] = mine[0];
}
__global__ inline void copy_past_the_end(const float* in, float* out) {
    auto& s = shared_memory<Shared>();
    if (self() <= 64) copy_async(s.v + 4 * self(), in, true);
    copy_commit();
    copy_wait<0>();
    out[self()] = 0;
}
__global__ inline void misaligned_stride(const float*, float* out) {
    auto& s = shared_memory<Shared>();
    const FragA f = load_a(reinterpret_cast<const bf16*>(s.v), 20);
    out[self()] = widen(f.x[0]);
}
__global__ inline void forgotten_copy(const float* in, float* out) {
    auto& s = shared_memory<Shared>();
    if (self() < 64) copy_async(&s.v[4 * self()], in + 4 * self(), true);
    copy_commit();
    out[self()] = 0;
}

// ---- What shows in the results.
__global__ inline void missing_barrier(const float* in, float* out) {
    auto& s = shared_memory<Shared>();
    s.v[self()] = in[self()];
    out[self()] = s.v[threads - 1 - self()];
}
__global__ inline void missing_barrier_after_collectives(const float* in, float* out) {  // between warps in lock-step
    auto& s = shared_memory<Shared>();
    s.v[self()] = in[self()];
    sync_block();
    for (int i = 0; i < 3; ++i) sync_warp();
    if (self() < 32) s.v[self()] = 2;
    for (int i = 0; i < 5; ++i) sync_warp();
    out[self()] = s.v[self() % 32];
}
__global__ inline void missing_sync_warp(const float* in, float* out) {
    auto& s = shared_memory<Shared>();
    s.v[self()] = in[self()];
    out[self()] = s.v[self() ^ 1];
}
__global__ inline void missing_wait(const float* in, float* out) {
    auto& s = shared_memory<Shared>();
    if (self() < 64) copy_async(&s.v[4 * self()], in + 4 * self(), true);
    copy_commit();
    sync_block();
    out[self()] = s.v[self()];
    copy_wait<0>();
}
__global__ inline void missing_barrier_after_wait(const float* in, float* out) {
    auto& s = shared_memory<Shared>();
    if (self() < 64) copy_async(&s.v[4 * self()], in + 4 * self(), true);
    copy_commit();
    copy_wait<0>();
    out[self()] = s.v[self()];
}
__global__ inline void copy_over_what_is_read(const float* in, float* out) {  // the pipeline that is one stage too long
    auto& s = shared_memory<Shared>();
    s.v[self()] = in[self()];
    sync_block();
    if (self() < 64) copy_async(&s.v[4 * self()], in + 4 * self(), true);
    copy_commit();
    out[self()] = s.v[self()];
    copy_wait<0>();
}
__global__ inline void uninitialised(const float*, float* out) {
    auto& s = shared_memory<Shared>();
    out[self()] = s.v[self()];
}
__global__ inline void nothing_written(const float* in, float* out) {
    if (self() != 77) out[self()] = in[self()];
}
__global__ inline void blocks_race(const float* in, float* out) { out[self()] = in[self()] + float(blockIdx.x); }

// ---- What only AddressSanitizer or a guard page sees.
__global__ inline void write_past_the_end(const float*, float* out) { out[self() + 1] = 0; }
__global__ inline void read_before_the_start(const float* in, float* out) { out[self()] = in[self() - 1]; }
__global__ inline void copy_past_the_source(const float* in, float* out) {
    auto& s = shared_memory<Shared>();
    if (self() < 64) copy_async(&s.v[4 * self()], in + 4 * self() + 4, true);
    copy_commit();
    copy_wait<0>();
    out[self()] = 0;
}
__global__ inline void shared_past_the_end(const float*, float* out) {
    auto& s = shared_memory<Shared>();
    (&s.v[0])[self() + 1] = 0;
    out[self()] = 0;
}
__global__ inline void deep(const float* in, float* out) {
    volatile float much[64 << 10];  // 256 KiB of a stack that has half
    for (int i = (64 << 10) - 1; i >= 0; i -= 256) much[i] = in[self()];
    out[self()] = much[0];
}

}  // namespace star::bad
