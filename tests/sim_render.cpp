// Rendering: where the light goes, how much of it, and the same bits for any number of threads.
#include <doctest/doctest.h>

#include <cmath>
#include <initializer_list>
#include <utility>
#include <vector>

#include "kernels/random.h"
#include "sim/render.h"

using namespace star;

namespace {

std::vector<PointSource> crowd(int n, int width, int height, double margin) {
    std::vector<PointSource> s;
    Random r(11, 1);
    for (int i = 0; i < n; ++i) {
        const double x = r.uniform(-margin, width + margin), y = r.uniform(-margin, height + margin);
        s.push_back({x, y, std::pow(10, r.uniform(1, 5))});
    }
    return s;
}

}  // namespace

TEST_CASE("one star lands where it should, pixel by pixel") {
    ThreadPool pool(2);
    const Psf psf = Psf::moffat(1.7, 3, {0, 12});
    for (const auto& [x, y] : std::initializer_list<std::pair<double, double>>{
             {30.0, 40.0}, {30.5, 40.5}, {31.999, 40.001}, {12.37, 63.91}, {-2.2, 5.7}, {63.9, 99.99}}) {
        const int w = 64, h = 100;
        std::vector<float> image(w * h, 3.0f);
        const PointSource star{x, y, 1000};
        render(pool, {&star, 1}, psf, {image.data(), {1, h, w, 1}});
        for (int i = 0; i < h; ++i)
            for (int j = 0; j < w; ++j)
                CHECK(std::fabs(image[i * w + j] - 3 - 1000.0 * psf.at(j + 0.5 - x, i + 0.5 - y)) <
                      1e-3);  // float: 16 terms of up to 300
    }
}

TEST_CASE("the centroid of a rendered star is its place to 1e-3 px") {
    ThreadPool pool(1);
    for (const Psf& psf : {Psf::gaussian(1.6), Psf::gaussian(2.2), Psf::moffat(1.8, 4.5, {0, 30})}) {
        Random r(13, 1);
        for (int k = 0; k < 20; ++k) {
            const int n = 81;
            std::vector<float> image(n * n);
            const PointSource star{40 + r.uniform(), 40 + r.uniform(), 1};
            render(pool, {&star, 1}, psf, {image.data(), {1, n, n, 1}});
            double sum = 0, x = 0, y = 0;
            for (int i = 0; i < n; ++i)
                for (int j = 0; j < n; ++j)
                    sum += image[i * n + j], x += image[i * n + j] * (j + 0.5), y += image[i * n + j] * (i + 0.5);
            CHECK(std::fabs(x / sum - star.x) < 1e-3);
            CHECK(std::fabs(y / sum - star.y) < 1e-3);
        }
    }
}

TEST_CASE("flux landed and flux lost is flux sent") {
    ThreadPool pool(2);
    const Psf psf = Psf::gaussian(2.0);
    const int w = 150, h = 130;
    const auto stars = crowd(500, w, h, 30);
    std::vector<float> image(w * h), wide((w + 100) * (h + 100));
    const double landed = render(pool, stars, psf, {image.data(), {1, h, w, 1}});
    double sum = 0, sent = 0, lost = 0;
    for (float v : image) sum += v;
    CHECK(landed == doctest::Approx(sum).epsilon(1e-12));  // the image was empty
    auto shifted = stars;
    for (auto& s : shifted) sent += s.flux, s.x += 50, s.y += 50;
    const double all = render(pool, shifted, psf, {wide.data(), {1, h + 100, w + 100, 1}});
    for (int y = 0; y < h + 100; ++y)
        for (int x = 0; x < w + 100; ++x)
            if (x < 50 || x >= w + 50 || y < 50 || y >= h + 50) lost += wide[y * (w + 100) + x];
    CHECK(landed + lost == doctest::Approx(all).epsilon(1e-6));
    CHECK(all == doctest::Approx(sent).epsilon(1e-4));  // the spline's sum over pixels, and the table's 7 sigma
}

TEST_CASE("cutting the wings costs less than the bound") {
    ThreadPool pool(2);
    const Psf psf = Psf::moffat(1.8, 2.5);
    const int w = 200, h = 200;
    const auto stars = crowd(1500, w, h, 50);
    std::vector<float> full(w * h), cut(w * h);
    const double all = render(pool, stars, psf, {full.data(), {1, h, w, 1}});
    const double most = render(pool, stars, psf, {cut.data(), {1, h, w, 1}}, 0.1);
    CHECK(all >= most);
    CHECK((all - most) / (w * h) < 0.1);
}

TEST_CASE("the same bits for any number of threads, with any stars around") {
    const Psf psf = Psf::moffat(1.8, 3);
    const int w = 301, h = 211;
    const auto stars = crowd(2000, w, h, 60);
    std::vector<float> one(w * h, 1.0f);
    ThreadPool single(1);
    const double landed = render(single, stars, psf, {one.data(), {1, h, w, 1}}, 0.01);
    for (int threads : {2, 3}) {
        ThreadPool pool(threads);
        std::vector<float> image(w * h, 1.0f);
        CHECK(render(pool, stars, psf, {image.data(), {1, h, w, 1}}, 0.01) == landed);
        CHECK(image == one);
    }
}

TEST_CASE("stars that are far away, dark or not finite") {
    ThreadPool pool(1);
    const Psf psf = Psf::gaussian(2);
    std::vector<float> image(100);
    const View<float> view{image.data(), {1, 10, 10, 1}};
    const PointSource far[] = {{1e300, 5, 1}, {5, -1e18, 1}, {5, 5, 0}};
    CHECK(render(pool, far, psf, view) == 0);
    CHECK(render(pool, {}, psf, view) == 0);
    const PointSource bad{std::nan(""), 5, 1}, bright{5, 5, INFINITY};
    CHECK_THROWS_AS(render(pool, {&bad, 1}, psf, view), Error);
    CHECK_THROWS_AS(render(pool, {&bright, 1}, psf, view), Error);
}
