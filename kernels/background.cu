// The sky mesh and the noise on a GPU: a block per cell, whose pixels are read again for every question.
#include <cmath>

#include "kernels/background.h"
#include "kernels/pack.cuh"
#include "kernels/reduce.cuh"
#include "kernels/select.cuh"

namespace star::cuda {
namespace {

constexpr int threads = 256;  // of a cell, of a row of pixels
constexpr int few = 32;       // for the handful of values about a cell
constexpr int many = 1024;    // for all cells by one block

struct Shared {
    SelectShared select;
    double per_warp[32];
};

struct Range {
    int first, last;  // half open
};

constexpr Range cell_pixels(int cell, int cells, int extent, int size) {
    return {cell * size, cell + 1 == cells ? extent : (cell + 1) * size};
}

struct Image {
    const float* pixels;
    const std::uint8_t* mask;
    int h, w;
    int size;              // of a cell
    int cells_h, cells_w;  // of the mesh
    __device__ bool usable(std::int64_t i) const { return std::isfinite(pixels[i]) && !(mask && mask[i]); }
};

// ---- Sources of values (select.cuh).

struct Cell {  // its usable pixels
    Image image;
    int y, x, width, slots;
    __device__ bool get(int slot, float& v) const {
        const std::int64_t at = std::int64_t{y + slot / width} * image.w + x + slot % width;
        v = image.pixels[at];
        return image.usable(at);
    }
};

struct Roughness {  // |second difference both ways| at its pixels that have nine usable ones about them
    Cell cell;
    int slots;
    __device__ bool get(int slot, float& v) const {
        const Image& p = cell.image;
        const int y = cell.y + slot / cell.width, x = cell.x + slot % cell.width;
        if (y < 1 || x < 1 || y + 1 >= p.h || x + 1 >= p.w) return false;
        float row[3];
        for (int k = 0; k < 3; ++k) {
            const std::int64_t at = std::int64_t{y - 1 + k} * p.w + x;
            if (!p.usable(at - 1) || !p.usable(at) || !p.usable(at + 1)) return false;
            const float* const near = p.pixels + at;
            row[k] = (near[-1] - near[0]) - (near[0] - near[1]);  // the sky's level rounds nothing away
        }
        v = fabsf((row[0] - row[1]) - (row[1] - row[2]));
        return v >= 0;  // infinities may have made a NaN
    }
};

struct Ring {  // the cells with values of their own at chessboard distance r > 0
    const float* map;
    const int* own;
    int i, j, r, h, w, slots;
    __device__ bool get(int slot, float& v) const {
        const int side = slot / (2 * r), along = slot % (2 * r);  // four sides, each without its last corner
        const int y = side == 0 ? i - r : side == 1 ? i - r + along : side == 2 ? i + r : i + r - along;
        const int x = side == 0 ? j - r + along : side == 1 ? j + r : side == 2 ? j + r - along : j - r;
        if (y < 0 || y >= h || x < 0 || x >= w || !own[y * w + x]) return false;
        v = map[y * w + x];
        return true;
    }
};

struct Window {
    const float* map;
    int i, j, size, h, w, slots;
    __device__ bool get(int slot, float& v) const {
        const int y = i - size / 2 + slot / size, x = j - size / 2 + slot % size;
        if (y < 0 || y >= h || x < 0 || x >= w) return false;
        v = map[y * w + x];
        return true;
    }
};

struct Varying {  // cells with a value of their own that isn't 0
    const float* map;
    const int* own;
    int slots;
    __device__ bool get(int slot, float& v) const {
        v = map[slot];
        return own[slot] && v > 0;
    }
};

struct All {
    __device__ bool operator()(float) const { return true; }
};

__device__ Cell cell_of(const Image& image, int cell) {
    const Range rows = cell_pixels(cell / image.cells_w, image.cells_h, image.h, image.size);
    const Range columns = cell_pixels(cell % image.cells_w, image.cells_w, image.w, image.size);
    const int width = columns.last - columns.first;
    return {image, rows.first, columns.first, width, (rows.last - rows.first) * width};
}

// ---- The mode of a cell.

// Sum over the block, warps in their order; every thread gets it.
__device__ double total(double v, double (&per_warp)[32]) {
    v = warp_sum(v);
    sync_block();  // an earlier total has been read
    if (lane() == 0) per_warp[threadIdx.x / 32] = v;
    sync_block();  // every warp's sum is there
    double all = 0;
    for (unsigned i = 0; i < blockDim.x / 32; ++i) all += per_warp[i];
    return all;
}

struct Sky {
    float level, rms;
};

// What clipping leaves is everything between two values: those of `kept`, at least one.
__device__ Sky clipped_mode(const Cell& from, Kept kept, Mesh how, Shared& s) {
    for (int round = 0;; ++round) {
        const Middle two = middle_two(from, kept, s.select);
        const double middle = 0.5 * (double(two.low) + double(two.high)), n = kept.count;
        double sum = 0, square = 0;  // about the median: a bright sky doesn't cancel
        float v;
        for (int i = int(threadIdx.x); i < from.slots; i += threads)
            if (from.get(i, v) && order_key(v) >= kept.low && order_key(v) <= kept.high)
                sum += v - middle, square += (v - middle) * (v - middle);
        const double mean = total(sum, s.per_warp) / n, second = total(square, s.per_warp) / n;
        const double variance = second - mean * mean, sigma = sqrt(variance > 0 ? variance : 0.0);
        const double lower = middle - how.clip * sigma, upper = middle + how.clip * sigma;
        Kept left = kept;
        if (round < how.rounds) {
            left = census(
                from,
                [&](float x) {
                    return order_key(x) >= kept.low && order_key(x) <= kept.high && !(x < lower) && !(x > upper);
                },
                s.select);
            if (left.count == 0) {  // clip < 1: one stays, the least that isn't too low
                left = census(
                    from, [&](float x) { return order_key(x) <= kept.high && !(x < lower); }, s.select);
                left.count = 1, left.high = left.low;
            }
        }
        if (left.count == kept.count) {
            const bool crowded = fabs(mean) >= 0.3 * sigma;
            return {float(crowded ? middle : 2.5 * middle - 1.5 * (middle + mean)), float(sigma)};
        }
        kept = left;
    }
}

__global__ void __launch_bounds__(threads) find_modes(Image image, Mesh how, SkyWork work) {
    auto& s = shared_memory<Shared>();
    const Cell from = cell_of(image, int(blockIdx.x));
    const Kept all = census(from, All{}, s.select);
    const Sky sky = all.count ? clipped_mode(from, all, how, s) : Sky{0, 0};
    if (threadIdx.x == 0)
        work.usable[blockIdx.x] = int(all.count), work.level[blockIdx.x] = sky.level, work.rms[blockIdx.x] = sky.rms;
}

// Two blocks at once: asked for nothing, sm_80's compiler aims at eight and spills.
__global__ void __launch_bounds__(threads, 2) find_roughness(Image image, SkyWork work) {
    auto& s = shared_memory<Shared>();
    const Cell cell = cell_of(image, int(blockIdx.x));
    const Roughness from{cell, cell.slots};
    const Kept all = census(from, All{}, s.select);
    const float middle = all.count ? median(from, all, s.select) : 0;
    if (threadIdx.x == 0) work.usable[blockIdx.x] = int(all.count), work.level[blockIdx.x] = 1.4826f / 6 * middle;
}

// ---- Cells without a value of their own.

// Turns numbers of usable pixels into 1 (the cell counts) or 0. A quarter of a cell's pixels must be usable for it to
// count; if no cell has as many, one pixel will do.
__global__ void __launch_bounds__(many) settle(Image image, int* usable) {
    auto& any_counts = shared_memory<unsigned>();
    const int cells = image.cells_h * image.cells_w;
    const auto counts = [&](int cell) {
        return usable[cell] > 0 && std::int64_t{4} * usable[cell] >= cell_of(image, cell).slots;
    };
    if (threadIdx.x == 0) any_counts = 0;
    sync_block();  // it is 0
    for (int cell = int(threadIdx.x); cell < cells; cell += many)
        if (counts(cell)) atomic_max(&any_counts, 1u);
    sync_block();  // all cells have been looked at
    for (int cell = int(threadIdx.x); cell < cells; cell += many)
        usable[cell] = any_counts ? counts(cell) : usable[cell] > 0;
}

// Along its row, how far each cell is from one that counts; h + w if none does.
__global__ void __launch_bounds__(threads) row_distances(const int* own, int h, int w, int* distance) {
    const std::int64_t cell = std::int64_t{blockIdx.x} * threads + threadIdx.x;
    if (cell >= std::int64_t{h} * w) return;
    const int x = int(cell % w);
    const int* const row = own + (cell - x);
    int d = 0;
    while (d < w && !((x >= d && row[x - d]) || (x + d < w && row[x + d]))) ++d;
    distance[cell] = d < w ? d : h + w;
}

// The chessboard distance from (i, j) to the nearest cell that counts, by one warp.
__device__ int nearest(const int* distance, int i, int j, int h, int w) {
    int best = h + w;
    for (int y = lane(); y < h; y += 32) {
        const int down = y > i ? y - i : i - y, along = distance[y * w + j], d = down > along ? down : along;
        best = d < best ? d : best;
    }
    for (int step = 16; step > 0; step /= 2) {
        const int other = shuffle_xor(best, step);
        best = other < best ? other : best;
    }
    return best;
}

// Only cells that count are read and only the others written. Without any, the map is 0.
__global__ void __launch_bounds__(few) fill_cells(SkyWork work, int h, int w) {
    auto& s = shared_memory<SelectShared>();
    const int cell = int(blockIdx.x), i = cell / w, j = cell % w;
    float* const map = blockIdx.y ? work.rms : work.level;
    if (!work.usable[cell]) {
        const int r = nearest(work.distance, i, j, h, w);
        float value = 0;
        if (r < h + w) {
            const Ring ring{map, work.usable, i, j, r, h, w, 8 * r};
            value = median(ring, census(ring, All{}, s), s);
        }
        if (threadIdx.x == 0) map[cell] = value;
    }
}

__global__ void __launch_bounds__(few) median_filter(SkyWork work, int size, int h, int w, float* level, float* rms) {
    auto& s = shared_memory<SelectShared>();
    const int cell = int(blockIdx.x);
    const Window window{blockIdx.y ? work.rms : work.level, cell / w, cell % w, size, h, w, size * size};
    const float value = median(window, census(window, All{}, s), s);
    if (threadIdx.x == 0) (blockIdx.y ? rms : level)[cell] = value;
}

__global__ void __launch_bounds__(many) lower_quartile(SkyWork work, int cells, float* noise) {
    auto& s = shared_memory<SelectShared>();
    auto count_own = [&] {
        unsigned any_own = 0;
        for (int cell = int(threadIdx.x); cell < cells; cell += many) any_own |= unsigned(work.usable[cell]);
        return any_own;
    };
    const Varying from{work.level, work.usable, cells};
    const Kept all = census(from, All{}, s);
    const float value = all.count ? select(from, all, (all.count - 1) / 4, s) : 0;
    sync_block();  // select has been read
    if (threadIdx.x == 0) s.count = 0;
    sync_block();  // it is 0
    if (count_own()) atomic_max(&s.count, 1u);
    sync_block();  // all cells have been looked at
    if (threadIdx.x == 0) *noise = s.count ? value : NAN;
}

Image image_of(View<const float> image, View<const std::uint8_t> mask, int size) {
    const Shape s = image.shape;
    const Image out{image.data, mask.data, s.h, s.w, size, mesh_cells(s.h, size), mesh_cells(s.w, size)};
    require(std::int64_t{out.cells_h} * out.cells_w < 1 << 30, "background: ", out.cells_h, " x ", out.cells_w,
            " cells");
    return out;
}

}  // namespace

void background_mesh(Stream stream, View<const float> image, View<const std::uint8_t> mask, Mesh how, View<float> level,
                     View<float> rms, SkyWork work) {
    const Image from = image_of(image, mask, how.size);
    const int h = from.cells_h, w = from.cells_w;
    const auto cells = unsigned(h * w);
    launch(stream, {{cells}, threads, sizeof(Shared)}, find_modes, from, how, work);
    launch(stream, {{1}, many, sizeof(unsigned)}, settle, from, work.usable);
    launch(stream, {{unsigned(ceil_div(int(cells), threads))}, threads}, row_distances, work.usable, h, w,
           work.distance);
    launch(stream, {{cells, 2}, few, sizeof(SelectShared)}, fill_cells, work, h, w);
    launch(stream, {{cells, 2}, few, sizeof(SelectShared)}, median_filter, work, how.filter, h, w, level.data,
           rms.data);
}

void high_frequency_noise(Stream stream, View<const float> image, View<const std::uint8_t> mask, Mesh how, float* noise,
                          SkyWork work) {
    const Image from = image_of(image, mask, how.size);
    const int cells = from.cells_h * from.cells_w;
    launch(stream, {{unsigned(cells)}, threads, sizeof(Shared)}, find_roughness, from, work);
    launch(stream, {{1}, many, sizeof(unsigned)}, settle, from, work.usable);
    launch(stream, {{1}, many, sizeof(SelectShared)}, lower_quartile, work, cells, noise);
}

}  // namespace star::cuda
