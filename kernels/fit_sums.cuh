// Sums over the pixels that two stars share: the normal equations of a piece, and how its noise adds up. Only for
// fit_stars.cu.
#pragma once
#include "kernels/fit_block.cuh"

namespace star::cuda::fit_block {

/// Three functions of the pixels per star, [star][3][side][side] on the squares, and one for the sky.
struct Functions {
    const double* stars;
    int side;
    const double* sky;       // null: 1
    const double* weight;    // of each pixel, in all sums
    const double* residual;  // null: gradient isn't wanted
};

// A warp's pixels of a star: as many as stay in registers while the star meets the others.
constexpr int held = 3;
struct Held {
    int x[held], y[held];  // of the piece; -1: none
    double f[held][3];     // weight times the star's functions
};

__device__ inline const double* function_at(const Functions& f, const Square& a, int star, int x, int y) {
    return f.stars + std::int64_t{3} * star * f.side * f.side + (y - a.bottom) * f.side + (x - a.left);
}

// The star's pixels from the one numbered `from` on, a row after the other; what it has in common with itself, with sky
// and with residual: upper triangle, sky, gradient.
__device__ inline double hold(const Work& q, const Functions& f, const Square& a, int star, int from, Held& h) {
    double sums[16] = {};
    const int square = f.side * f.side;
#pragma unroll
    for (int k = 0; k < held; ++k) {
        const int i = from + 32 * k + lane();
        h.x[k] = h.y[k] = -1;
        if (i >= a.w() * a.h()) continue;
        h.x[k] = a.x0 + i % a.w(), h.y[k] = a.y0 + i / a.w();
        const int pixel = h.y[k] * q.piece.w + h.x[k];
        const double* const e = function_at(f, a, star, h.x[k], h.y[k]);
        const double w = f.weight[pixel], v[3] = {e[0], e[square], e[2 * square]};
        const double sky = f.sky ? f.sky[pixel] : 1, residual = f.residual && w > 0 ? f.residual[pixel] : 0;
#pragma unroll
        for (int m = 0; m < 3; ++m) h.f[k][m] = w * v[m];
        int at = 0;
#pragma unroll
        for (int m = 0; m < 3; ++m)
#pragma unroll
            for (int n = m; n < 3; ++n) sums[at++] += h.f[k][m] * v[n];
#pragma unroll
        for (int m = 0; m < 3; ++m) sums[6 + m] += h.f[k][m] * sky, sums[9 + m] += h.f[k][m] * residual;
    }
    return sum_sixteen(sums);
}

// What the held pixels have in common with another star: [its own function][the other's].
__device__ inline double meet(const Functions& f, const Held& h, const Square& b, int other) {
    double sums[16] = {};
    const int square = f.side * f.side;
#pragma unroll
    for (int k = 0; k < held; ++k) {
        if (h.x[k] < 0 || !b.holds(h.x[k], h.y[k])) continue;
        const double* const e = function_at(f, b, other, h.x[k], h.y[k]);
        const double v[3] = {e[0], e[square], e[2 * square]};
#pragma unroll
        for (int m = 0; m < 3; ++m)
#pragma unroll
            for (int n = 0; n < 3; ++n) sums[3 * m + n] += h.f[k][m] * v[n];
    }
    return sum_sixteen(sums);
}

/// matrix(i, j) = sum over pixels of weight f_i f_j: all of its triangle but the sky's own element; with residuals also
/// gradient(i) = sum of weight f_i residual, all but the sky's. A warp takes a star and meets the half of the others
/// that come after it in a circle, so that all have as much to do. A barrier must follow.
template <int most>
__device__ void overlaps(const Work& q, Shared<most>& s, const Functions& f, double* matrix) {
    const int stars = q.piece.stars, n = q.n(), mine = lane() / 2;
    const bool writes = lane() % 2 == 0;
    for (int star = int(threadIdx.x) / 32; star < stars; star += int(blockDim.x) / 32) {
        const Square a = s.squares[star];
        const int pixels = a.w() * a.h();
        int from = 0;
        do {
            Held h;
            const double own = hold(q, f, a, star, from, h);
            const auto put = [&](double& to, double v) { to = from > 0 ? to + v : v; };
            const int row = 3 * star;
            if (writes && mine < 6) {
                const int i = mine < 3 ? 0 : mine < 5 ? 1 : 2, j = mine < 3 ? mine : mine < 5 ? mine - 2 : 2;
                put(matrix[entry(row + i, row + j, n)], own);
            }
            if (writes && mine >= 6 && mine < 9) put(matrix[entry(row + mine - 6, n - 1, n)], own);
            if (writes && f.residual && mine >= 9 && mine < 12) put(s.gradient[row + mine - 9], own);
            for (int away = 1; 2 * away <= stars; ++away) {
                const int other = (star + away) % stars;
                if (2 * away == stars && other < star) continue;  // the other one does it
                const Square b = s.squares[other];
                const bool apart = a.x1 <= b.x0 || b.x1 <= a.x0 || a.y1 <= b.y0 || b.y1 <= a.y0;
                const double common = apart ? 0 : meet(f, h, b, other);
                if (!writes || mine >= 9) continue;
                const int i = row + mine / 3, j = 3 * other + mine % 3;
                put(matrix[entry(std::min(i, j), std::max(i, j), n)], common);
            }
            from += 32 * held;
        } while (from < pixels);
    }
}

/// The normal equations at the stars that were drawn last, and what they left. Synchronises the block.
template <int most>
__device__ void normal_equations(const Work& q, Shared<most>& s, double sky_weight, double sky_gradient) {
    overlaps(q, s, {q.slot.stamps, q.sizes.side, nullptr, q.slot.weight, q.slot.residual}, q.slot.normal);
    if (threadIdx.x == 0) {
        q.slot.normal[triangle(q.n()) - 1] = sky_weight;
        s.gradient[q.n() - 1] = sky_gradient;
    }
    sync_block();  // matrix and gradient are there
}

// The sum over k of kernel[k + reach] * from(centre - k), where that is in [first, last).
template <class From>
__device__ double convolved(const Work& q, int centre, int first, int last, From from) {
    const int reach = q.reach();
    double sum = 0;
    for (int i = std::max(first, centre - reach); i < std::min(last, centre + reach + 1); ++i)
        sum += q.batch.kernel[centre - i + reach] * from(i);
    return sum;
}

/// The noise's matrix: derivatives times weight are convolved with the kernel, cut at the piece's edges, and their
/// products summed with the pixels' variances. The squares become those of what was convolved. Synchronises the block.
template <int most>
__device__ void correlate(const Work& q, Shared<most>& s) {
    const int side = q.sizes.side, wide = q.sizes.wide, reach = q.reach(), w = q.piece.w, h = q.piece.h;
    const int thread = int(threadIdx.x), threads = int(blockDim.x), planes = 3 * q.piece.stars;
    const Slot& slot = q.slot;
    for (int i = thread; i < planes * side * wide; i += threads) {
        const int plane = i / (side * wide), row = i / wide % side;
        const Square& a = s.squares[plane / 3];
        const int x = a.left - reach + i % wide, y = a.bottom + row;
        if (y < a.y0 || y >= a.y1 || x < 0 || x >= w) continue;
        const double* const f = slot.stamps + (std::int64_t{plane} * side + row) * side - a.left;
        const double* const weight = slot.weight + y * w;
        slot.across[i] = convolved(q, x, a.x0, a.x1, [&](int c) { return weight[c] > 0 ? weight[c] * f[c] : 0.0; });
    }
    for (int i = thread; i < q.pixels(); i += threads)
        slot.sky_across[i] = convolved(q, i % w, 0, w, [&](int c) { return slot.weight[i / w * w + c]; });
    sync_block();  // rows are convolved
    for (int i = thread; i < planes * wide * wide; i += threads) {
        const int plane = i / (wide * wide);
        const Square& a = s.squares[plane / 3];
        const int x = a.left - reach + i % wide, y = a.bottom - reach + i / wide % wide;
        if (a.w() == 0 || a.h() == 0 || x < 0 || x >= w || y < 0 || y >= h) continue;
        const double* const rows = slot.across + std::int64_t{plane} * side * wide + i % wide;
        slot.seen[i] = convolved(q, y, a.y0, a.y1, [&](int r) { return rows[(r - a.bottom) * wide]; });
    }
    double sky[1] = {};
    for (int i = thread; i < q.pixels(); i += threads) {
        const double v = convolved(q, i / w, 0, h, [&](int r) { return slot.sky_across[r * w + i % w]; });
        slot.sky_seen[i] = v;
        sky[0] += slot.variance[i] * v * v;
    }
    sum_over_block(sky, s.per_warp);  // after its barrier columns are convolved, and the squares have been read
    if (thread == 0) slot.noise[triangle(q.n()) - 1] = sky[0];
    for (int i = thread; i < q.piece.stars; i += threads) {
        Square& a = s.squares[i];
        if (a.w() == 0 || a.h() == 0) continue;
        a.left -= reach, a.bottom -= reach;
        a.x0 = std::max(0, a.x0 - reach), a.x1 = std::min(w, a.x1 + reach);
        a.y0 = std::max(0, a.y0 - reach), a.y1 = std::min(h, a.y1 + reach);
    }
    sync_block();  // the squares are those of the convolved functions
    overlaps(q, s, {slot.seen, wide, slot.sky_seen, slot.variance, nullptr}, slot.noise);
    sync_block();  // the matrix is there
}

}  // namespace star::cuda::fit_block
