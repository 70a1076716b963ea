// Cholesky by a block, triangles by a warp, and the errors that follow. Only for fit_stars.cu.
#pragma once
#include "kernels/fit_block.cuh"

namespace star::cuda::fit_block {

/// shared.factor and shared.pivot become U of U^T U = the matrix, its diagonal times 1 + lambda;
/// shared.solution becomes U^-T times gradient. A parameter whose diagonal is 0 gets zeros for a row, and a pivot of 0.
/// Synchronises the block.
template <int most>
__device__ void factorise(const Work& q, Shared<most>& s, double lambda) {
    const int n = q.n(), thread = int(threadIdx.x), threads = int(blockDim.x);
    for (int i = thread; i < triangle(n); i += threads) s.factor[i] = q.slot.normal[i];
    sync_block();  // the matrix is there
    for (int k = thread; k < n; k += threads) {
        s.diagonal[k] = s.factor[entry(k, k, n)] *= 1 + lambda;
        s.solution[k] = s.gradient[k];
    }
    sync_block();  // so is what is damped
    for (int k = 0; k < n; ++k) {
        double* const row = s.factor + entry(k, 0, n);
        const double root = s.diagonal[k] > 0 ? fit_rules::pivot(row[k], s.diagonal[k]) : 0;
        for (int j = k + thread; j <= n; j += threads) {  // the n-th is the right-hand side
            if (j == k)
                s.pivot[k] = root;
            else if (j < n)
                row[j] = root > 0 ? row[j] / root : 0;
            else
                s.solution[k] = root > 0 ? s.solution[k] / root : 0;
        }
        sync_block();  // row k is done
        for (int i = k + 1 + thread / 32; i < n; i += threads / 32) {
            const double factor = row[i];
            if (factor == 0) continue;
            double* const to = s.factor + entry(i, 0, n);
            for (int j = i + lane(); j < n; j += 32) to[j] -= factor * row[j];
            if (lane() == 0) s.solution[i] -= factor * s.solution[k];
        }
        sync_block();  // the rows after it are without it
    }
}

/// A vector of the parameters, in a warp's registers: number 32 c + lane.
template <int most>
struct Spread {
    static constexpr int chunks = ceil_div(parameters(most), 32);
    double x[chunks];
};

// Number i, divided by its pivot where a lane holds it; all get it.
template <int most>
__device__ double divided(const Shared<most>& s, int i, double& held) {
    const double pivot = s.pivot[i], x = shuffle_idx(pivot > 0 ? held / pivot : 0, i % 32);
    if (lane() == i % 32) held = x;
    return x;
}

/// x becomes U^-T x, for an x that is 0 before its first parameter.
template <int most>
__device__ void solve_forward(const Shared<most>& s, int n, int first, Spread<most>& v) {
#pragma unroll
    for (int c = 0; c < v.chunks; ++c)
        for (int i = std::max(first, 32 * c); i < std::min(n, 32 * c + 32); ++i) {
            const double x = divided(s, i, v.x[c]);
#pragma unroll
            for (int d = c; d < v.chunks; ++d) {
                const int j = 32 * d + lane();
                if (j > i && j < n) v.x[d] -= s.factor[entry(i, j, n)] * x;
            }
        }
}

/// x becomes U^-1 x.
template <int most>
__device__ void solve_backward(const Shared<most>& s, int n, Spread<most>& v) {
#pragma unroll
    for (int c = v.chunks - 1; c >= 0; --c)
        for (int i = std::min(n, 32 * c + 32) - 1; i >= 32 * c; --i) {
            const double x = divided(s, i, v.x[c]);
#pragma unroll
            for (int d = 0; d <= c; ++d) {
                const int j = 32 * d + lane();
                if (j < i) v.x[d] -= s.factor[entry(j, i, n)] * x;
            }
        }
}

/// shared.solution from what factorise() left of it, and what it promises. Synchronises the block.
template <int most>
__device__ void finish_solution(const Work& q, Shared<most>& s) {
    if (threadIdx.x < 32) {
        const int n = q.n();
        Spread<most> v;
#pragma unroll
        for (int c = 0; c < v.chunks; ++c) v.x[c] = 32 * c + lane() < n ? s.solution[32 * c + lane()] : 0;
        solve_backward(s, n, v);
        double promised = 0;
#pragma unroll
        for (int c = 0; c < v.chunks; ++c) {
            if (32 * c + lane() >= n) continue;
            s.solution[32 * c + lane()] = v.x[c];
            promised += s.gradient[32 * c + lane()] * v.x[c];
        }
        promised = warp_sum(promised);
        if (lane() == 0) s.promised = promised;
    }
    sync_block();  // the solution is there
}

/// v^T noise v.
template <int most>
__device__ double spread_of(const double* noise, int n, const Spread<most>& v) {
    double sum = 0;
#pragma unroll
    for (int c = 0; c < v.chunks; ++c)
        for (int i = 32 * c; i < std::min(n, 32 * c + 32); ++i) {
            const double x = shuffle_idx(v.x[c], i % 32);
#pragma unroll
            for (int d = c; d < v.chunks; ++d) {
                const int j = 32 * d + lane();
                if (j >= i && j < n) sum += (j == i ? 1 : 2) * noise[entry(i, j, n)] * x * v.x[d];
            }
        }
    return warp_sum(sum);
}

/// Errors of the piece's own stars, from the factor of its normal equations and, where it is correlated, its noise;
/// NaN of the other stars. A warp takes a parameter.
template <int most>
__device__ void write_errors(const Work& q, const Shared<most>& s) {
    const int n = q.n();
    double* const to = reinterpret_cast<double*>(q.batch.errors + q.piece.first);
    static_assert(sizeof(FitErrors) == 3 * sizeof(double));
    for (int k = 3 * q.piece.own + int(threadIdx.x); k < 3 * q.piece.stars; k += int(blockDim.x)) to[k] = NAN;
    for (int k = int(threadIdx.x) / 32; k < 3 * q.piece.own; k += int(blockDim.x) / 32) {
        Spread<most> v;
#pragma unroll
        for (int c = 0; c < v.chunks; ++c) v.x[c] = 32 * c + lane() == k;
        solve_forward(s, n, k, v);
        double variance = 0;
        if (q.batch.kernel_size == 1) {  // an element of the inverse's diagonal
#pragma unroll
            for (int c = 0; c < v.chunks; ++c) variance += v.x[c] * v.x[c];
            variance = warp_sum(variance);
        } else {
            solve_backward(s, n, v);
            variance = spread_of(q.slot.noise, n, v);
        }
        if (lane() == 0) to[k] = s.diagonal[k] > 0 ? sqrt(variance) : NAN;
    }
}

}  // namespace star::cuda::fit_block
