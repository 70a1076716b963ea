// Weights, each star alone, lists of neighbours, what pairs share, and rounds: every star that is the weakest of its
// neighbourhood goes, those near it are looked at again. A warp per star or pair; a block per field for the rounds.
#include "kernels/fisher_snr.cuh"
#include "kernels/pack.cuh"
#include "kernels/reduce.cuh"
#include "kernels/scan.cuh"

namespace star::cuda {
namespace {

constexpr int threads = 256, warps = threads / 32, round_threads = 32 * fisher_block_warps;
constexpr std::int64_t most_blocks = 1 << 16;

struct Gradient {
    double x, y, e;
};

// A star's light in the pixel `at` rows and columns of the table from its own, and how it changes as the star moves.
__device__ Gradient gradient(const FisherTaps& t, const float* table, std::int64_t at) {
    Gradient g{0, 0, 0};
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const float* const from = table + at + t.at_y[i];
        double along = 0, slope = 0;
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            const double v = from[t.at_x[j]];
            along += t.x[j] * v;
            slope += t.dx[j] * v;
        }
        g.e += t.y[i] * along;
        g.x += t.y[i] * slope;
        g.y += t.dy[i] * along;
    }
    return g;
}

// The pixels of the image that both stamps hold.
struct Overlap {
    int x0, x1, y0, y1;
    __device__ int width() const { return x1 - x0; }
    __device__ int pixels() const { return x1 > x0 && y1 > y0 ? (x1 - x0) * (y1 - y0) : 0; }
};

__device__ Overlap overlap(const FisherField& f, const FisherStar& a, const FisherStar& b) {
    const auto lower = [](int p, int q) { return p < q ? p : q; };
    const auto higher = [](int p, int q) { return p > q ? p : q; };
    return {higher(0, higher(a.column, b.column) - f.radius), lower(f.width, lower(a.column, b.column) + f.radius + 1),
            higher(0, higher(a.row, b.row) - f.radius), lower(f.height, lower(a.row, b.row) + f.radius + 1)};
}

// block[3 p + q] = sum over these pixels of weight * (gradient p of a) * (gradient q of b): every lane gets all nine.
__device__ void shared_information(const FisherWork& w, int first, int second, double (&block)[9]) {
    const FisherStar &a = w.stars[first], &b = w.stars[second];
    const FisherField& f = w.fields[a.field];
    const Overlap o = overlap(f, a, b);
    for (double& v : block) v = 0;
    for (int k = lane(), pixels = o.pixels(); k < pixels; k += 32) {
        const int y = o.y0 + k / o.width(), x = o.x0 + k % o.width();
        const double weight = w.weights[f.pixels + std::int64_t{y} * f.width + x];
        const Gradient u = gradient(a.taps, f.table, std::int64_t{y - a.row} * f.stride + (x - a.column));
        const Gradient v =
            first == second ? u : gradient(b.taps, f.table, std::int64_t{y - b.row} * f.stride + (x - b.column));
        const double p[3] = {weight * u.x, weight * u.y, weight * u.e}, q[3] = {v.x, v.y, v.e};
#pragma unroll
        for (int i = 0; i < 9; ++i) block[i] += p[i / 3] * q[i % 3];
    }
    for (double& v : block) v = warp_sum(v);
}

__global__ void __launch_bounds__(threads)
    weigh(const __grid_constant__ FisherField f, const float* light, double* to) {
    const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
    if (i >= std::int64_t{f.width} * f.height) return;
    const double model = light[i] > 0 ? double(light[i]) : 0.0, error = f.psf_error * model;
    to[i] = 1 / (f.variance + model + error * error);
}

struct AloneShared {
    double matrix[warps][9], diagonal[warps][3];
};

__global__ void __launch_bounds__(threads) look_alone(const __grid_constant__ FisherWork w) {
    auto& shared = shared_memory<AloneShared>();
    const int warp = int(threadIdx.x) / 32, star = int(blockIdx.x) * warps + warp;
    if (star >= w.total) return;  // the whole warp
    double block[9];
    shared_information(w, star, star, block);
    if (lane() == 0)
        for (int i = 0; i < 9; ++i) w.own[std::int64_t{9} * star + i] = shared.matrix[warp][i] = block[i];
    sync_warp();  // the matrix is there
    const double pivot = last_pivot(shared.matrix[warp], 3, shared.diagonal[warp]);
    const double alone = w.stars[star].flux * std::sqrt(pivot);
    if (lane() == 0) {
        w.alive[star] = alone > 0 && alone >= w.fields[w.stars[star].field].hopeless_snr;
        w.snr[star] = 0;
    }
}

