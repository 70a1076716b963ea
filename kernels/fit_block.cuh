// What the fit of a piece holds in a block's shared memory and in its slot of the workspace. Only for fit_stars.cu.
#pragma once
#include "kernels/fit_rules.h"
#include "kernels/psf_spline.h"
#include "kernels/reduce.cuh"

namespace star::cuda::fit_block {

using fit_rules::Square;

constexpr int parameters(int stars) { return 3 * stars + 1; }  // x, y, flux of each; the sky
constexpr int triangle(int n) { return n * (n + 1) / 2; }
/// Of element (i, j), i <= j, of a symmetric matrix of n rows: the upper triangle, row by row.
constexpr int entry(int i, int j, int n) { return i * n - i * (i + 1) / 2 + j; }

struct Taps {  // of a star; at: where, relative to a pixel's place in a plane
    int at_x[4], at_y[4];
    float x[4], y[4];
    double slope_x[4], slope_y[4];
};

struct Place {
    double x, y, flux;
};

/// A block's part of the workspace. Planes of the piece's pixels, w a row; squares of `side` or, for what the noise
/// correlates, `wide` a row; triangles.
struct Slot {
    double *light, *variance, *weight, *residual;
    double* stamps;  // [star][d/dx, d/dy, e][side][side]
    double* normal;
    double *across, *seen;  // weight times the derivatives, convolved with the noise's kernel along x; along both axes
    double *sky_across, *sky_seen, *noise;
    float* table;
};

struct Sizes {
    int pixels, stars, side, wide, window, planes;  // window: pixels a row of a mixed table; planes: phases, 0: none
    bool correlated;
};

/// `most` stars at most.
template <int most>
struct Shared {
    union {
        double factor[triangle(parameters(most))];  // Cholesky's, but for its diagonal
        Taps taps[most];                            // needed where it isn't
    };
    double gradient[parameters(most)], diagonal[parameters(most)], pivot[parameters(most)], solution[parameters(most)];
    Place start[most], now[most], trial[most];
    Square squares[most];
    double per_warp[4][32];
    double promised;
    int piece;
    Slot slot;
    Sizes sizes;
};

/// Calls take(pointer of the slot, elements) for all of them in turn.
template <class F>
constexpr void for_each_array(const Sizes& s, Slot& to, F take) {
    const std::int64_t pixels = s.pixels, squares = 3 * std::int64_t{s.stars}, side = s.side, wide = s.wide;
    const std::int64_t triangles = triangle(parameters(s.stars));
    take(to.light, pixels), take(to.variance, pixels), take(to.weight, pixels), take(to.residual, pixels);
    take(to.stamps, squares * side * side), take(to.normal, triangles);
    if (s.correlated) {
        take(to.across, squares * side * wide), take(to.seen, squares * wide * wide);
        take(to.sky_across, pixels), take(to.sky_seen, pixels), take(to.noise, triangles);
    }
    take(to.table, std::int64_t{s.planes} * s.window * s.window);
}

inline std::int64_t slot_bytes(const Sizes& s) {
    std::int64_t bytes = 0;
    Slot none{};
    for_each_array(s, none, [&](auto* p, std::int64_t count) {
        bytes += ceil_div(count * std::int64_t{sizeof(*p)}, std::int64_t{256}) * 256;
    });
    return bytes;
}

__device__ inline Slot slot_at(const Sizes& s, std::byte* from) {
    Slot slot{};
    for_each_array(s, slot, [&](auto*& p, std::int64_t count) {
        p = reinterpret_cast<std::remove_reference_t<decltype(p)>>(from);
        from += ceil_div(count * std::int64_t{sizeof(*p)}, std::int64_t{256}) * 256;
    });
    return slot;
}

/// What a block works on.
struct Work {
    const FitBatch& batch;
    const FitPiece& piece;
    const Slot& slot;    // in shared memory, like what is next: else a compiler prepares all divisions by them once,
    const Sizes& sizes;  // and runs out of registers

    __device__ int n() const { return parameters(piece.stars); }
    __device__ int pixels() const { return piece.w * piece.h; }
    __device__ int reach() const { return batch.kernel_size / 2; }
};

/// Sums over the block, in one order; every thread gets them. All threads must call. Synchronises the block once:
/// before per_warp is used again the caller needs a barrier of its own.
template <int count>
__device__ void sum_over_block(double (&v)[count], double (&per_warp)[4][32]) {
    static_assert(count <= 4);
    const int warp = int(threadIdx.x) / 32, warps = int(blockDim.x) / 32;
#pragma unroll
    for (int i = 0; i < count; ++i) {
        v[i] = warp_sum(v[i]);
        if (lane() == 0) per_warp[i][warp] = v[i];
    }
    sync_block();  // every warp's sums are there
#pragma unroll
    for (int i = 0; i < count; ++i) {
        v[i] = 0;
        for (int w = 0; w < warps; ++w) v[i] += per_warp[i][w];
    }
}

/// Sums over the warp of sixteen numbers; lanes 2 i and 2 i + 1 get the i-th. Each step halves what a lane holds.
template <int half = 8>
__device__ double sum_sixteen(double (&v)[16]) {
    const bool upper = lane() & (2 * half);
#pragma unroll
    for (int i = 0; i < half; ++i) {
        const double given = shuffle_xor(upper ? v[i] : v[i + half], 2 * half);
        v[i] = (upper ? v[i + half] : v[i]) + given;
    }
    if constexpr (half > 1)
        return sum_sixteen<half / 2>(v);
    else
        return v[0] + shuffle_xor(v[0], 1);
}

}  // namespace star::cuda::fit_block
