// Decoding on a GPU: candidates above the threshold become keys in order of their index, each level's keys are sorted
// by score (stable, so equal scores stay in order), the first top_k of each are rows, rows without a box are left out.
#include "kernels/decode_row.h"
#include "kernels/lists.h"
#include "kernels/scan.cuh"

namespace star::cuda {
namespace {

constexpr int threads = 256;
constexpr int anchor_tile = 4 * threads, row_tile = threads;

struct Shared {
    int per_warp[32];
};

// An image's lists: its levels' anchors, candidates or rows.
enum class Of { anchors, candidates, rows };

constexpr Lists lists_of(int images, const AnchorGrid& grid, Decode how, Of of) {
    Lists lists{images, grid.levels, {}};
    for (int l = 0; l < grid.levels; ++l) {
        const std::int64_t all = level_candidates(grid, how, l);
        lists.first[l + 1] = lists.first[l] + (of == Of::anchors      ? level_anchors(grid, l)
                                               : of == Of::candidates ? all
                                                                      : std::min<std::int64_t>(how.top_k, all));
    }
    return lists;
}

struct Workspace {
    std::uint64_t *keys, *other;  // of candidates
    int *digits, *anchor_tiles, *row_tiles, *counts;
};

/// Lays the workspace out from `start`; returns its size in bytes.
std::int64_t lay_out(Workspace& w, std::byte* start, int images, const AnchorGrid& grid, Decode how) {
    const Lists candidates = lists_of(images, grid, how, Of::candidates);
    std::int64_t used = 0;
    const auto take = [&]<class U>(U*& p, std::int64_t count) {
        p = start ? reinterpret_cast<U*>(start + used) : nullptr;
        used += (count * std::int64_t{sizeof(U)} + 255) / 256 * 256;
    };
    take(w.keys, candidates.size());
    take(w.other, candidates.size());
    take(w.digits, sort_digits(candidates));
    take(w.anchor_tiles, lists_of(images, grid, how, Of::anchors).tiles(anchor_tile));
    take(w.row_tiles, lists_of(images, grid, how, Of::rows).tiles(row_tile));
    take(w.counts, std::int64_t{images} * grid.levels);
    return used;
}

// A score in (0, 1] above its index: ascending keys are descending scores.
__device__ std::uint64_t key_of(float score, int index) {
    return std::uint64_t{~std::bit_cast<std::uint32_t>(score)} << 32 | std::uint32_t(index);
}
__device__ Candidate candidate_of(std::uint64_t key, Tile t) {
    return {t.image, t.level, int(std::uint32_t(key)), std::bit_cast<float>(~std::uint32_t(key >> 32))};
}
constexpr std::uint64_t no_box = 0;  // no score's key

template <class T, class Visit>
__device__ void scan_anchor(const Decoding<T>& d, Tile t, std::int64_t anchor, Visit visit) {
    if (anchor >= level_anchors(d.grid, t.level)) return;
    const T* const z = logits_of(d.heads, d.grid, d.how, t.level, t.image, int(anchor));
    if (d.how.scoring == Scoring::each_class)
        scan_each(z, d.how, d.hopeless, visit);
    else
        scan_any(z, d.how, d.hopeless, visit);
}

template <class T>
__global__ void __launch_bounds__(threads)
    count_candidates(const __grid_constant__ Decoding<T> d, const __grid_constant__ Lists anchors, int* per_tile) {
    auto& s = shared_memory<Shared>();
    const Tile t = tile_of(anchors, blockIdx.x, anchor_tile);
    int count = 0;
    for (int i = int(threadIdx.x); i < anchor_tile; i += threads)
        scan_anchor(d, t, t.start + i, [&](float, int) { ++count; });
    const int total = block_scan(count, s.per_warp).total;
    if (threadIdx.x == 0) per_tile[blockIdx.x] = total;
}

template <class T>
__global__ void __launch_bounds__(threads)
    write_keys(const __grid_constant__ Decoding<T> d, const __grid_constant__ Lists anchors,
               const __grid_constant__ Lists candidates, const int* per_tile, std::uint64_t* keys) {
    auto& s = shared_memory<Shared>();
    const Tile t = tile_of(anchors, blockIdx.x, anchor_tile);
    keys += t.image * candidates.first[candidates.per_image] + candidates.first[t.level];
    int place = per_tile[blockIdx.x];
    for (int i = int(threadIdx.x); i < anchor_tile; i += threads) {  // all threads as often
        int count = 0;
        scan_anchor(d, t, t.start + i, [&](float, int) { ++count; });
        const Scanned here = block_scan(count, s.per_warp);
        int mine = place + here.before;
        scan_anchor(d, t, t.start + i, [&](float score, int k) {
            keys[mine++] = key_of(score, int(t.start + i) * per_anchor(d.how) + k);
        });
        place += here.total;
    }
}

// Where the row's key is, or null where there are fewer.
__device__ std::uint64_t* key_at(const Lists& candidates, Decode how, const Workspace& w, Tile t, std::uint64_t* keys) {
    const std::int64_t row = t.start + threadIdx.x;
    if (row >= how.top_k || row >= w.counts[t.image * candidates.per_image + t.level]) return nullptr;
    return keys + t.image * candidates.first[candidates.per_image] + candidates.first[t.level] + row;
}

// Counts the rows that have a box; the others' keys become no_box, so that this is decided once.
template <class T>
__global__ void __launch_bounds__(threads)
    count_rows(const __grid_constant__ Decoding<T> d, const __grid_constant__ Lists rows,
               const __grid_constant__ Lists candidates, Workspace w, std::uint64_t* keys) {
    auto& s = shared_memory<Shared>();
    const Tile t = tile_of(rows, blockIdx.x, row_tile);
    std::uint64_t* const key = key_at(candidates, d.how, w, t, keys);
    const bool good = key && is_box(box_of(d.heads, d.grid, d.how, candidate_of(*key, t)));
    if (key && !good) *key = no_box;
    const int total = block_scan(good, s.per_warp).total;
    if (threadIdx.x == 0) w.row_tiles[blockIdx.x] = total;
}

template <class T>
__global__ void __launch_bounds__(threads)
    write_rows(const __grid_constant__ Decoding<T> d, const __grid_constant__ Lists rows,
               const __grid_constant__ Lists candidates, Workspace w, std::uint64_t* keys) {
    auto& s = shared_memory<Shared>();
    const Tile t = tile_of(rows, blockIdx.x, row_tile);
    const std::uint64_t* const key = key_at(candidates, d.how, w, t, keys);
    const bool good = key && *key != no_box;
    const int before = block_scan(good, s.per_warp).before;
    if (!good) return;
    const Candidate c = candidate_of(*key, t);
    const std::int64_t row = std::int64_t{t.image} * d.out.boxes.shape.c + w.row_tiles[blockIdx.x] + before;
    write_row(d.heads, d.grid, d.how, c, box_of(d.heads, d.grid, d.how, c), d.out, row);
}

unsigned blocks_for(std::int64_t tiles) {
    require(tiles <= INT32_MAX, "decode_boxes: ", tiles, " tiles are more than a launch takes");
    return unsigned(tiles);
}

}  // namespace

std::int64_t decode_workspace(Stream, int images, AnchorGrid grid, Decode how) {
    Workspace w;
    return lay_out(w, nullptr, images, grid, how);
}

template <class T>
void decode_boxes(Stream stream, Decoding<T> d, std::byte* workspace) {
    const int images = d.heads.logits[0].shape.n;
    const Lists anchors = lists_of(images, d.grid, d.how, Of::anchors),
                candidates = lists_of(images, d.grid, d.how, Of::candidates),
                rows = lists_of(images, d.grid, d.how, Of::rows);
    Workspace w;
    lay_out(w, workspace, images, d.grid, d.how);
    if (anchors.size() == 0) return cuda::fill_zero(stream, d.out.count.data, std::size_t(images) * sizeof(int));
    const Grid by_anchor{{blocks_for(anchors.tiles(anchor_tile))}, threads, sizeof(Shared)};
    const Grid by_row{{blocks_for(rows.tiles(row_tile))}, threads, sizeof(Shared)};
    launch(stream, by_anchor, count_candidates<T>, d, anchors, w.anchor_tiles);
    sum_tiles(stream, anchors, anchor_tile, Sum::lists, w.anchor_tiles, w.counts);
    launch(stream, by_anchor, write_keys<T>, d, anchors, candidates, w.anchor_tiles, w.keys);
    std::uint64_t* const sorted = sort_lists(stream, candidates, w.counts, 32, w.keys, w.other, w.digits);
    launch(stream, by_row, count_rows<T>, d, rows, candidates, w, sorted);
    sum_tiles(stream, rows, row_tile, Sum::images, w.row_tiles, d.out.count.data);
    launch(stream, by_row, write_rows<T>, d, rows, candidates, w, sorted);
}
template void decode_boxes(Stream, Decoding<float>, std::byte*);
template void decode_boxes(Stream, Decoding<bf16>, std::byte*);

}  // namespace star::cuda
