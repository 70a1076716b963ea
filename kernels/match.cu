// Matching on a GPU: a warp per unit looks at the anchors near it, which are a regular grid; the greatest key wins each
// anchor. Work and memory are linear in anchors and overlaps, and no result depends on who comes first.
#include "kernels/match_search.h"
#include "kernels/rounded.h"
#include "kernels/simt.h"

namespace star::cuda {
namespace {

constexpr int threads = 128, warps = threads / 32;
constexpr std::int64_t most_blocks = 1 << 20;

struct Problem {
    AnchorGrid grid;
    Truths truths;
    Matching how;
    int images, units;  // units: there is room for, first[images] are there
    int* match;
    std::int8_t* labels;
    int* positives;
    MatchWork work;
};

// The image of a unit, or -1. `first` ascends.
__device__ int image_of(const Problem& p, int unit) {
    const int* const first = p.truths.first.data;
    if (unit >= p.units || unit < first[0] || unit >= first[p.images]) return -1;
    int low = 0, high = p.images;  // first[low] <= unit < first[high]
    while (high - low > 1) {
        const int middle = low + (high - low) / 2;
        (first[middle] <= unit ? low : high) = middle;
    }
    return low;
}

// Calls visit(index, box) for the anchors that may overlap `box` or have their centre there, a warp's lanes in turn.
template <class Visit>
__device__ void anchors_near(const AnchorGrid& grid, Box box, Visit visit) {
    for (int l = 0; l < grid.levels; ++l)
        for (int a = 0; a < grid.per_cell; ++a) {
            const AnchorLevel& level = grid.level[l];
            const Cells cells = cells_near(level, a, box);
            for (std::int64_t c = lane(); c < cells.count(); c += 32) {
                const int i = cells.i0 + int(c / (cells.j1 - cells.j0)), j = cells.j0 + int(c % (cells.j1 - cells.j0));
                visit(level.first + (i * level.w + j) * grid.per_cell + a, rounded_anchor_box(level, i, j, a));
            }
        }
}

__device__ OverlapKey warp_max(OverlapKey v) {
    for (int step = 16; step > 0; step /= 2) {
        const OverlapKey other = shuffle_xor(v, step);
        v = other > v ? other : v;
    }
    return v;
}

__global__ void __launch_bounds__(threads) find_best(Problem p) {
    const int unit = int(blockIdx.x) * warps + int(threadIdx.x) / 32, n = image_of(p, unit);
    OverlapKey mine = 0;
    if (n >= 0 && p.truths.labels.data[unit] != label_ignored) {
        OverlapKey* const best = p.work.best + std::int64_t{n} * p.grid.total;
        const Box box = p.truths.boxes.data[unit];
        anchors_near(p.grid, box, [&](int anchor, Box at) {
            const float v = rounded_iou(at, box);
            if (!(v > 0)) return;
            const OverlapKey with_anchor = overlap_key(v, anchor);
            mine = with_anchor > mine ? with_anchor : mine;
            if (v >= p.how.background) atomic_max(best + anchor, overlap_key(v, unit));  // below, none is as good as it
        });
    }
    mine = warp_max(mine);
    if (lane() == 0 && unit < p.units) p.work.unit_best[unit] = mine;
}

__global__ void __launch_bounds__(threads) wish_for_best(Problem p) {
    const int unit = int(blockIdx.x) * threads + int(threadIdx.x), n = image_of(p, unit);
    if (n < 0) return;
    const OverlapKey mine = p.work.unit_best[unit];
    if (mine) atomic_max(p.work.best + std::int64_t{n} * p.grid.total + index_of(mine), wish_of(mine, unit));
}

__global__ void __launch_bounds__(threads) write_matches(Problem p) {
    const std::int64_t per_image = ceil_div(p.grid.total, threads), pieces = per_image * p.images;
    for (std::int64_t piece = blockIdx.x; piece < pieces; piece += gridDim.x) {
        const int n = int(piece / per_image), anchor = int(piece % per_image) * threads + int(threadIdx.x);
        bool positive = false;
        if (anchor < p.grid.total) {
            const std::int64_t at = std::int64_t{n} * p.grid.total + anchor;
            const int m = matched(p.work.best[at], p.how);
            p.match[at] = m;
            p.labels[at] = label_of(m, p.truths.labels.data);
            positive = m >= 0;
        }
        const int count = std::popcount(ballot(positive));
        if (lane() == 0 && count > 0) atomic_add(p.positives + n, count);
    }
}

__global__ void __launch_bounds__(threads) ignore_regions(Problem p) {
    const int unit = int(blockIdx.x) * warps + int(threadIdx.x) / 32, n = image_of(p, unit);
    if (n < 0 || p.truths.labels.data[unit] != label_ignored) return;
    const Box region = p.truths.boxes.data[unit];
    const std::int64_t image = std::int64_t{n} * p.grid.total;
    anchors_near(p.grid, region, [&](int anchor, Box box) {
        if (centre_inside(box, region) && atomic_cas(p.match + image + anchor, -1, -2) == -1)
            p.labels[image + anchor] = label_ignored;  // by whichever region came first: they all write this
    });
}

}  // namespace

void match_anchors(Stream stream, AnchorGrid grid, Truths truths, Matching how, View<int> match,
                   View<std::int8_t> labels, View<int> positives, MatchWork work) {
    const int images = match.shape.n;
    require(truths.boxes.size() <= INT32_MAX - threads, "match_anchors: ", truths.boxes.size(), " units");
    const int units = int(truths.boxes.size());
    const Problem p{grid, truths, how, images, units, match.data, labels.data, positives.data, work};
    const auto by_warp = unsigned(ceil_div(units, warps)), by_thread = unsigned(ceil_div(units, threads));
    const std::int64_t pieces = ceil_div(grid.total, threads) * std::int64_t{images};
    if (pieces == 0) return cuda::fill_zero(stream, positives.data, std::size_t(images) * sizeof(int));
    cuda::fill_zero(stream, work.best, std::size_t(match.size()) * sizeof(OverlapKey));
    cuda::fill_zero(stream, positives.data, std::size_t(images) * sizeof(int));
    if (units > 0) launch(stream, {{by_warp}, threads}, find_best, p);
    if (units > 0 && how.best_anchor) launch(stream, {{by_thread}, threads}, wish_for_best, p);
    launch(stream, {{unsigned(std::min(pieces, most_blocks))}, threads}, write_matches, p);
    if (units > 0) launch(stream, {{by_warp}, threads}, ignore_regions, p);
}

}  // namespace star::cuda
