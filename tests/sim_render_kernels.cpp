// The rendering kernel of each instruction set against its definition, and stamps: their size, their cut, their tiles.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>
#include <vector>

#include "kernels/random.h"
#include "sim/render.h"
#include "sim/render_simd.h"

using namespace star;

namespace {

std::vector<Isa> offered() {
    std::vector<Isa> all;
    for (Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512})
        if (isa <= best_isa()) all.push_back(isa);
    return all;
}

std::vector<float> drawn(Isa isa, std::span<const PointSource> stars, const Psf& psf, Shape shape, const Stamps& how) {
    ThreadPool pool(2, isa);
    std::vector<float> image(std::size_t(shape.size()));
    render(pool, stars, psf, {image.data(), shape}, how);
    return image;
}

}  // namespace

TEST_CASE("the rendering kernel is its sum, for any size, and touches nothing else") {
    constexpr int stride = 64, table_stride = 71;
    Random random(5, 5);
    std::vector<float> table(16 * 20 * table_stride);
    for (float& v : table) v = float(random.uniform(-1, 1));
    StampTaps taps{};
    for (int i = 0; i < 4; ++i) {
        taps.at_y[i] = i * 5 * table_stride + 3, taps.at_x[i] = 7 * (3 - i);
        taps.y[i] = float(random.uniform(-2, 2)), taps.x[i] = float(random.uniform(-2, 2));
    }
    for (Isa isa : offered())
        for (int rows : {1, 2, 7})
            for (int columns = 1; columns <= 40; ++columns) {
                std::vector<float> image(12 * stride);
                for (float& v : image) v = float(random.uniform(-1, 1));
                const std::vector<float> before = image;
                const int at = 2 * stride + 9;
                render_kernels(isa).add({&taps, image.data() + at, table.data(), stride, table_stride, rows, columns});
                bool right = true;
                for (int p = 0; p < int(image.size()); ++p) {
                    const int r = (p - at) / stride, n = (p - at) % stride;
                    if (p < at || r >= rows || n >= columns) {
                        right = right && image[p] == before[p];
                        continue;
                    }
                    double sum = before[p], size = std::fabs(sum);
                    for (int i = 0; i < 4; ++i)
                        for (int j = 0; j < 4; ++j) {
                            const double term = double(taps.y[i]) * taps.x[j] *
                                                table[taps.at_y[i] + taps.at_x[j] + r * table_stride + n];
                            sum += term, size += std::fabs(term);
                        }
                    // 16 additions, and two roundings in each term's product of three.
                    right = right && std::fabs(image[p] - sum) <= 18.1 * 0x1p-24 * size;
                }
                CAPTURE(isa_name(isa));
                CAPTURE(columns);
                CHECK(right);
            }
}

TEST_CASE("tiles of a list of stars have the bits of the whole image") {
    const Psf psf = Psf::moffat(1.8, 3);
    Random random(3, 1);
    std::vector<PointSource> stars;
    for (int i = 0; i < 1500; ++i) {
        const double x = random.uniform(-60, 360), y = random.uniform(-60, 260);
        stars.push_back({x, y, std::pow(10, random.uniform(1, 5))});
    }
    const int w = 300, h = 200;
    for (Isa isa : offered())
        for (const Stamps& how : {Stamps{0.05, 0.02}, Stamps{0, 0, 100}, Stamps{0, 0, 31}}) {
            const auto whole = drawn(isa, stars, psf, {1, h, w, 1}, how);
            for (const auto& [column, row, columns, rows] :
                 {std::array{0, 0, 131, 77}, std::array{17, 41, 200, 100}, std::array{299, 199, 1, 1}}) {
                Stamps tile = how;
                tile.column = column, tile.row = row;
                const auto part = drawn(isa, stars, psf, {1, rows, columns, 1}, tile);
                int different = 0;
                for (int y = 0; y < rows; ++y)
                    for (int x = 0; x < columns; ++x)
                        different += part[y * columns + x] != whole[(y + row) * w + x + column];
                CHECK(different == 0);
            }
        }
}

