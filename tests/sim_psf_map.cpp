// Light through a PSF that changes over the field: each star has the PSF of its place.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "sim/field.h"
#include "sim/fisher_stamp.h"

using namespace star;

namespace {

std::shared_ptr<const PsfField> widening() {
    return std::make_shared<PsfField>(std::vector<double>{0, 100}, std::vector<double>{0, 100}, [](int ix, int iy) {
        return Psf::moffat(1.6 + 0.8 * ix + 0.4 * iy, 3, {4, 12});
    });
}

}  // namespace

TEST_CASE("a star's light is its place's PSF, interpolated between the nodes") {
    ThreadPool pool(2);
    const VaryingPsf varying{widening(), 60, 40};
    constexpr int w = 64, h = 48;
    const std::vector<PointSource> stars{{10.3, 12.8, 1000}, {50.5, 30.1, 500}};
    std::vector<float> light(w * h), want(w * h);
    const PsfMap map = varying.over(w, h);
    const double landed = shine(pool, stars, map, {light.data(), {1, h, w, 1}}, 0);
    double sum = 0;
    for (const PointSource& s : stars)
        sum += render(pool, {&s, 1}, varying.over_detector->at(60 + s.x - w / 2, 40 + s.y - h / 2),
                      {want.data(), {1, h, w, 1}});
    CHECK(landed == doctest::Approx(sum).epsilon(1e-6));
    // Four shares of each of two stars, each a chain of 17 float sums at most (render.h), of values up to the peak.
    const double peak = *std::max_element(want.begin(), want.end()), bound = 2 * 4 * 17 * 6e-8 * peak;
    for (std::size_t i = 0; i < light.size(); ++i) CHECK(std::fabs(light[i] - want[i]) < bound);
    CHECK(std::fabs(light[12 * w + 10] / 1000 - light[30 * w + 50] / 500) > 1e-3);  // it does change
}

TEST_CASE("fields of a varying PSF: the same bits for any threads; not drawn where one PSF is all there is") {
    SceneOptions scene;
    scene.mock.emplace();
    scene.varying_psf = VaryingPsf{widening(), 50, 50};
    const FieldSimulator varying(Psf::moffat(2.2, 3), {}, scene, {});
    ThreadPool one(1), three(3);
    const Field a = varying.make(one, {70, 50, 12, 3, 1}), b = varying.make(three, {70, 50, 12, 3, 1});
    CHECK(a.image == b.image);
    CHECK(!varying.stars_alone());
    scene.varying_psf.reset();
    const FieldSimulator fixed(Psf::moffat(2.2, 3), {}, scene, {});
    CHECK(fixed.stars_alone());
    const Field c = fixed.make(one, {70, 50, 12, 3, 1});
    CHECK(c.scene.stars.size() == a.scene.stars.size());
    CHECK(c.image != a.image);
}

TEST_CASE(
    "the PSF of a place: interpolated, also of a part of the image; its stamp and derivatives are the mixture's") {
    const auto field = widening();
    const PsfMap map(*field, 10, 20, 64, 48);
    CHECK(map.varies());
    CHECK(!PsfMap(Psf::moffat(2, 3)).varies());
    for (const auto& [x, y] : {std::pair{3.2, 40.9}, {31.0, 24.0}, {60.5, 0.5}}) {
        const Psf want = field->at(10 + x, 20 + y);
        const double rounding = 4 * 6e-8 * want.peak();  // of four floats
        for (double dx : {-2.3, 0.0, 0.4}) CHECK(std::fabs(map.at(x, y).at(dx, 0.7) - want.at(dx, 0.7)) < rounding);
        CHECK(map.part(3, 5).at(x - 3, y - 5).at(0.2, 0.1) == map.at(x, y).at(0.2, 0.1));

        FisherStamp moved(map.middle(), 1e-4);
        moved.move_to(map.at(x, y));
        std::vector<double> got(3 * std::size_t(moved.side()) * std::size_t(moved.side()));
        const int n = moved.side(), middle = moved.radius();
        for (const auto& [sx, sy] : {std::pair{0.0, 0.0}, {0.5, 0.5}, {0.99, 0.01}, {0.3, 0.8}}) {
            moved.fill(sx, sy, got.data());
            // Differences of float values over a step of the table's: coarse, but of another making.
            const double h = 1e-2;
            for (int row = 0; row < n; ++row)
                for (int column = 0; column < n; ++column) {
                    const double dx = column - middle + 0.5 - sx, dy = row - middle + 0.5 - sy;
                    const double* line = got.data() + std::size_t(3 * row) * std::size_t(n) + column;
                    CHECK(std::fabs(line[2 * n] - want.at(dx, dy)) < 2 * rounding);
                    const double by_x = (want.at(dx - h, dy) - want.at(dx + h, dy)) / (2 * h);
                    const double by_y = (want.at(dx, dy - h) - want.at(dx, dy + h)) / (2 * h);
                    CHECK(std::fabs(line[0] - by_x) < 1e-3 * want.peak());
                    CHECK(std::fabs(line[n] - by_y) < 1e-3 * want.peak());
                }
        }
    }
    // Light from beyond the image has the PSF of the nearest place whose light can reach it.
    CHECK(map.at(-1000, 24).at(0, 0) == map.at(-map.middle().reach() - 1.0, 24).at(0, 0));
    CHECK_THROWS_AS(PsfMap(PsfField({0, 9}, {0},
                                    [](int ix, int) {
                                        return Psf::moffat(2, 3, {4, 8.0 + ix});
                                    }),
                           0, 0, 9, 9),
                    Error);
}