// The first of a field's stars that isn't before column x of a row.
__device__ int first_from(const FisherWork& w, const FisherField& f, int row, double x) {
    int low = f.first, high = f.last;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        const FisherStar& s = w.stars[middle];
        if (s.row < row || (s.row == row && s.x < x))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// Calls visit(other) for the stars alive within `reach` of star i, in the list's order; itself isn't one.
template <class Visit>
__device__ void stars_near(const FisherWork& w, int i, double reach, Visit visit) {
    const FisherStar& s = w.stars[i];
    const FisherField& f = w.fields[s.field];
    const int last_row = int(std::floor(s.y + reach));
    for (int row = int(std::floor(s.y - reach)); row <= last_row; ++row)
        for (int j = first_from(w, f, row, s.x - reach); j < f.last; ++j) {
            const FisherStar& t = w.stars[j];
            if (t.row != row || t.x > s.x + reach) break;
            if (j != i && w.alive[j] && hypot(t.x - s.x, t.y - s.y) < reach) visit(j);
        }
}

__device__ int* near_counts(const FisherWork& w) { return w.marks; }
__device__ int* pair_counts(const FisherWork& w) { return w.marks + w.total; }

__global__ void __launch_bounds__(threads, 4) count_near(const __grid_constant__ FisherWork w) {
    const int i = int(blockIdx.x) * threads + int(threadIdx.x);
    if (i >= w.total) return;
    int near = 0, later = 0;
    if (w.alive[i]) {
        const double reach = w.fields[w.stars[i].field].reach_px;
        stars_near(w, i, reach, [&](int) { ++near; });
        stars_near(w, i, 2 * reach, [&](int j) { later += j > i; });
    }
    near_counts(w)[i] = near, pair_counts(w)[i] = later;
}

struct SumShared {
    int per_warp[32];
};

// Block 0 sums the neighbours, block 1 the pairs.
__global__ void __launch_bounds__(threads) sum_counts(const __grid_constant__ FisherWork w) {
    auto& shared = shared_memory<SumShared>();
    const int* const counts = blockIdx.x == 0 ? near_counts(w) : pair_counts(w);
    int* const first = blockIdx.x == 0 ? w.near_first : w.pair_first;
    int sum = 0;
    for (int base = 0; base < w.total; base += threads) {
        const int i = base + int(threadIdx.x);
        const Scanned here = block_scan(i < w.total ? counts[i] : 0, shared.per_warp);
        if (i < w.total) first[i] = sum + here.before;
        sum += here.total;
    }
    if (threadIdx.x == 0) first[w.total] = sum;
}

__global__ void __launch_bounds__(threads, 4) list_near(const __grid_constant__ FisherWork w) {
    const int i = int(blockIdx.x) * threads + int(threadIdx.x);
    if (i >= w.total || !w.alive[i]) return;
    const FisherStar& s = w.stars[i];
    const double reach = w.fields[s.field].reach_px;
    const auto distance = [&](int j) {
        const FisherStar& t = w.stars[j];
        return (t.x - s.x) * (t.x - s.x) + (t.y - s.y) * (t.y - s.y);
    };
    const int first = w.near_first[i];
    int end = first, pairs = w.pair_first[i];
    stars_near(w, i, reach, [&](int j) {  // sorted as they come: the nearest first, the earlier of equals
        const double mine = distance(j);
        int to = end++;
        for (; to > first && distance(w.near[to - 1]) > mine; --to) w.near[to] = w.near[to - 1];
        w.near[to] = j;
    });
    stars_near(w, i, 2 * reach, [&](int j) {
        if (j > i) w.pair_other[pairs++] = j;
    });
}

__global__ void __launch_bounds__(threads) look_at_pairs(const __grid_constant__ FisherWork w) {
    const int pairs = w.pair_first[w.total], all = int(gridDim.x) * warps;
    for (int pair = int(blockIdx.x) * warps + int(threadIdx.x) / 32; pair < pairs; pair += all) {
        int low = 0, high = w.total;  // pair_first[low] <= pair < pair_first[high]
        while (high - low > 1) {
            const int middle = low + (high - low) / 2;
            (w.pair_first[middle] <= pair ? low : high) = middle;
        }
        double block[9];
        shared_information(w, low, w.pair_other[pair], block);
        if (lane() == 0)
            for (int i = 0; i < 9; ++i) w.pair[std::int64_t{9} * pair + i] = block[i];
    }
}

struct RoundShared {
    FisherSlots slots[fisher_block_warps];
    int failing;
};

// Whether star i is dropped before star j.
__device__ bool weaker(const FisherWork& w, int i, int j) { return w.snr[i] != w.snr[j] ? w.snr[i] < w.snr[j] : i > j; }

__global__ void __launch_bounds__(round_threads, 1) drop_weakest(const __grid_constant__ FisherWork w) {
    auto& shared = shared_memory<RoundShared>();
    const FisherField& f = w.fields[blockIdx.x];
    int *const fails = w.marks, *const goes = w.marks + w.total, *const changed = w.marks + 2 * w.total;
    const int thread = int(threadIdx.x), warp = thread / 32;
    const auto look_again = [&](auto&& stale) {
        for (int i = f.first + warp; i < f.last; i += fisher_block_warps) {
            if (!stale(i)) continue;  // the whole warp
            const double snr = snr_among(w, i, int(blockIdx.x) * fisher_block_warps + warp, shared.slots[warp],
                                         [](int) { return false; });
            if (lane() == 0) w.snr[i] = snr;
        }
    };
    for (int i = f.first + thread; i < f.last; i += round_threads) changed[i] = 0;
    look_again([&](int i) { return w.alive[i] != 0; });
    for (;;) {
        if (thread == 0) shared.failing = 0;
        sync_block();  // every signal-to-noise is up to date, none counted as failing
        bool mine = false;
        for (int i = f.first + thread; i < f.last; i += round_threads) {
            fails[i] = w.alive[i] && !(w.snr[i] >= f.min_snr);
            mine = mine || fails[i];
        }
        if (mine) atomic_add(&shared.failing, 1);
        sync_block();  // all that fail are known
        if (shared.failing == 0) break;
        for (int i = f.first + thread; i < f.last; i += round_threads) {
            bool weakest = fails[i];
            for (int k = w.near_first[i]; weakest && k < w.near_first[i + 1]; ++k) {
                const int j = w.near[k];
                weakest = !(fails[j] && weaker(w, j, i));
            }
            goes[i] = weakest;
        }
        sync_block();  // who goes is known
        for (int i = f.first + thread; i < f.last; i += round_threads) {
            if (!goes[i]) continue;
            w.alive[i] = 0;
            for (int k = w.near_first[i]; k < w.near_first[i + 1]; ++k) changed[w.near[k]] = 1;  // whoever comes first
        }
        sync_block();  // they are gone
        look_again([&](int i) { return fails[i] && w.alive[i] && changed[i]; });
        sync_block();  // before marks are taken back
        for (int i = f.first + thread; i < f.last; i += round_threads)
            if (fails[i] && w.alive[i]) changed[i] = 0;
    }
    look_again([&](int i) { return w.alive[i] && changed[i]; });
}

}  // namespace

