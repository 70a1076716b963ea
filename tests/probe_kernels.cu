// The kernels of probe_kernels.h.
#include "kernels/simt.h"
#include "tests/probe_kernels.h"

namespace star::test {
namespace {

struct Tiles {
    alignas(16) bf16 a[16][16];
    alignas(16) bf16 b[16][24];
};

__global__ void mma_kernel(const bf16* a, const bf16* b, float* c) {
    auto& s = shared_memory<Tiles>();
    for (int i = lane(); i < 256; i += 32) s.a[i / 16][i % 16] = a[i];
    for (int i = lane(); i < 128; i += 32) s.b[i / 16][i % 16] = b[i];
    sync_block();
    FragC sum{};
    mma(sum, load_a(&s.a[0][0], 16), load_b(&s.b[0][0], 24));
    for (int i = 0; i < 4; ++i) c[c_row(lane(), i) * 8 + c_col(lane(), i)] = sum.x[i];
}

__global__ void mma2_kernel(const bf16* a, const bf16* b, float* c) {
    auto& s = shared_memory<Tiles>();
    for (int i = lane(); i < 256; i += 32) {
        s.a[i / 16][i % 16] = a[i];
        s.b[i / 16][i % 16] = b[i];
    }
    sync_warp();
    const FragA left = load_a(&s.a[0][0], 16);
    const FragB2 right = load_b2(&s.b[0][0], 24);
#pragma unroll
    for (int n = 0; n < 2; ++n) {
        FragC sum;
        for (int i = 0; i < 4; ++i) sum.x[i] = c[c_row(lane(), i) * 16 + 8 * n + c_col(lane(), i)];
        mma(sum, left, right.n[n]);
        for (int i = 0; i < 4; ++i) c[c_row(lane(), i) * 16 + 8 * n + c_col(lane(), i)] = sum.x[i];
    }
}

__global__ void loads_kernel(const bf16* tile, bf16* a, bf16* b, bf16* b2) {
    auto& s = shared_memory<Tiles>();
    for (int i = lane(); i < 256; i += 32) s.a[i / 16][i % 16] = tile[i];
    sync_warp();
    const FragA fa = load_a(&s.a[0][0], 16);
    const FragB fb = load_b(&s.a[0][0], 16);
    const FragB2 fb2 = load_b2(&s.a[0][0], 16);
    for (int i = 0; i < 8; ++i) a[lane() * 8 + i] = fa.x[i], b2[lane() * 8 + i] = fb2.n[i / 4].x[i % 4];
    for (int i = 0; i < 4; ++i) b[lane() * 4 + i] = fb.x[i];
}

__device__ FragA a_across(const bf16 (&tile)[16][16]) {
    const Element e = a_source_across(lane());
    return load_a_across(&tile[e.k][e.row]);
}
__device__ FragB2 b2_across(const bf16 (&tile)[16][16]) {
    const Element e = b2_source_across(lane());
    return load_b2_across(&tile[e.k][e.row]);
}

struct Across {
    alignas(16) bf16 a[16][16], b[16][16];
};

__global__ void loads_across_kernel(const bf16* tile, bf16* a, bf16* b2) {
    auto& s = shared_memory<Across>();
    for (int i = lane(); i < 256; i += 32) s.a[i / 16][i % 16] = tile[i];
    sync_warp();
    const FragA fa = a_across(s.a);
    const FragB2 fb2 = b2_across(s.a);
    for (int i = 0; i < 8; ++i) a[lane() * 8 + i] = fa.x[i], b2[lane() * 8 + i] = fb2.n[i / 4].x[i % 4];
}

__global__ void mma_across_kernel(const bf16* a, const bf16* b, float* c) {
    auto& s = shared_memory<Across>();
    for (int i = lane(); i < 256; i += 32) s.a[i / 16][i % 16] = a[i], s.b[i / 16][i % 16] = b[i];
    sync_warp();
    const FragA left = a_across(s.a);
    const FragB2 right = b2_across(s.b);
#pragma unroll
    for (int n = 0; n < 2; ++n) {
        FragC sum{};
        mma(sum, left, right.n[n]);
        for (int i = 0; i < 4; ++i) c[c_row(lane(), i) * 16 + 8 * n + c_col(lane(), i)] = sum.x[i];
    }
}

__global__ void warp_kernel(std::uint32_t* out) {
    const int l = lane();
    const auto mine = std::int64_t{100} + l;
    out[l] = std::uint32_t(shuffle_xor(mine, 5));
    out[32 + l] = std::uint32_t(shuffle_up(mine, 3));
    out[64 + l] = std::uint32_t(shuffle_down(mine, 7));
    out[96 + l] = std::uint32_t(shuffle_idx(mine, 37 - l));
    out[128 + l] = ballot(l % 3 == 0);
    out[160 + l] = any(false);
    out[192 + l] = any(l == 31);
    out[224 + l] = all(true);
    out[256 + l] = all(l != 4);
}

__global__ void atomics_kernel(std::int64_t* sum, int* most, unsigned* count, unsigned* slots, int* first) {
    const int t = int(blockIdx.x * blockDim.x + threadIdx.x);
    atomic_add(sum, t);
    atomic_max(most, t - 10);
    slots[t] = atomic_add(count, 1);
    atomic_cas(first, -1, t);
}

struct Row {
    alignas(16) float v[512];
};

__global__ void copies_kernel(const float* in, float* out) {
    auto& s = shared_memory<Row>();
    const int t = int(threadIdx.x);
    if (t < 64) copy_async(&s.v[4 * t], in + 4 * t, true);
    copy_commit();
    if (t >= 64) copy_async(&s.v[4 * t], in, false);
    copy_commit();
    copy_wait<1>();
    sync_block();  // the first half is there
    out[2 * t] = s.v[2 * t];
    out[2 * t + 1] = s.v[2 * t + 1];
    copy_wait<0>();
    sync_block();  // and the second
    out[256 + 2 * t] = s.v[256 + 2 * t];
    out[256 + 2 * t + 1] = s.v[256 + 2 * t + 1];
}

__global__ void strided_copy_kernel(const float* from, float* to, int step, int lanes) {
    if (lane() < lanes) to[lane() * step] = from[lane() * step];
}

struct Words {
    int x[33 * 32];
};

__global__ void strided_shared_kernel(int step) {
    auto& s = shared_memory<Words>();
    s.x[lane() * step] = 1;
    sync_warp();
    if (s.x[lane()] == 2) s.x[0] = 3;  // never: so that it is read
}

__global__ void nothing() {}

}  // namespace

void probe_mma(Stream stream, const bf16* a, const bf16* b, float* c) {
    launch(stream, {{1}, 32, sizeof(Tiles)}, mma_kernel, a, b, c);
}
void probe_mma2(Stream stream, const bf16* a, const bf16* b, float* c) {
    launch(stream, {{1}, 32, sizeof(Tiles)}, mma2_kernel, a, b, c);
}
void probe_loads(Stream stream, const bf16* tile, bf16* a, bf16* b, bf16* b2) {
    launch(stream, {{1}, 32, sizeof(Tiles)}, loads_kernel, tile, a, b, b2);
}
void probe_loads_across(Stream stream, const bf16* tile, bf16* a, bf16* b2) {
    launch(stream, {{1}, 32, sizeof(Across)}, loads_across_kernel, tile, a, b2);
}
void probe_mma_across(Stream stream, const bf16* a, const bf16* b, float* c) {
    launch(stream, {{1}, 32, sizeof(Across)}, mma_across_kernel, a, b, c);
}
void probe_warp(Stream stream, std::uint32_t* out) { launch(stream, {{1}, 32}, warp_kernel, out); }
void probe_atomics(Stream stream, int blocks, std::int64_t* sum, int* most, unsigned* count, unsigned* slots,
                   int* first) {
    launch(stream, {{unsigned(blocks)}, 64}, atomics_kernel, sum, most, count, slots, first);
}
void probe_copies(Stream stream, const float* in, float* out) {
    launch(stream, {{1}, 128, sizeof(Row)}, copies_kernel, in, out);
}
void probe_strided_copy(Stream stream, const float* from, float* to, int step, int lanes) {
    launch(stream, {{1}, 32}, strided_copy_kernel, from, to, step, lanes);
}
void probe_strided_shared(Stream stream, int step) {
    launch(stream, {{1}, 32, sizeof(Words)}, strided_shared_kernel, step);
}
void probe_bad_launch(Stream stream) { launch(stream, {{1}, 2000}, nothing); }

}  // namespace star::test
