// The sky mesh against its definition and against skies whose level and noise are known.
#include <numbers>

#include "kernels/background.h"
#include "tests/reference/background_bounds.h"

using namespace star;
using namespace star::reference;

namespace {

struct Sky {
    Array<float> level, rms;
};

Sky run(const Array<float>& image, const Array<std::uint8_t>* mask, Mesh how, int threads = 2) {
    Desk desk(threads);
    const Shape s = image.shape(), cells{1, mesh_cells(s.h, how.size), mesh_cells(s.w, how.size), 1};
    Sky sky{Array<float>(cells), Array<float>(cells)};
    background_mesh(desk.stream, image.view(), mask ? mask->view() : View<const std::uint8_t>{}, how, sky.level.view(),
                    sky.rms.view(), desk.arena);
    CHECK((image.intact() && sky.level.intact() && sky.rms.intact()));
    return sky;
}

float noise_of(const Array<float>& image, const Array<std::uint8_t>* mask, Mesh how, int threads = 2) {
    Desk desk(threads);
    float noise = -1;
    high_frequency_noise(desk.stream, image.view(), mask ? mask->view() : View<const std::uint8_t>{}, how, &noise,
                         desk.arena);
    return noise;
}

void check_reference(const Array<float>& image, const Array<std::uint8_t>* mask, Mesh how) {
    const Shape s = image.shape();
    CAPTURE(s.h);
    CAPTURE(s.w);
    const Sky got = run(image, mask, how);
    const auto [level, rms] = sky_bounds(image, mask, how);
    CHECK(all_within(level, got.level));
    CHECK(all_within(rms, got.rms));
}

// The standard deviation of the mode 2.5 median - 1.5 mean of n normal deviates: the median's variance is pi/2 / n, the
// mean's 1/n, their covariance 1/n.
double mode_deviation(double n) { return std::sqrt((6.25 * std::numbers::pi / 2 + 2.25 - 7.5) / n); }

// What clipping leaves of a normal distribution's sigma: the fixed point of s = deviation of the part within clip * s.
double clipped_sigma(double clip) {
    double s = 1;
    for (int i = 0; i < 100; ++i) {
        const double a = clip * s, inside = std::erf(a / std::sqrt(2.0));
        s = std::sqrt(1 - 2 * a * std::exp(-a * a / 2) / std::sqrt(2 * std::numbers::pi) / inside);
    }
    return s;
}

}  // namespace

TEST_CASE("the sky mesh is its definition: sizes, masks, NaN, empty cells") {
    for (const Shape s : {Shape{1, 1, 1, 1}, Shape{1, 3, 17, 1}, Shape{1, 16, 16, 1}, Shape{1, 24, 23, 1},
                          Shape{1, 97, 113, 1}, Shape{1, 5, 200, 1}})
        for (const int filter : {1, 3, 5}) {
            Array<float> image = random_array<float>(s, 5, 3, 100);
            Random r(6, 6);
            for (std::int64_t i = 0; i < image.size(); ++i)
                if (r.below(10) == 0) image[i] += 300 * float(r.uniform());
            check_reference(image, nullptr, {16, filter});
            check_reference(image, nullptr, {16, filter, 2.5f, 1});
            Array<std::uint8_t> mask(s);
            for (std::int64_t i = 0; i < mask.size(); ++i) {
                const std::int64_t y = i / s.w, x = i % s.w;
                mask[i] = std::uint8_t((x > 20 && x < 75 && y > 30) || r.below(7) == 0 ? 1 + r.below(255) : 0);
                if (r.below(20) == 0) image[i] = NAN;
                if (y < 16 && x >= 32 && x < 48 && (x + y) % 5)
                    image[i] = INFINITY;  // a cell with a fifth of its pixels
            }
            check_reference(image, &mask, {16, filter});
            for (std::int64_t i = 0; i < mask.size(); ++i) mask[i] = i % 9 == 0 ? 0 : 1;  // no cell has a quarter
            check_reference(image, &mask, {16, filter});
            for (std::int64_t i = 0; i < mask.size(); ++i)
                mask[i] = i == mask.size() - 1 ? 0 : 1;  // one pixel, or none
            check_reference(image, &mask, {16, filter});
        }
}

