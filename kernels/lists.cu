// Running sums over tiles, and a radix sort: for each 8 bits, tiles count their digits, a block per list turns the
// counts into places, tiles move their keys there. No block waits for another.
#include <bit>
#include <utility>

#include "kernels/lists.h"
#include "kernels/scan.cuh"

namespace star::cuda {
namespace {

constexpr int threads = 256, warps = threads / 32, values = 256;  // a thread per value of a digit
constexpr int rounds = sort_tile / threads;

struct Shared {
    int per_warp[32];
};

struct Counting {
    int count[values];
};

struct Moving {
    int place[warps][values];
};

struct Sorting {
    Lists lists;
    const int* counts;
    int shift;
    const std::uint64_t* from;
    std::uint64_t* to;
    int* digits;  // of each tile, a number per value
};

__device__ int digit_of(std::uint64_t key, int shift) { return int(key >> shift & 255); }

// How many keys of the tile there are.
__device__ int keys_in(const Sorting& s, Tile t) {
    const std::int64_t count =
        std::min<std::int64_t>(s.counts[t.image * s.lists.per_image + t.level], s.lists.room(t.level));
    return int(std::clamp<std::int64_t>(count - t.start, 0, sort_tile));
}

__device__ std::int64_t list_start(const Lists& lists, Tile t) {
    return t.image * lists.first[lists.per_image] + lists.first[t.level];
}

__global__ void __launch_bounds__(threads)
    sum_over(const __grid_constant__ Lists lists, int entries, bool whole, int* per_tile, int* totals) {
    auto& s = shared_memory<Shared>();
    const std::int64_t image_tiles = lists.tiles_before(lists.per_image, entries);
    const int image = whole ? int(blockIdx.x) : int(blockIdx.x) / lists.per_image;
    const int level = whole ? 0 : int(blockIdx.x) % lists.per_image, end = whole ? lists.per_image : level + 1;
    const std::int64_t first = image * image_tiles + lists.tiles_before(level, entries);
    const std::int64_t last = image * image_tiles + lists.tiles_before(end, entries);
    int sum = 0;
    for (std::int64_t base = first; base < last; base += threads) {
        const std::int64_t tile = base + threadIdx.x;
        const Scanned here = block_scan(tile < last ? per_tile[tile] : 0, s.per_warp);
        if (tile < last) per_tile[tile] = sum + here.before;
        sum += here.total;
    }
    if (threadIdx.x == 0) totals[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(threads) count_digits(const __grid_constant__ Sorting s) {
    auto& shared = shared_memory<Counting>();
    const Tile t = tile_of(s.lists, blockIdx.x, sort_tile);
    const int keys = keys_in(s, t);
    const std::uint64_t* const from = s.from + list_start(s.lists, t) + t.start;
    shared.count[threadIdx.x] = 0;
    sync_block();  // no counts yet
    for (int i = int(threadIdx.x); i < keys; i += threads) atomic_add(&shared.count[digit_of(from[i], s.shift)], 1);
    sync_block();  // all are counted
    s.digits[std::int64_t{blockIdx.x} * values + threadIdx.x] = shared.count[threadIdx.x];
}

// A tile's keys of a value follow all smaller values of the list, and its earlier tiles' keys of that value.
__global__ void __launch_bounds__(threads) place_digits(const __grid_constant__ Sorting s) {
    auto& shared = shared_memory<Shared>();
    const int image = int(blockIdx.x) / s.lists.per_image, level = int(blockIdx.x) % s.lists.per_image;
    const std::int64_t before =
        image * s.lists.tiles_before(s.lists.per_image, sort_tile) + s.lists.tiles_before(level, sort_tile);
    const std::int64_t count = std::min<std::int64_t>(s.counts[blockIdx.x], s.lists.room(level));
    const std::int64_t tiles = ceil_div(count, std::int64_t{sort_tile});
    int* const mine = s.digits + before * values + threadIdx.x;
    int sum = 0;
#pragma unroll 8
    for (std::int64_t t = 0; t < tiles; ++t) {
        const int here = mine[t * values];
        mine[t * values] = sum;
        sum += here;
    }
    const int smaller = block_scan(sum, shared.per_warp).before;
#pragma unroll 8
    for (std::int64_t t = 0; t < tiles; ++t) mine[t * values] += smaller;
}

// The lanes of the warp that are there and have my digit.
__device__ unsigned lanes_like_me(bool there, int digit) {
    unsigned like = ballot(there);
    for (int bit = 0; bit < 8; ++bit) {
        const bool set = digit >> bit & 1;
        const unsigned votes = ballot(set);
        like &= set ? votes : ~votes;
    }
    return like;
}

__global__ void __launch_bounds__(threads) move_keys(const __grid_constant__ Sorting s) {
    auto& shared = shared_memory<Moving>();
    const Tile t = tile_of(s.lists, blockIdx.x, sort_tile);
    const int keys = keys_in(s, t), warp = int(threadIdx.x) / 32, value = int(threadIdx.x);
    if (keys == 0) return;  // the whole block
    const std::int64_t list = list_start(s.lists, t);
    for (int w = 0; w < warps; ++w) shared.place[w][value] = 0;
    sync_block();  // no counts yet
    std::uint64_t key[rounds];
    int rank[rounds];  // among the warp's keys of the same digit
#pragma unroll
    for (int r = 0; r < rounds; ++r) {
        const int i = (warp * rounds + r) * 32 + lane();
        key[r] = i < keys ? s.from[list + t.start + i] : 0;
        const int digit = digit_of(key[r], s.shift);
        const unsigned like = lanes_like_me(i < keys, digit), earlier = like & ((1u << lane()) - 1);
        rank[r] = shared.place[warp][digit] + std::popcount(earlier);
        sync_warp();  // all have read
        if (i < keys && earlier == 0) shared.place[warp][digit] += std::popcount(like);
        sync_warp();  // the next round sees this one's keys
    }
    sync_block();  // every warp has counted
    int place = s.digits[std::int64_t{blockIdx.x} * values + value];
    for (int w = 0; w < warps; ++w) {
        const int count = shared.place[w][value];
        shared.place[w][value] = place;
        place += count;
    }
    sync_block();  // counts have become places
#pragma unroll
    for (int r = 0; r < rounds; ++r)
        if ((warp * rounds + r) * 32 + lane() < keys)
            s.to[list + shared.place[warp][digit_of(key[r], s.shift)] + rank[r]] = key[r];
}

unsigned blocks_for(std::int64_t count) {
    require(count <= INT32_MAX, "lists: ", count, " blocks are more than a launch takes");
    return unsigned(count);
}

}  // namespace

void sum_tiles(Stream stream, const Lists& lists, int entries, Sum over, int* per_tile, int* totals) {
    const bool whole = over == Sum::images;
    const std::int64_t blocks = std::int64_t{lists.images} * (whole ? 1 : lists.per_image);
    if (blocks > 0)
        launch(stream, {{blocks_for(blocks)}, threads, sizeof(Shared)}, sum_over, lists, entries, whole, per_tile,
               totals);
}

std::uint64_t* sort_lists(Stream stream, const Lists& lists, const int* counts, int bits, std::uint64_t* keys,
                          std::uint64_t* other, int* digits) {
    const std::int64_t tiles = lists.tiles(sort_tile);
    if (tiles == 0) return keys;
    for (int shift = 32; shift < 32 + bits; shift += 8) {
        const Sorting s{lists, counts, shift, keys, other, digits};
        launch(stream, {{blocks_for(tiles)}, threads, sizeof(Counting)}, count_digits, s);
        launch(stream, {{blocks_for(std::int64_t{lists.images} * lists.per_image)}, threads, sizeof(Shared)},
               place_digits, s);
        launch(stream, {{blocks_for(tiles)}, threads, sizeof(Moving)}, move_keys, s);
        std::swap(keys, other);
    }
    return keys;
}

}  // namespace star::cuda
