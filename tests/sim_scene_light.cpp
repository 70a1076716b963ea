// Light through a PSF that changes over the field: each star has the PSF of its place.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "sim/field.h"

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
    const double landed =
        shine(pool, stars, varying.over_detector->node(0, 0), &varying, {light.data(), {1, h, w, 1}}, 0);
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