TEST_CASE("a flat sky's level and noise are recovered in every cell") {
    const double sigma = 5, n = 64 * 64;
    for (const double sky : {0.0, 1000.0, 60000.0}) {
        const Sky s = run(random_array<float>({1, 384, 448, 1}, 7, sigma, sky), nullptr, {});
        for (std::int64_t i = 0; i < s.level.size(); ++i) {
            CHECK(std::fabs(s.level[i] - sky) < 5 * sigma * mode_deviation(n) + 0x1p-23 * sky);
            CHECK(std::fabs(s.rms[i] / sigma - clipped_sigma(3)) <
                  5 * 1.5 / std::sqrt(2 * n));  // 1.5: of clipping itself
        }
    }
}

TEST_CASE("a sloping sky is followed") {
    const double sigma = 5, sx = 0.02, sy = -0.013;
    Array<float> image = random_array<float>({1, 400, 330, 1}, 8, sigma, 500), smooth(image.shape());
    for (std::int64_t i = 0; i < image.size(); ++i) image[i] += float(sx * double(i % 330) + sy * double(i / 330));
    Mesh how;
    how.filter = 1;  // a median filter shifts slopes at the edges
    const Sky s = run(image, nullptr, how);
    Desk desk;
    mesh_to_image(desk.stream, s.level.view(), how.size, smooth.view());
    const double spread =
        std::sqrt(sigma * sigma + (sx * sx + sy * sy) * 96 * 96 / 12);  // with the slope within a cell
    int wrong = 0;
    for (int y = 32; y < 400 - 48; ++y)  // between the outermost centres
        for (int x = 32; x < 330 - 48; ++x)
            wrong += !(std::fabs(smooth[y * 330 + x] - (500 + sx * x + sy * y)) <
                       5 * spread * mode_deviation(64 * 32) + 1e-3);
    CHECK(wrong == 0);
}

TEST_CASE("stars on thirty percent of the pixels leave the sky") {
    const double sigma = 5, n = 0.7 * 64 * 64;
    Array<float> image = random_array<float>({1, 320, 320, 1}, 9, sigma, 200);
    Random r(10, 1);
    for (std::int64_t i = 0; i < image.size(); ++i)
        if (r.uniform() < 0.3) image[i] += float(sigma * r.uniform(10, 110));  // beyond the clipping in the end
    const Sky s = run(image, nullptr, {});
    for (std::int64_t i = 0; i < s.level.size(); ++i) {
        CHECK(std::fabs(s.level[i] - 200) < 5 * sigma * mode_deviation(n));
        CHECK(std::fabs(s.rms[i] / sigma - clipped_sigma(3)) < 5 * 1.5 / std::sqrt(2 * n));
    }
}

TEST_CASE("an image without usable pixels has level 0 and an unknown noise") {
    const Shape s{1, 100, 70, 1};
    const Array<float> nans(s, std::vector<float>(7000, NAN)), numbers = random_array<float>(s, 1);
    const Array<std::uint8_t> all(s, std::vector<std::uint8_t>(7000, 1));
    for (const Sky& sky : {run(nans, nullptr, {}), run(numbers, &all, {})})
        for (std::int64_t i = 0; i < sky.level.size(); ++i) CHECK((sky.level[i] == 0 && sky.rms[i] == 0));
    CHECK(std::isnan(noise_of(nans, nullptr, {})));
    CHECK(std::isnan(noise_of(numbers, &all, {})));
    CHECK(std::isnan(noise_of(random_array<float>({1, 2, 50, 1}, 1), nullptr, {})));
    CHECK(noise_of(Array<float>(s, std::vector<float>(7000, 3.0f)), nullptr, {}) == 0);
}

TEST_CASE("a mesh becomes an image by bilinear interpolation") {
    for (const Shape s :
         {Shape{1, 1, 1, 1}, Shape{1, 7, 100, 1}, Shape{1, 65, 90, 1}, Shape{1, 128, 79, 1}, Shape{1, 24, 23, 1}})
        for (const int size : {1, 4, 16, 31}) {
            CAPTURE(s.h);
            CAPTURE(size);
            const int h = mesh_cells(s.h, size), w = mesh_cells(s.w, size);
            const Array<float> mesh = random_array<float>({1, h, w, 1}, 11, 10, 100);
            Array<float> out(s);
            Desk desk;
            mesh_to_image(desk.stream, mesh.view(), size, out.view());
            const Bounds expected = interpolated(mesh, size, s);
            CHECK(all_within(expected, out));
        }
}

