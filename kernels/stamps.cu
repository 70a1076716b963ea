// A block is a tile of pixels, a thread a pixel; the tile's stamps pass through shared memory a handful at a time.
#include "kernels/pack.cuh"
#include "kernels/stamps.h"

namespace star::cuda {
namespace {

constexpr int threads = stamp_tile_rows * stamp_tile_columns, at_once = 16;
static_assert(sizeof(Stamp) % sizeof(int) == 0);
constexpr int words = int(sizeof(Stamp) / sizeof(int));

struct Shared {
    Stamp stamps[at_once];
};

struct Problem {
    StampTiles tiles;
    const float* table;
    int stride;
    View<float> image;
};

__device__ float light(const Stamp& s, const float* table, std::int64_t at) {
    float sum = 0;
    for (int i = 0; i < 4; ++i) {
        const float* const from = table + at + s.taps.at_y[i];
        float line = 0;
        for (int j = 0; j < 4; ++j) line += s.taps.x[j] * from[s.taps.at_x[j]];
        sum += s.taps.y[i] * line;
    }
    return sum;
}

__global__ void __launch_bounds__(threads) add_tile(Problem p) {
    Shared& shared = shared_memory<Shared>();
    const int h = p.image.shape.h, w = p.image.shape.w, across = (w + stamp_tile_columns - 1) / stamp_tile_columns;
    const int tile = int(blockIdx.x), thread = int(threadIdx.x);
    const int y = tile / across * stamp_tile_rows + thread / stamp_tile_columns;
    const int x = tile % across * stamp_tile_columns + thread % stamp_tile_columns;
    const int first = p.tiles.first[tile], last = p.tiles.first[tile + 1];
    float sum = 0;
    for (int from = first; from < last; from += at_once) {
        const int count = last - from < at_once ? last - from : at_once;
        sync_block();  // the stamps before have been read
        for (int i = thread; i < count * words; i += threads) {
            const int* const stamp = reinterpret_cast<const int*>(p.tiles.stamps + p.tiles.list[from + i / words]);
            reinterpret_cast<int*>(shared.stamps + i / words)[i % words] = stamp[i % words];
        }
        sync_block();
        for (int k = 0; k < count; ++k) {
            const Stamp& s = shared.stamps[k];
            if (x < s.left || x >= s.right || y < s.top || y >= s.bottom) continue;
            sum += light(s, p.table, std::int64_t{y - s.row} * p.stride + (x - s.column));
        }
    }
    if (y < h && x < w && last > first) p.image.data[std::int64_t{y} * w + x] += sum;
}

}  // namespace

void add_stamps(Stream stream, const StampTiles& tiles, const float* table, int stride, View<float> image) {
    const Shape s = image.shape;
    require(s.n == 1 && s.c == 1, "add_stamps: an image of ", s.n, "x", s.h, "x", s.w, "x", s.c);
    if (s.size() == 0) return;
    const std::int64_t blocks = std::int64_t{ceil_div(s.h, stamp_tile_rows)} * ceil_div(s.w, stamp_tile_columns);
    launch(stream, {{block_count(blocks)}, threads, sizeof(Shared)}, add_tile, Problem{tiles, table, stride, image});
}

}  // namespace star::cuda
