// Densities and distances of mock catalogues: jamming for each mix, and the law of darts below it.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "sim/mock.h"
#include "sim/scatter.h"
#include "tests/sim_grown.h"

using namespace star;

namespace {

/// Darts as they are defined: uniform places, kept if no kept one is nearer than the separation.
std::vector<Place> darts(double side, double separation, int count, Random& random) {
    std::vector<Place> kept;
    while (int(kept.size()) < count) {
        const double x = random.uniform(0, side);
        const Place p{x, random.uniform(0, side)};
        if (std::all_of(kept.begin(), kept.end(),
                        [&](Place q) { return std::hypot(p.x - q.x, p.y - q.y) >= separation; }))
            kept.push_back(p);
    }
    return kept;
}

double nearest_to_first(const std::vector<Place>& places) {
    double d = INFINITY;
    for (std::size_t i = 1; i < places.size(); ++i)
        d = std::min(d, std::hypot(places[i].x - places[0].x, places[i].y - places[0].y));
    return d;
}

double nearest_to_last(std::vector<Place> places) {
    std::swap(places.front(), places.back());
    return nearest_to_first(places);
}

/// Two samples from one law: Kolmogorov-Smirnov; a false alarm has probability 1e-7.
bool same_law(std::vector<double> a, std::vector<double> b) {
    std::sort(a.begin(), a.end()), std::sort(b.begin(), b.end());
    double d = 0;
    for (double v : a)
        d = std::max(d, std::fabs(double(std::upper_bound(a.begin(), a.end(), v) - a.begin()) / double(a.size()) -
                                  double(std::upper_bound(b.begin(), b.end(), v) - b.begin()) / double(b.size())));
    const double n = double(a.size()) * double(b.size()) / double(a.size() + b.size());
    return d < std::sqrt(-0.5 * std::log(1e-7 / 2) / n);
}

}  // namespace

TEST_CASE("at jamming each mix has its density of stars, 97 % of the limit and more") {
    const Psf psf = Psf::moffat_enclosing(0.8, 0.12 / 0.074, 3.0);
    // Units per px^2: random sequential addition of discs covers 0.547067 of the plane.
    const double jamming = 0.547067 / (3.14159265358979 * 16), arcmin2 = std::pow(60 / 0.074, 2);
    for (const auto& [mix, stated] :
         {std::pair{mix_p1, 23050.0}, std::pair{mix_p2, 21460.0}, std::pair{mix_p3, 19080.0}}) {
        double total = 0, mean = 0, square = 0;
        for (int i = 0; i < 5; ++i) total += mix[std::size_t(i)];
        for (int i = 0; i < 5; ++i)
            mean += mix[std::size_t(i)] / total * (i + 1), square += mix[std::size_t(i)] / total * (i + 1) * (i + 1);
        const double limit = jamming * mean * arcmin2;
        CHECK(std::fabs(limit / stated - 1) < 1e-3);  // the decision's figures are rounded

        Mock o;
        o.mix = mix;
        const int side = 900;
        const std::vector<Star> grown = make_mock(o, psf, {}, {side, side, 24, 17, 1});
        double stars = 0, units = 0;  // of those whose base star is in the field
        for (const auto unit : grown_units(grown))
            if (unit[0].x >= 0 && unit[0].y >= 0 && unit[0].x < side && unit[0].y < side)
                stars += double(unit.size()), ++units;
        const double density = stars / (double(side) * side) * arcmin2;
        // Numbers of members are independent; the number of units varies by less than a tenth of Poisson's variance.
        const double sigma = std::sqrt(units * (square - mean * mean) + mean * mean * 0.1 * units) / (mean * units);
        MESSAGE("stars/arcmin^2 ", density, ", ", 100 * density / limit, " % of the limit");
        CHECK(std::fabs(density / limit - 1) < 5 * sigma);
        CHECK(density > 0.97 * limit);
    }
}

TEST_CASE("below jamming, places have the law of plain darts") {
    // First and last places and the distance to the nearest other one, of many small fields: independent samples.
    const double side = 40, separation = 8;
    const int count = 10;
    std::vector<double> x[2], near_first[2], near_last[2], last_x[2];
    for (int i = 0; i < 6000; ++i)
        for (int plain : {0, 1}) {
            Random random(std::uint64_t(100 + plain), std::uint64_t(i));
            const auto places =
                plain ? darts(side, separation, count, random) : scatter(0, 0, side, side, separation, count, random);
            REQUIRE(int(places.size()) == count);
            x[plain].push_back(places[0].x), last_x[plain].push_back(places.back().x);
            near_first[plain].push_back(nearest_to_first(places));
            near_last[plain].push_back(nearest_to_last(places));
        }
    CHECK(same_law(x[0], x[1]));
    CHECK(same_law(last_x[0], last_x[1]));
    CHECK(same_law(near_first[0], near_first[1]));
    CHECK(same_law(near_last[0], near_last[1]));
    CHECK(!same_law(near_first[0], near_last[0]));  // the test can tell: the last place finds less room
}
