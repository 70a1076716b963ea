// The signal-to-noise of one star with its neighbours free, by a warp: their information, eliminated.
#pragma once
#include <bit>
#include <cmath>

#include "kernels/fisher.h"
#include "kernels/simt.h"

namespace star {

/// Shared memory of a warp.
struct FisherSlots {
    int star[most_free_neighbours + 1];
};

/// The last pivot of a symmetric matrix of which the upper triangle (n rows of n) is given, overwritten: the
/// information left on the last parameter when all others are free. A pivot is taken to be at least 1e-10 of its
/// diagonal. By a warp; diagonal: n numbers of scratch.
__device__ inline double last_pivot(double* a, int n, double* diagonal) {
    constexpr double smallest = 1e-10;
    const auto at_least = [](double v, double least) { return v < least ? least : v; };
    for (int k = lane(); k < n; k += 32) diagonal[k] = a[k * (n + 1)];
    sync_warp();  // the diagonal is kept
    for (int k = 0; k + 1 < n; ++k) {
        const double* const row = a + k * n;
        if (diagonal[k] > 0) {  // else nothing is known of it, and nothing shared
            const double inverse = 1 / at_least(row[k], smallest * diagonal[k]);
            for (int j = k + 1 + lane(); j < n; j += 32) {
                const double here = row[j];
                for (int i = k + 1; i <= j; ++i) a[i * n + j] -= row[i] * inverse * here;
            }
        }
        sync_warp();  // row k + 1 is final
    }
    return at_least(a[n * n - 1], smallest * diagonal[n - 1]);
}

/// Where `other` stands among a star's later neighbours, or -1.
__device__ inline int pair_of(const FisherWork& w, int star, int other) {
    int low = w.pair_first[star], high = w.pair_first[star + 1];
    const int end = high;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (w.pair_other[middle] < other)
            low = middle + 1;
        else
            high = middle;
    }
    return low < end && w.pair_other[low] == other ? low : -1;
}

/// flux / sqrt((I^-1)_ff) of a star, the fluxes and places of itself and of its nearest neighbours that are alive and
/// not known(other) being free. By a warp, which is warp number `warp` of fisher_warps().
template <class Known>
__device__ double snr_among(const FisherWork& w, int star, int warp, FisherSlots& slots, Known known) {
    double* const matrix = w.matrices + std::int64_t{warp} * w.matrix_side * w.matrix_side;
    double* const diagonal = w.diagonals + std::int64_t{warp} * w.matrix_side;
    int free = 0;
    sync_warp();  // the slots of the star before have been read
    for (int base = w.near_first[star]; base < w.near_first[star + 1] && free < most_free_neighbours; base += 32) {
        const int at = base + lane(), other = at < w.near_first[star + 1] ? w.near[at] : -1;
        const bool takes = other >= 0 && w.alive[other] && !known(other);
        const unsigned mask = ballot(takes);
        const int place = free + std::popcount(mask & ((1u << lane()) - 1));
        if (takes && place < most_free_neighbours) slots.star[place] = other;
        free += std::popcount(mask);
    }
    free = free < most_free_neighbours ? free : most_free_neighbours;
    if (lane() == 0) slots.star[free] = star;
    sync_warp();  // all slots are taken
    const int count = free + 1, n = 3 * count;
    for (int i = 0; i < count; ++i)
        for (int j = i + lane(); j < count; j += 32) {
            const int a = slots.star[i], b = slots.star[j],
                      pair = a == b  ? -1
                             : a < b ? pair_of(w, a, b)
                                     : pair_of(w, b, a);
            const double* const from = a == b ? w.own + std::int64_t{9} * a : w.pair + std::int64_t{9} * pair;
            for (int p = 0; p < 3; ++p)
                for (int q = 0; q < 3; ++q)
                    matrix[(3 * i + p) * n + 3 * j + q] =
                        a == b || pair >= 0 ? from[a <= b ? 3 * p + q : 3 * q + p] : 0.0;
        }
    sync_warp();  // the matrix is whole
    const double pivot = last_pivot(matrix, n, diagonal);
    sync_warp();  // and read
    return w.stars[star].flux * std::sqrt(pivot);
}

}  // namespace star