TEST_CASE("a stamp of a given size holds the nearest pixels, as many as asked for") {
    const Psf psf = Psf::moffat(2.5, 2, {4, 60});
    for (int size : {1, 2, 31, 100})
        for (const auto& [x, y] : {std::pair{80.0, 90.5}, std::pair{80.3, 90.7}, std::pair{80.999, 90.001}}) {
            const PointSource star{x, y, 1e6};
            const Shape shape{1, 180, 160, 1};
            const auto stamp = drawn(best_isa(), {&star, 1}, psf, shape, {0, 0, size});
            const auto all = drawn(best_isa(), {&star, 1}, psf, shape, {});
            int lit = 0, wrong = 0;
            for (int i = 0; i < shape.h; ++i)
                for (int j = 0; j < shape.w; ++j) {
                    const float v = stamp[i * shape.w + j];
                    lit += v != 0;
                    if (v != 0)
                        wrong += v != all[i * shape.w + j] || std::fabs(j + 0.5 - x) > 0.5 * size ||
                                 std::fabs(i + 0.5 - y) > 0.5 * size;
                }
            CHECK(lit == size * size);
            CHECK(wrong == 0);
        }
}

TEST_CASE("a stamp sized by the flux loses less than the cut in each pixel, and cut / density in all") {
    const Psf psf = Psf::moffat(1.7, 2.5);
    const Shape shape{1, 161, 161, 1};
    Random random(9, 9);
    for (double flux : {50.0, 5e3, 5e5})
        for (double density : {0.0, 0.03})
            for (int i = 0; i < 5; ++i) {
                const PointSource star{80 + random.uniform(), 80 + random.uniform(), flux};
                const double cut = 0.1;
                const auto all = drawn(best_isa(), {&star, 1}, psf, shape, {});
                const auto less = drawn(best_isa(), {&star, 1}, psf, shape, {cut, density});
                double worst = 0, lost = 0;
                for (std::size_t p = 0; p < all.size(); ++p)
                    worst = std::max(worst, double(all[p] - less[p])), lost += all[p] - less[p];
                // Pixels of both are rounded 17 times; the wings' spline may pass its nodes by a hundredth.
                CHECK(worst < 1.01 * cut + 18 * 0x1p-24 * flux);
                if (density > 0) CHECK(lost < 1.01 * cut / density + 1e-6 * flux);
            }
}

TEST_CASE("what lands, what falls outside and what the table lacks is what was sent") {
    const Psf psf = Psf::moffat(2.0, 2.5, {4, 30});
    Random random(4, 4);
    ThreadPool pool(2);
    const int w = 90, h = 70;
    for (int i = 0; i < 40; ++i) {
        const PointSource star{random.uniform(-20, w + 20), random.uniform(-20, h + 20), 1000};
        std::vector<float> image(w * h);
        const double landed = render(pool, {&star, 1}, psf, {image.data(), {1, h, w, 1}});
        double outside = 0;
        const int x0 = int(std::floor(star.x)), y0 = int(std::floor(star.y)), reach = psf.reach();
        for (int y = y0 - reach; y <= y0 + reach; ++y)
            for (int x = x0 - reach; x <= x0 + reach; ++x)
                if (x < 0 || x >= w || y < 0 || y >= h) outside += psf.at(x + 0.5 - star.x, y + 0.5 - star.y);
        // Rounding: 18 * 2^-24 of what each pixel holds. At the table's edge a row and a column of pixels may lie in it
        // or not: 61 pixels each, of at most the light at the middle of an edge.
        const double edge = 2 * 61 * psf.at(30, 0);
        CHECK(std::fabs(landed + star.flux * (outside + 1 - psf.energy()) - star.flux) <
              star.flux * (18 * 0x1p-24 + edge));
    }
}
