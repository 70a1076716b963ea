// Lists of many images on a GPU, worked on in tiles: running sums over tiles, and a stable sort. How many entries a
// list has is in device memory; how many there is room for fixes the launches, so that a captured graph replays.
#pragma once
#include <algorithm>

#include "kernels/anchors.h"
#include "kernels/device.h"

namespace star {

/// Of each image, `per_image` lists one behind the other: list l has room for entries first[l] ... first[l+1]-1 of the
/// image's first[per_image].
struct Lists {
    int images = 0, per_image = 1;
    std::int64_t first[max_levels + 1] = {};

    constexpr std::int64_t room(int l) const { return first[l + 1] - first[l]; }
    constexpr std::int64_t size() const { return images * first[per_image]; }
    /// Tiles of `entries` before list l of an image; tiles never span two lists.
    constexpr std::int64_t tiles_before(int l, int entries) const {
        std::int64_t tiles = 0;
        for (int i = 0; i < l; ++i) tiles += ceil_div(room(i), std::int64_t{entries});
        return tiles;
    }
    constexpr std::int64_t tiles(int entries) const { return images * tiles_before(per_image, entries); }
};

struct Tile {
    int image, level;    ///< which list
    std::int64_t start;  ///< its first entry, within the list
};

/// Tile `at` of all images' tiles of `entries`.
constexpr Tile tile_of(const Lists& lists, std::int64_t at, int entries) {
    const std::int64_t per_image = lists.tiles_before(lists.per_image, entries);
    Tile t{int(at / per_image), 0, 0};
    std::int64_t left = at % per_image;
    for (; left >= ceil_div(lists.room(t.level), std::int64_t{entries}); ++t.level)
        left -= ceil_div(lists.room(t.level), std::int64_t{entries});
    t.start = left * entries;
    return t;
}

enum class Sum { lists, images };

namespace cuda {

/// Replaces each tile's number by the sum over the tiles before it in its list (or image), and writes the sum over the
/// whole list (or image) to totals.
///   per_tile  (lists.tiles(entries)) int     totals  (images * per_image) int, or (images)
void sum_tiles(Stream, const Lists&, int entries, Sum, int* per_tile, int* totals);

inline constexpr int sort_tile = 2048;  // keys

/// Sorts the first counts[image * per_image + l] keys of each list by bits 32 ... 32 + bits - 1, ascending, stable.
/// Returns where they are: `keys` or `other`, both (lists.size()) and both overwritten. Work and memory are linear.
///   counts  (images * per_image) int, on the device      digits  workspace, sort_digits(lists) int
std::uint64_t* sort_lists(Stream, const Lists&, const int* counts, int bits, std::uint64_t* keys, std::uint64_t* other,
                          int* digits);
inline std::int64_t sort_digits(const Lists& lists) { return lists.tiles(sort_tile) * 256; }

}  // namespace cuda
}  // namespace star
