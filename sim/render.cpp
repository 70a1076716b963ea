// The image is cut into tiles, stars are sorted into them; a tile is rendered by one thread, its stars in their order.
#include "sim/render.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "sim/render_simd.h"
#include "sim/stamp_tiles.h"

namespace star {

const RenderKernels& render_kernels(Isa isa) {
    return of_isa(isa, baseline::render_kernels, avx2::render_kernels, avx512::render_kernels);
}

namespace {

// Of a tile: small enough for the second-level cache, large enough that few stars lie in several.
constexpr int tile_rows = 128, tile_columns = 128;

struct Rectangle {
    int left, top, right, bottom;  // right and bottom exclusive
    bool empty() const { return left >= right || top >= bottom; }
};

Rectangle common(const Rectangle& a, const Rectangle& b) {
    return {std::max(a.left, b.left), std::max(a.top, b.top), std::min(a.right, b.right), std::min(a.bottom, b.bottom)};
}

// A star of a tile; the rectangle is where its stamp meets the tile, as seen from the star's own pixel.
struct Placed {
    StampTaps taps;
    Rectangle part;
    int column, row;  // of the star's own pixel, from the tile's first
    bool small;
};

// Stamps of at most this radius are drawn in one go: their part of the table fits the first-level cache.
constexpr int small_reach = 4;

Placed placed(const CutStamp& s, const Psf& psf, const Stamps& how, const Rectangle& tile) {
    const Psf::Phase x = psf.phase_x(s.x - (double(s.column) + how.column) - 0.5);
    const Psf::Phase y = psf.phase_y(s.y - (double(s.row) + how.row) - 0.5);
    Placed p{};
    for (int i = 0; i < 4; ++i) {
        p.taps.at_y[i] = y.at[i], p.taps.y[i] = y.weight[i] * s.flux;
        p.taps.at_x[i] = x.at[i], p.taps.x[i] = x.weight[i];
    }
    p.part = common({s.left, s.top, s.right, s.bottom}, tile);
    p.part = {p.part.left - s.column, p.part.top - s.row, p.part.right - s.column, p.part.bottom - s.row};
    p.column = s.column - tile.left, p.row = s.row - tile.top;
    p.small = s.reach <= small_reach;
    return p;
}

// Draws the stars of a tile.
class Drawing {
public:
    Drawing(const Psf& psf, const RenderKernels& kernels, float* light) : psf_(psf), kernels_(kernels), light_(light) {}

    // The table's part that a large stamp reads is larger than the first-level cache. So all stars draw a block of
    // their stamps, then the next block: a pixel sums its stars block by block, in their order, which is a function of
    // where they lie from it. Small stamps come first, whole.
    void draw(const std::vector<Placed>& stars) const {
        Rectangle all{0, 0, 0, 0};
        for (const Placed& s : stars) {
            if (s.small) add(s, s.part);
            all = {std::min(all.left, s.part.left), std::min(all.top, s.part.top), std::max(all.right, s.part.right),
                   std::max(all.bottom, s.part.bottom)};
        }
        for (int top = first(all.top, block_rows); top < all.bottom; top += block_rows)
            for (int left = first(all.left, block_columns); left < all.right; left += block_columns) {
                const Rectangle block{left, top, left + block_columns, top + block_rows};
                for (const Placed& s : stars)
                    if (!s.small) add(s, common(s.part, block));
            }
    }

private:
    static constexpr int block_rows = 6, block_columns = 32;
    // The block that holds `at`; one is centred on the star.
    static int first(int at, int size) {
        const int from = at + size / 2;
        return (from >= 0 ? from / size : -ceil_div(-from, size)) * size - size / 2;
    }

    void add(const Placed& s, const Rectangle& r) const {
        if (r.empty()) return;
        StampPart part{};
        part.taps = &s.taps;
        part.out = light_ + (s.row + r.top) * tile_columns + s.column + r.left, part.out_stride = tile_columns;
        part.table = psf_.coefficients() + r.top * psf_.stride() + r.left, part.table_stride = psf_.stride();
        part.rows = r.bottom - r.top, part.columns = r.right - r.left;
        kernels_.add(part);
    }

    const Psf& psf_;
    const RenderKernels& kernels_;
    float* light_;
};

// Adds a tile's light to the image; its sum.
double pour(const std::vector<float>& light, const Rectangle& tile, View<float> image) {
    double sum = 0;
    for (int row = tile.top; row < tile.bottom; ++row) {
        const float* from = light.data() + std::size_t(row - tile.top) * tile_columns;
        float* to = image.data + std::int64_t{row} * image.shape.w + tile.left;
        for (int n = 0; n < tile.right - tile.left; ++n) sum += from[n], to[n] += from[n];
    }
    return sum;
}

}  // namespace

double render(ThreadPool& pool, std::span<const PointSource> sources, const Psf& psf, View<float> image,
              const Stamps& how) {
    const int height = image.shape.h, width = image.shape.w;
    require(image.shape == Shape{1, height, width, 1} && how.cut >= 0 && how.density >= 0 && how.size >= 0,
            "render: an image of ", image.shape.n, "x", height, "x", width, "x", image.shape.c, ", cut ", how.cut,
            ", density ", how.density, ", stamps of ", how.size);
    const StampsByTile tiles(sources, psf, how, image.shape, tile_rows, tile_columns);
    const RenderKernels& kernels = render_kernels(pool.isa());

    std::vector<double> landed(std::size_t(tiles.tiles()), 0.0);
    struct Scratch {
        std::vector<float> light;
        std::vector<Placed> stars;
    };
    std::vector<Scratch> scratch(std::size_t(pool.threads()));
    pool.for_each(tiles.tiles(), [&](std::int64_t i, int worker) {
        const int top = int(i / tiles.across()) * tile_rows, left = int(i % tiles.across()) * tile_columns;
        const Rectangle tile{left, top, std::min(left + tile_columns, width), std::min(top + tile_rows, height)};
        // Starlight is summed on its own: what lands doesn't depend on what the image holds already.
        auto& [light, stars] = scratch[std::size_t(worker)];
        light.assign(std::size_t(tile_rows) * tile_columns, 0.0f);
        stars.clear();
        for (int k = tiles.first()[std::size_t(i)]; k < tiles.first()[std::size_t(i) + 1]; ++k)
            stars.push_back(placed(tiles.stamps()[std::size_t(tiles.list()[std::size_t(k)])], psf, how, tile));
        Drawing(psf, kernels, light.data()).draw(stars);
        landed[std::size_t(i)] = pour(light, tile, image);
    });
    double sum = 0;
    for (double v : landed) sum += v;
    return sum;
}

double render(ThreadPool& pool, std::span<const PointSource> sources, const Psf& psf, View<float> image, double cut) {
    const double density = std::max(1.0, double(sources.size())) / std::max(1.0, double(image.size()));
    return render(pool, sources, psf, image, Stamps{cut, density});
}

}  // namespace star