void weigh_pixels(Stream stream, const FisherField& field, const float* light, double* weights) {
    const std::int64_t pixels = std::int64_t{field.width} * field.height;
    if (pixels > 0)
        launch(stream, {{block_count(ceil_div(pixels, std::int64_t{threads}))}, threads}, weigh, field, light, weights);
}

void find_detectable(Stream stream, const FisherWork& work) {
    if (work.total == 0 || work.count == 0) return;
    require(
        work.near_room < INT32_MAX && work.pair_room < INT32_MAX && work.matrix_side <= 3 * (most_free_neighbours + 1),
        "find_detectable: ", work.near_room, " neighbours, ", work.pair_room, " pairs");
    const auto by_warp = unsigned(ceil_div(work.total, warps)), by_thread = unsigned(ceil_div(work.total, threads));
    launch(stream, {{by_warp}, threads, sizeof(AloneShared)}, look_alone, work);
    launch(stream, {{by_thread}, threads}, count_near, work);
    launch(stream, {{2}, threads, sizeof(SumShared)}, sum_counts, work);
    launch(stream, {{by_thread}, threads}, list_near, work);
    const std::int64_t blocks = std::min(ceil_div(work.pair_room, std::int64_t{warps}), most_blocks);
    if (blocks > 0) launch(stream, {{block_count(blocks)}, threads}, look_at_pairs, work);
    launch(stream, {{unsigned(work.count)}, round_threads, sizeof(RoundShared)}, drop_weakest, work);
}

}  // namespace star::cuda
