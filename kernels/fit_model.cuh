// A piece's pixels, its PSF, its stars' stamps, and what the model leaves. Only for fit_stars.cu.
#pragma once
#include "kernels/fit_block.cuh"

namespace star::cuda::fit_block {

/// Light, variance and weight of the piece's pixels. Returns how many this thread gave weight.
template <int most>
__device__ int gather(const Work& q, const Shared<most>& s) {
    const FitPiece& p = q.piece;
    const double reach2 = q.batch.reach * q.batch.reach;
    int count = 0;
    for (int i = int(threadIdx.x); i < q.pixels(); i += int(blockDim.x)) {
        const int x = p.column + i % p.w, y = p.row + i / p.w;
        const std::int64_t from = std::int64_t{y} * q.batch.image.width + x;
        double light = 0, variance = 1, weight = 0;
        if (q.batch.image.usable[from]) {
            light = q.batch.image.residual(from), variance = q.batch.image.noise(from);
            for (int k = 0; k < p.own && weight == 0; ++k) {
                const double dx = x + 0.5 - s.start[k].x, dy = y + 0.5 - s.start[k].y;
                if (dx * dx + dy * dy <= reach2) weight = 1 / variance;
            }
        }
        q.slot.light[i] = light, q.slot.variance[i] = variance, q.slot.weight[i] = weight;
        count += weight > 0;
    }
    return count;
}

/// A table that spline taps address: the batch's own, or the piece's mixture.
struct Table {
    const float* data;
    int line;   // numbers a row of a plane
    int first;  // the plane's first column and row that is there
    __device__ int plane() const { return line * line; }
};

// Of each plane what the stamps need: a place between two nodes of the table may lie a pixel to either side of its own
// pixel, the spline one further.
constexpr int window_first(const FitPsfs& p) { return std::max(0, p.middle - p.radius - 2); }
constexpr int window_size(const FitPsfs& p) { return std::min(p.stride, p.middle + p.radius + 3) - window_first(p); }

/// The piece's PSF. Mixes it, where it has several parts: a barrier must follow.
__device__ inline Table psf_table(const Work& q) {
    const FitPsfs& psfs = q.batch.psfs;
    const FitPiece& p = q.piece;
    if (p.parts == 1) return {psfs.tables + p.table[0] * psfs.size(), psfs.stride, 0};
    const int first = window_first(psfs), window = window_size(psfs), plane = window * window;
    for (int i = int(threadIdx.x); i < psfs.oversampling * psfs.oversampling * plane; i += int(blockDim.x)) {
        const int row = first + i % plane / window, column = first + i % window;
        const std::int64_t from = (std::int64_t{i / plane} * psfs.stride + row) * psfs.stride + column;
        double sum = 0;
        for (int k = 0; k < p.parts; ++k) sum += p.weight[k] * double(psfs.tables[p.table[k] * psfs.size() + from]);
        q.slot.table[i] = float(sum);
    }
    return {q.slot.table, window, first};
}

/// Squares and taps of the stars on trial. A barrier must follow.
template <int most>
__device__ void place_stars(const Work& q, Shared<most>& s, const Table& table) {
    const FitPsfs& psfs = q.batch.psfs;
    for (int i = int(threadIdx.x); i < 8 * q.piece.stars; i += int(blockDim.x)) {  // one tap each, of one axis
        const int star = i / 8, tap = i % 4;
        const bool along_y = i & 4;
        const Place& at = s.trial[star];
        const Square square = fit_rules::square_of(at.x, at.y, psfs.radius, q.piece);
        if (i % 8 == 0) s.squares[star] = square;
        if (square.w() == 0) continue;  // perhaps no pixel of an image's
        const double place = along_y ? at.y : at.x;
        const SplineNodes nodes = spline_nodes(place - floor(place) - 0.5, psfs.middle, psfs.oversampling);
        const int node = nodes.first + tap, plane = node % psfs.oversampling * table.plane(),
                  pixel = node / psfs.oversampling - table.first;
        const double f = spline_place(spline_weight(nodes.f, 0), spline_weight(nodes.f, 3));
        Taps& t = s.taps[star];
        (along_y ? t.at_y : t.at_x)[tap] = along_y ? plane * psfs.oversampling + pixel * table.line : plane + pixel;
        (along_y ? t.y : t.x)[tap] = spline_weight(nodes.f, tap);
        (along_y ? t.slope_y : t.slope_x)[tap] = spline_slope(f, tap, psfs.oversampling);
    }
}

/// Their stamps, inside the piece. A barrier must follow.
template <int most>
__device__ void draw_stamps(const Work& q, const Shared<most>& s, const Table& table) {
    const int side = q.sizes.side, square = side * side, radius = q.batch.psfs.radius;
    for (int i = int(threadIdx.x); i < q.piece.stars * square; i += int(blockDim.x)) {
        const int star = i / square, row = i % square / side, column = i % side;
        const Square& a = s.squares[star];
        if (!a.holds(a.left + column, a.bottom + row)) continue;
        const Taps& t = s.taps[star];
        double value = 0, by_x = 0, by_y = 0;
#pragma unroll
        for (int m = 0; m < 4; ++m) {
            const float* const from = table.data + t.at_y[m] + (row - radius) * table.line + (column - radius);
            double along = 0, slope = 0;
#pragma unroll
            for (int n = 0; n < 4; ++n) {
                const double c = from[t.at_x[n]];
                along += t.x[n] * c, slope += t.slope_x[n] * c;
            }
            value += t.y[m] * along, by_x += t.y[m] * slope, by_y += t.slope_y[m] * along;
        }
        const double by_place = q.batch.limits.moves ? s.trial[star].flux : 0;
        double* const to = q.slot.stamps + std::int64_t{3} * star * square + row * side + column;
        to[0] = by_x * by_place, to[square] = by_y * by_place, to[2 * square] = value;
    }
}

/// value + factor * the stars' light in a pixel of the piece.
template <int most>
__device__ double with_stars(const Work& q, const Shared<most>& s, int pixel, double factor, double value) {
    const int x = pixel % q.piece.w, y = pixel / q.piece.w, square = q.sizes.side * q.sizes.side;
    for (int i = 0; i < q.piece.stars; ++i) {
        const Square& a = s.squares[i];
        if (!a.holds(x, y)) continue;
        const double* const e = q.slot.stamps + (std::int64_t{3} * i + 2) * square;
        value += factor * s.trial[i].flux * e[(y - a.bottom) * q.sizes.side + (x - a.left)];
    }
    return value;
}

struct Left {                       // sums over the pixels
    double chi2, gradient, weight;  // weight times residual^2, residual, 1
};

/// The stars on trial are drawn, and subtracted from the light; before that, with `restores`, put back into it.
/// Synchronises the block.
template <int most>
__device__ Left evaluate(const Work& q, Shared<most>& s, const Table& table, double sky, bool restores) {
    place_stars(q, s, table);
    sync_block();  // taps and squares are there
    draw_stamps(q, s, table);
    sync_block();  // so are the stamps
    double sums[3] = {};
    for (int i = int(threadIdx.x); i < q.pixels(); i += int(blockDim.x)) {
        if (restores) q.slot.light[i] = with_stars(q, s, i, 1, q.slot.light[i]);
        const double r = with_stars(q, s, i, -1, q.slot.light[i] - sky), w = q.slot.weight[i];
        q.slot.residual[i] = r;
        if (w > 0) sums[0] += w * r * r, sums[1] += w * r, sums[2] += w;
    }
    sum_over_block(sums, s.per_warp);  // after its barrier all residuals are there
    return {sums[0], sums[1], sums[2]};
}

}  // namespace star::cuda::fit_block
