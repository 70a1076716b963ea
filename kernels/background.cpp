// The sky mesh and the noise on the CPU: one cell at a time, every cell on its own.
#include "kernels/background.h"

#include <algorithm>
#include <cmath>

#include "kernels/dispatch.h"

namespace star {
namespace {

struct Range {
    int first, last;  // half open
    int size() const { return last - first; }
};

Range cell_pixels(int cell, int cells, int extent, int size) {
    return {cell * size, cell + 1 == cells ? extent : (cell + 1) * size};
}

int longest_cell(int extent, int size) { return std::min(extent, size + (size + 1) / 2); }

struct Pixels {  // what of an image is usable
    View<const float> image;
    View<const std::uint8_t> mask;
    bool usable(std::int64_t i) const { return std::isfinite(image.data[i]) && !(mask.data && mask.data[i]); }
};

// The middle one, or the mean of the middle two. Reorders the values.
float median(float* v, int count) {
    float* const middle = v + count / 2;
    std::nth_element(v, middle, v + count);
    return count % 2 ? *middle : 0.5f * (*std::max_element(v, middle) + *middle);
}

struct Sky {
    float level, rms;
};

// Clipping on sorted values only moves the two ends.
Sky clipped_mode(float* v, int count, Mesh how) {
    std::sort(v, v + count);
    int low = 0, high = count;
    double middle = 0, mean = 0, sigma = 0;
    for (int round = 0; round <= how.rounds; ++round) {
        middle = 0.5 * (double(v[(low + high - 1) / 2]) + double(v[(low + high) / 2]));
        double sum = 0, square = 0;  // about the median: a bright sky doesn't cancel
        for (int i = low; i < high; ++i) {
            const double d = v[i] - middle;
            sum += d, square += d * d;
        }
        const double n = high - low;
        mean = middle + sum / n;
        sigma = std::sqrt(std::max(0.0, square / n - sum / n * (sum / n)));
        const int before = high - low;
        if (round < how.rounds) {
            while (low + 1 < high && v[low] < middle - how.clip * sigma) ++low;
            while (low + 1 < high && v[high - 1] > middle + how.clip * sigma) --high;
        }
        if (high - low == before) break;
    }
    const bool crowded = std::fabs(mean - middle) >= 0.3 * sigma;
    return {float(crowded ? middle : 2.5 * middle - 1.5 * mean), float(sigma)};
}

// Chessboard distances by two sweeps (Rosenfeld & Pfaltz 1968).
void spread_distances(int* d, int h, int w) {
    const auto lower = [&](int i, int j, int y, int x) {
        if (y >= 0 && y < h && x >= 0 && x < w) d[i * w + j] = std::min(d[i * w + j], d[y * w + x] + 1);
    };
    for (int i = 0; i < h; ++i)
        for (int j = 0; j < w; ++j)
            lower(i, j, i - 1, j - 1), lower(i, j, i - 1, j), lower(i, j, i - 1, j + 1), lower(i, j, i, j - 1);
    for (int i = h - 1; i >= 0; --i)
        for (int j = w - 1; j >= 0; --j)
            lower(i, j, i + 1, j + 1), lower(i, j, i + 1, j), lower(i, j, i + 1, j - 1), lower(i, j, i, j + 1);
}

// Calls visit(cell) for the cells at chessboard distance r, rows first.
template <class Visit>
void visit_ring(int i, int j, int r, int h, int w, Visit visit) {
    for (int y = std::max(i - r, 0); y <= std::min(i + r, h - 1); ++y) {
        const bool whole = y == i - r || y == i + r;
        if (whole) {
            for (int x = std::max(j - r, 0); x <= std::min(j + r, w - 1); ++x) visit(y * w + x);
        } else {
            if (j - r >= 0) visit(y * w + j - r);
            if (j + r < w) visit(y * w + j + r);
        }
    }
}

// Cells without a value of their own take the median of the nearest ring that has any. Only cells at distance 0 are
// read and only the others written, so the order doesn't matter.
void fill_cells(Stream stream, int h, int w, const SkyWork& work) {
    stream.pool->for_range(std::int64_t{h} * w, 64, [&](std::int64_t first, std::int64_t last, int worker) {
        float* const ring = work.ring + worker * work.ring_room;
        for (int at = int(first); at < last; ++at) {
            if (work.distance[at] == 0) continue;
            for (float* map : {work.level, work.rms}) {
                int count = 0;
                visit_ring(at / w, at % w, work.distance[at], h, w, [&](int cell) {
                    if (work.distance[cell] == 0) ring[count++] = map[cell];
                });
                map[at] = median(ring, count);
            }
        }
    });
}

void median_filter(Stream stream, const float* from, int h, int w, int size, float* to, const SkyWork& work) {
    stream.pool->for_range(std::int64_t{h} * w, 256, [&](std::int64_t first, std::int64_t last, int worker) {
        float* const window = work.ring + worker * work.ring_room;
        for (int at = int(first); at < last; ++at) {
            const int i = at / w, j = at % w, r = size / 2;
            int count = 0;
            for (int y = std::max(i - r, 0); y <= std::min(i + r, h - 1); ++y)
                for (int x = std::max(j - r, 0); x <= std::min(j + r, w - 1); ++x) window[count++] = from[y * w + x];
            to[at] = median(window, count);
        }
    });
}

// A quarter of a cell's pixels must be usable for it to count; if no cell has as many, one pixel will do.
bool settle_distances(Shape image, Mesh how, int h, int w, const SkyWork& work) {
    const auto area = [&](int cell) {
        return std::int64_t{cell_pixels(cell / w, h, image.h, how.size).size()} *
               cell_pixels(cell % w, w, image.w, how.size).size();
    };
    const int far = h + w;
    bool any = false;
    for (int cell = 0; cell < h * w; ++cell) {
        const bool counts = work.usable[cell] > 0 && std::int64_t{4} * work.usable[cell] >= area(cell);
        work.distance[cell] = counts ? 0 : far;
        any |= counts;
    }
    for (int cell = 0; cell < h * w && !any; ++cell) work.distance[cell] = work.usable[cell] > 0 ? 0 : far;
    for (int cell = 0; cell < h * w && !any; ++cell)
        if (work.distance[cell] == 0) any = true;
    if (any) spread_distances(work.distance, h, w);
    return any;
}

// |second difference both ways| at (y, x), or a negative number if one of its nine pixels isn't usable.
float roughness(const Pixels& p, int y, int x) {
    const Shape s = p.image.shape;
    if (y < 1 || x < 1 || y + 1 >= s.h || x + 1 >= s.w) return -1;
    float row[3];
    for (int k = 0; k < 3; ++k) {
        const std::int64_t at = std::int64_t{y - 1 + k} * s.w + x;
        if (!p.usable(at - 1) || !p.usable(at) || !p.usable(at + 1)) return -1;
        const float* const v = p.image.data + at;
        row[k] =
            (v[-1] - v[0]) - (v[0] - v[1]);  // differences of neighbours first: the sky's level rounds nothing away
    }
    return std::fabs((row[0] - row[1]) - (row[1] - row[2]));
}

}  // namespace

namespace cpu {

void background_mesh(Stream stream, View<const float> image, View<const std::uint8_t> mask, Mesh how, View<float> level,
                     View<float> rms, SkyWork work) {
    const int h = level.shape.h, w = level.shape.w;
    const Pixels pixels{image, mask};
    stream.pool->for_each(std::int64_t{h} * w, [&](std::int64_t cell, int worker) {
        const Range rows = cell_pixels(int(cell) / w, h, image.shape.h, how.size);
        const Range columns = cell_pixels(int(cell) % w, w, image.shape.w, how.size);
        float* const values = work.pixels + worker * work.pixels_room;
        int count = 0;
        for (int y = rows.first; y < rows.last; ++y)
            for (int x = columns.first; x < columns.last; ++x)
                if (const std::int64_t at = std::int64_t{y} * image.shape.w + x; pixels.usable(at))
                    values[count++] = image.data[at];
        const Sky sky = count ? clipped_mode(values, count, how) : Sky{0, 0};
        work.usable[cell] = count, work.level[cell] = sky.level, work.rms[cell] = sky.rms;
    });
    if (!settle_distances(image.shape, how, h, w, work)) {
        std::fill_n(level.data, level.size(), 0.0f);
        std::fill_n(rms.data, rms.size(), 0.0f);
        return;
    }
    fill_cells(stream, h, w, work);
    median_filter(stream, work.level, h, w, how.filter, level.data, work);
    median_filter(stream, work.rms, h, w, how.filter, rms.data, work);
}

void mesh_to_image(Stream stream, View<const float> mesh, int size, View<float> out) {
    const int h = mesh.shape.h, w = mesh.shape.w, height = out.shape.h, width = out.shape.w;
    const auto centre = [&](int cell, int cells, int extent) {
        const Range r = cell_pixels(cell, cells, extent, size);
        return 0.5f * float(r.first + r.last);
    };
    stream.pool->for_range(height, 16, [&](std::int64_t first, std::int64_t last, int) {
        for (int y = int(first); y < last; ++y) {
            int i = std::min(y / size, h - 1);
            const float at_y = float(y) + 0.5f;
            if (i > 0 && at_y < centre(i, h, height)) --i;
            const int below = std::min(i + 1, h - 1);
            const float y0 = centre(i, h, height), y1 = centre(below, h, height);
            const float fy = y1 > y0 ? std::clamp((at_y - y0) / (y1 - y0), 0.0f, 1.0f) : 0.0f;
            const auto column = [&](int j) {
                const float a = mesh.data[i * w + j], b = mesh.data[below * w + j];
                return a + fy * (b - a);
            };
            float* const to = out.data + std::int64_t{y} * width;
            int x = 0;
            for (int j = 0; j < w; ++j) {  // from the centre of column j (or the left edge) to that of the next
                const int next = std::min(j + 1, w - 1);
                const float x0 = centre(j, w, width), x1 = centre(next, w, width), a = column(j), b = column(next);
                const float slope = x1 > x0 ? (b - a) / (x1 - x0) : 0.0f;
                const int end = next > j ? int(std::ceil(x1 - 0.5f)) : width;
                for (; x < end; ++x) to[x] = a + slope * std::max(float(x) + 0.5f - x0, 0.0f);
            }
        }
    });
}

void high_frequency_noise(Stream stream, View<const float> image, View<const std::uint8_t> mask, Mesh how, float* noise,
                          SkyWork work) {
    const int h = mesh_cells(image.shape.h, how.size), w = mesh_cells(image.shape.w, how.size);
    const Pixels pixels{image, mask};
    stream.pool->for_each(std::int64_t{h} * w, [&](std::int64_t cell, int worker) {
        const Range rows = cell_pixels(int(cell) / w, h, image.shape.h, how.size);
        const Range columns = cell_pixels(int(cell) % w, w, image.shape.w, how.size);
        float* const values = work.pixels + worker * work.pixels_room;
        int count = 0;
        for (int y = rows.first; y < rows.last; ++y)
            for (int x = columns.first; x < columns.last; ++x)
                if (const float d = roughness(pixels, y, x); d >= 0) values[count++] = d;
        work.usable[cell] = count;
        work.level[cell] = count ? 1.4826f / 6 * median(values, count) : 0;
    });
    if (!settle_distances(image.shape, how, h, w, work)) {
        *noise = NAN;
        return;
    }
    int count = 0;
    for (int cell = 0; cell < h * w; ++cell)
        if (work.distance[cell] == 0 && work.level[cell] > 0) work.level[count++] = work.level[cell];
    float* const quartile = work.level + (count - 1) / 4;
    if (count) std::nth_element(work.level, quartile, work.level + count);
    *noise = count ? *quartile : 0;
}

}  // namespace cpu

namespace {

void check(const char* what, View<const float> image, View<const std::uint8_t> mask, Mesh how) {
    const Shape s = image.shape;
    require(s == Shape{1, s.h, s.w, 1} && s.h >= 1 && s.w >= 1 && (!mask.data || mask.shape == s), what,
            ": shapes disagree");
    require(how.size >= 1 && how.size <= 4096 && how.filter >= 1 && how.filter % 2 == 1 && how.filter <= 99 &&
                how.clip > 0 && how.rounds >= 0,
            what, ": cells of ", how.size, ", filter ", how.filter, ", clip ", how.clip, ", rounds ", how.rounds);
}

SkyWork take_work(Stream stream, Shape image, Mesh how, Arena& scratch) {
    const int h = mesh_cells(image.h, how.size), w = mesh_cells(image.w, how.size);
    const int workers = measure<[](Stream s) { return s.pool->threads(); }, [](Stream) { return 0; }>(stream);
    const std::int64_t cells = std::int64_t{h} * w;
    SkyWork work{};
    work.pixels_room = std::int64_t{longest_cell(image.h, how.size)} * longest_cell(image.w, how.size);
    work.ring_room = std::max<std::int64_t>(2 * (std::int64_t{h} + w), std::int64_t{how.filter} * how.filter);
    work.pixels = scratch.take<float>(workers * work.pixels_room).data;
    work.ring = scratch.take<float>(workers * work.ring_room).data;
    work.level = scratch.take<float>(cells).data;
    work.rms = scratch.take<float>(cells).data;
    work.usable = scratch.take<int>(cells).data;
    work.distance = scratch.take<int>(cells).data;
    return work;
}

}  // namespace

void background_mesh(Stream stream, View<const float> image, View<const std::uint8_t> mask, Mesh how, View<float> level,
                     View<float> rms, Arena& scratch) {
    check("background_mesh", image, mask, how);
    const Shape cells{1, mesh_cells(image.shape.h, how.size), mesh_cells(image.shape.w, how.size), 1};
    require(level.shape == cells && rms.shape == cells, "background_mesh: shapes disagree");
    const Arena::Scope scope(scratch);
    on<cpu::background_mesh, cuda::background_mesh>(stream, image, mask, how, level, rms,
                                                    take_work(stream, image.shape, how, scratch));
}

void mesh_to_image(Stream stream, View<const float> mesh, int size, View<float> out) {
    const Shape s = out.shape;
    require(size >= 1 && s == Shape{1, s.h, s.w, 1} && s.h >= 1 && s.w >= 1 &&
                mesh.shape == Shape{1, mesh_cells(s.h, size), mesh_cells(s.w, size), 1},
            "mesh_to_image: shapes disagree");
    on<cpu::mesh_to_image, cuda::mesh_to_image>(stream, mesh, size, out);
}

void high_frequency_noise(Stream stream, View<const float> image, View<const std::uint8_t> mask, Mesh how, float* noise,
                          Arena& scratch) {
    check("high_frequency_noise", image, mask, how);
    const Arena::Scope scope(scratch);
    on<cpu::high_frequency_noise, cuda::high_frequency_noise>(stream, image, mask, how, noise,
                                                              take_work(stream, image.shape, how, scratch));
}

}  // namespace star