TEST_CASE("white noise is recovered, on any sky that is flat or sloping") {
    // The relative deviation of 1.4826 median|d| of n independent d is 1.167 / sqrt(n). Neighbouring d are correlated:
    // the variance grows at most by the sum of squared correlations, (1 + 2 (16 + 1) / 36)^2. The lower quartile of
    // m cells lies 0.674 deviations below, give or take 1.36 / sqrt(m).
    const double sigma = 5, deviation = 1.167 * (1 + 34.0 / 36) / 256, m = 16;
    Mesh how;
    how.size = 256;
    Array<float> image = random_array<float>({1, 1024, 1024, 1}, 12, sigma);
    const double flat = noise_of(image, nullptr, how);
    CHECK(flat / sigma < 1 + 5 * 1.36 / std::sqrt(m) * deviation);
    CHECK(flat / sigma > 1 - (0.674 + 5 * 1.36 / std::sqrt(m)) * deviation);
    for (std::int64_t i = 0; i < image.size(); ++i)
        image[i] = float(image[i] + 60000 + 0.5 * double(i % 1024) - 2.0 * double(i / 1024));
    CHECK(std::fabs(noise_of(image, nullptr, how) - flat) <
          1.4826 / 6 * 16 * 0x1p-24 * 65536);  // the image's own rounding, 16: the filter's sum of magnitudes
    for (std::int64_t i = 0; i < image.size() / 2; ++i) image[i] = 0;  // a blank half
    CHECK(std::fabs(noise_of(image, nullptr, how) / sigma - 1) < 5 * deviation);
    Array<std::uint8_t> mask(image.shape());
    for (std::int64_t i = 0; i < mask.size(); ++i) mask[i] = i % 1024 > 700 || i % 97 == 0;
    for (std::int64_t i = 0; i < image.size(); ++i)
        if (mask[i]) image[i] = i % 2 ? NAN : 1e30f;
    CHECK(std::fabs(noise_of(image, &mask, how) / sigma - 1) < 5 * 1.5 * deviation);  // fewer pixels
}

TEST_CASE("sky and noise: any thread count gives the same bits; rehearsal; errors") {
    const Array<float> image = random_array<float>({1, 333, 222, 1}, 13, 3, 50);
    Array<std::uint8_t> mask(image.shape()), small_mask({1, 10, 10, 1});
    for (std::int64_t i = 0; i < mask.size(); ++i) mask[i] = i % 222 < 100;
    const Sky one = run(image, &mask, {32, 3}, 1), four = run(image, &mask, {32, 3}, 4);
    CHECK(one.level == four.level);
    CHECK(one.rms == four.rms);
    CHECK(noise_of(image, &mask, {32, 3}, 1) == noise_of(image, &mask, {32, 3}, 4));
    Sky sky = one;
    float noise = 0;
    CHECK(rehearses([&](Stream stream, Arena& arena) {
        background_mesh(stream, image.view(), mask.view(), {32, 3}, sky.level.view(), sky.rms.view(), arena);
        high_frequency_noise(stream, image.view(), mask.view(), {32, 3}, &noise, arena);
    }));
    Desk desk;
    Array<float> out({1, 100, 100, 1});
    CHECK_THROWS_AS(run(image, &small_mask, {}), Error);
    for (const Mesh& wrong : {Mesh{0}, Mesh{64, 2}, Mesh{64, 0}, Mesh{64, 3, 0}, Mesh{64, 3, NAN}, Mesh{64, 3, 3, -1}})
        CHECK_THROWS_AS(high_frequency_noise(desk.stream, image.view(), {}, wrong, &noise, desk.arena), Error);
    CHECK_THROWS_AS(background_mesh(desk.stream, image.view(), {}, {}, sky.level.view(), sky.rms.view(), desk.arena),
                    Error);
    CHECK_THROWS_AS(mesh_to_image(desk.stream, sky.level.view(), 32, out.view()), Error);
}
