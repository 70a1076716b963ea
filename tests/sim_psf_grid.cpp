// PSFs on a grid over the detector: nodes, between them, seams, edges.
#include <doctest/doctest.h>

#include <cmath>

#include "sim/psf_grid.h"

using namespace star;

namespace {

// A node of its own width; all on one grid.
PsfField field(std::vector<double> x, std::vector<double> y, int* made = nullptr) {
    return {std::move(x), std::move(y), [made](int ix, int iy) {
                if (made) ++*made;
                return Psf::moffat(1.5 + 0.3 * ix + 0.1 * iy, 3, {4, 10});
            }};
}

double node(int ix, int iy, double x, double y) { return Psf::moffat(1.5 + 0.3 * ix + 0.1 * iy, 3, {4, 10}).at(x, y); }

}  // namespace

TEST_CASE("a grid of PSFs is its nodes' bilinear interpolation") {
    int made = 0;
    const PsfField f = field({0, 100, 300}, {0, 50, 50, 80}, &made);
    const double x = 0.7, y = -0.4;
    // Sums of four products rounded to float: a few 6e-8 of the values.
    const auto close = [](double a, double b) { return std::fabs(a - b) < 1e-6 * b; };
    CHECK(close(f.at(100, 0).at(x, y), node(1, 0, x, y)));
    made = 0;
    const double u = 0.25, v = 0.6;
    CHECK(close(f.at(100 + 200 * u, 50 * v).at(x, y), (1 - u) * (1 - v) * node(1, 0, x, y) +
                                                          u * (1 - v) * node(2, 0, x, y) +
                                                          (1 - u) * v * node(1, 1, x, y) + u * v * node(2, 1, x, y)));
    CHECK(made == 4);
    CHECK(close(f.at(-1e6, 1e6).at(x, y), node(0, 3, x, y)));
    CHECK(close(f.at(0, 50).at(x, y), node(0, 2, x, y)));  // the seam: the upper detector
    CHECK(close(f.at(0, std::nextafter(50, 0)).at(x, y), node(0, 1, x, y)));
    CHECK(close(f.at(0, 65).at(x, y), 0.5 * (node(0, 2, x, y) + node(0, 3, x, y))));
    CHECK(f.at(40, 20).energy() < 1);
    CHECK_THROWS_AS(f.at(std::nan(""), 0), Error);
    CHECK_THROWS_AS(field({}, {0}), Error);
    CHECK_THROWS_AS(field({0, -1}, {0}), Error);
    CHECK_THROWS_AS(field({0, std::nan("")}, {0}), Error);
    const Psf parts[2] = {Psf::gaussian(2), Psf::gaussian(2, {5, 10})};
    const double half[2] = {0.5, 0.5}, one[2] = {1, 1};
    CHECK_THROWS_AS(Psf::mixed(parts, half), Error);
    CHECK_THROWS_AS(Psf::mixed({}, {}), Error);
    CHECK_THROWS_AS(Psf::mixed(std::span(parts, 1), std::span(one, 2)), Error);
}
