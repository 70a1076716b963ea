// Rows are cut into bands, stars sorted into them; a band is rendered by one thread, its stars in their order.
#include "sim/render.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace star {
namespace {

// Rows per band: small enough to keep a band in cache and all threads busy, large enough that few stars lie in several.
constexpr int band_rows = 32;

struct Stamp {
    int column, row, radius;  // the pixel that holds the star
    Psf::Phase x, y;          // the flux is in y's weights
};

// out[n] += sum over i, j of y.weight[i] x.weight[j] table[y.at[i] + x.at[j] + offset + n]: four streams at a time,
// read in step, so that it vectorises.
void add_row(float* __restrict out, int count, const float* table, int offset, const Psf::Phase& y,
             const Psf::Phase& x) {
    for (int i = 0; i < 4; ++i) {
        const int row = y.at[i] + offset;
        const float *a = table + (row + x.at[0]), *b = table + (row + x.at[1]), *c = table + (row + x.at[2]),
                    *d = table + (row + x.at[3]);
        const float wa = y.weight[i] * x.weight[0], wb = y.weight[i] * x.weight[1], wc = y.weight[i] * x.weight[2],
                    wd = y.weight[i] * x.weight[3];
        for (int n = 0; n < count; ++n) out[n] += (wa * a[n] + wb * b[n]) + (wc * c[n] + wd * d[n]);
    }
}

}  // namespace

double render(ThreadPool& pool, std::span<const PointSource> sources, const Psf& psf, View<float> image, double cut) {
    const int height = image.shape.h, width = image.shape.w;
    require(image.shape == Shape{1, height, width, 1} && cut >= 0, "render: an image of ", image.shape.n, "x", height,
            "x", width, "x", image.shape.c, ", cut ", cut);
    std::vector<Stamp> stamps;
    stamps.reserve(sources.size());
    const double density = std::max(1.0, double(sources.size())) / double(image.size());
    const int bands = ceil_div(height, band_rows);
    std::vector<std::size_t> first(std::size_t(bands) + 1);  // where each band's list begins, once summed
    for (const PointSource& s : sources) {
        require(std::isfinite(s.x) && std::isfinite(s.y) && std::isfinite(s.flux), "render: a source at ", s.x, ", ",
                s.y, " of flux ", s.flux);
        const double column = std::floor(s.x), row = std::floor(s.y);
        const double share = cut / std::max(std::fabs(s.flux), 1e-300);
        const int radius = psf.stamp_radius(share, share / density);
        if (column + radius < 0 || row + radius < 0 || column - radius >= width || row - radius >= height) continue;
        Stamp stamp{int(column), int(row), radius, psf.phase_x(s.x - column - 0.5), psf.phase_y(s.y - row - 0.5)};
        for (float& w : stamp.y.weight) w *= float(s.flux);
        stamps.push_back(stamp);
        for (int b = std::max(0, stamp.row - radius) / band_rows;
             b <= std::min(height - 1, stamp.row + radius) / band_rows; ++b)
            ++first[std::size_t(b) + 1];
    }
    for (int b = 0; b < bands; ++b) first[std::size_t(b) + 1] += first[std::size_t(b)];
    std::vector<std::uint32_t> list(first.back());
    std::vector<std::size_t> next(first.begin(), first.end() - 1);
    for (std::size_t i = 0; i < stamps.size(); ++i) {
        const Stamp& s = stamps[i];
        for (int b = std::max(0, s.row - s.radius) / band_rows; b <= std::min(height - 1, s.row + s.radius) / band_rows;
             ++b)
            list[next[std::size_t(b)]++] = std::uint32_t(i);
    }

    std::vector<double> landed(std::size_t(bands), 0.0);
    std::vector<std::vector<float>> scratch(std::size_t(pool.threads()));
    pool.for_each(bands, [&](std::int64_t band, int worker) {
        // Starlight is summed on its own: what lands doesn't depend on what the image holds already.
        const int top = int(band) * band_rows, rows = std::min(band_rows, height - top);
        auto& light = scratch[std::size_t(worker)];
        light.assign(std::size_t(rows) * width, 0.0f);
        for (std::size_t k = first[std::size_t(band)]; k < first[std::size_t(band) + 1]; ++k) {
            const Stamp& s = stamps[list[k]];
            const int left = std::max(0, s.column - s.radius), right = std::min(width, s.column + s.radius + 1);
            const int low = std::max(top, s.row - s.radius), high = std::min(top + rows, s.row + s.radius + 1);
            for (int row = low; row < high; ++row)
                add_row(light.data() + std::size_t(row - top) * width + left, right - left, psf.coefficients(),
                        (row - s.row) * psf.stride() + (left - s.column), s.y, s.x);
        }
        double sum = 0;
        float* out = image.data + std::int64_t{top} * width;
        for (std::size_t i = 0; i < light.size(); ++i) sum += light[i], out[i] += light[i];
        landed[std::size_t(band)] = sum;
    });
    double sum = 0;
    for (double v : landed) sum += v;
    return sum;
}

}  // namespace star
