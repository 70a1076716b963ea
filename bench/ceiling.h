// The rate of multiply-adds that never leave the registers: what a convolution could reach at most.
#pragma once
#include <immintrin.h>

#include <cstdint>

#include "kernels/thread_pool.h"

namespace star::bench {

// Twelve different sums (equal ones would be computed once) hide the latency of two units times four cycles (SSE: of a
// product and a sum, eight).
constexpr int independent_sums = 12, sum_steps = 1 << 16;

[[gnu::target("avx512f"), gnu::noinline]] inline float multiply_adds_avx512(float seed) {
    __m512 sums[independent_sums], a = _mm512_set1_ps(seed);
#pragma GCC unroll 12
    for (int i = 0; i < independent_sums; ++i) sums[i] = _mm512_set1_ps(seed * float(i));
    for (int step = 0; step < sum_steps; ++step)
#pragma GCC unroll 12
        for (int i = 0; i < independent_sums; ++i) sums[i] = _mm512_fmadd_ps(a, a, sums[i]);
    for (int i = 1; i < independent_sums; ++i) sums[0] = _mm512_add_ps(sums[0], sums[i]);
    return _mm512_cvtss_f32(sums[0]);
}

[[gnu::target("avx2,fma"), gnu::noinline]] inline float multiply_adds_avx2(float seed) {
    __m256 sums[independent_sums], a = _mm256_set1_ps(seed);
#pragma GCC unroll 12
    for (int i = 0; i < independent_sums; ++i) sums[i] = _mm256_set1_ps(seed * float(i));
    for (int step = 0; step < sum_steps; ++step)
#pragma GCC unroll 12
        for (int i = 0; i < independent_sums; ++i) sums[i] = _mm256_fmadd_ps(a, a, sums[i]);
    for (int i = 1; i < independent_sums; ++i) sums[0] = _mm256_add_ps(sums[0], sums[i]);
    return _mm256_cvtss_f32(sums[0]);
}

[[gnu::noinline]] inline float multiply_adds_baseline(float seed) {
    __m128 sums[independent_sums], a = _mm_set1_ps(seed);
#pragma GCC unroll 12
    for (int i = 0; i < independent_sums; ++i) sums[i] = _mm_set1_ps(seed * float(i));
    for (int step = 0; step < sum_steps; ++step)
#pragma GCC unroll 12
        for (int i = 0; i < independent_sums; ++i) sums[i] = _mm_add_ps(_mm_mul_ps(sums[i], a), a);
    for (int i = 1; i < independent_sums; ++i) sums[0] = _mm_add_ps(sums[0], sums[i]);
    return _mm_cvtss_f32(sums[0]);
}

/// The loop on all threads of a pool, in its instruction set.
class Ceiling {
public:
    explicit Ceiling(ThreadPool& pool) : pool_(pool) {}
    double flops() const { return 2.0 * width() * independent_sums * sum_steps * double(items()); }
    /// A few milliseconds of multiply-adds.
    void run() {
        pool_.for_each(items(), [&](std::int64_t, int) {
            volatile float sink = 0;
            sink = pool_.isa() >= Isa::avx512 ? multiply_adds_avx512(0.5f)
                   : pool_.isa() == Isa::avx2 ? multiply_adds_avx2(0.5f)
                                              : multiply_adds_baseline(0.5f);
            (void)sink;
        });
    }

private:
    int width() const { return pool_.isa() >= Isa::avx512 ? 16 : pool_.isa() == Isa::avx2 ? 8 : 4; }
    std::int64_t items() const { return 16 * pool_.threads(); }
    ThreadPool& pool_;
};

}  // namespace star::bench
