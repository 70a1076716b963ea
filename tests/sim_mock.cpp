// The mock catalogue against the paper's rules, and whole fields.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "sim/field.h"
#include "sim/scatter.h"
#include "tests/sim_grown.h"

using namespace star;

namespace {

const Psf& csst() {
    static const Psf psf = Psf::moffat_enclosing(0.8, 0.12 / 0.074, 3.0);
    return psf;
}

// Kolmogorov-Smirnov: whether numbers in (0, 1) are uniform; a false alarm has probability 1e-7.
bool uniform_01(std::vector<double> u) {
    std::sort(u.begin(), u.end());
    double d = 0;
    for (std::size_t i = 0; i < u.size(); ++i)
        d = std::max(
            {d, std::fabs(u[i] - double(i) / double(u.size())), std::fabs(u[i] - double(i + 1) / double(u.size()))});
    return d < std::sqrt(-0.5 * std::log(1e-7 / 2) / double(u.size()));
}

double distance(const Star& a, const Star& b) { return std::hypot(a.x - b.x, a.y - b.y); }

bool equal(const Field& a, const Field& b) {
    return std::equal(a.scene.stars.begin(), a.scene.stars.end(), b.scene.stars.begin(), b.scene.stars.end(),
                      [](const Star& s, const Star& t) {
                          return s.x == t.x && s.y == t.y && s.mag == t.mag && s.unit == t.unit;
                      }) &&
           std::equal(a.truth.units.begin(), a.truth.units.end(), b.truth.units.begin(), b.truth.units.end(),
                      [](const TruthUnit& s, const TruthUnit& t) {
                          return s.box == t.box && s.label == t.label && s.first == t.first && s.chance == t.chance;
                      });
}

SceneOptions mock_scene(const Mock& mock) {
    SceneOptions s;
    s.mock = mock;
    return s;
}

}  // namespace

TEST_CASE("base stars follow Eq. 1") {
    for (double slope : {0.3, 0.0, -0.2}) {
        Mock o;
        o.slope = slope;
        const std::vector<Star> stars = make_mock(o, csst(), {}, {1000, 1000, 0, 1, 1});
        std::vector<double> u;
        double sum = 0;
        for (const auto unit : grown_units(stars)) {
            const double m = unit[0].mag, b = slope * std::log(10.0);
            CHECK_MESSAGE((m >= 20 && m <= 26), m);
            u.push_back(slope == 0 ? (m - 20) / 6 : std::expm1(b * (m - 20)) / std::expm1(b * 6));
            sum += m;
        }
        CHECK(u.size() > 10000);
        CHECK(uniform_01(u));
        // The slope itself by maximum likelihood: Newton on the mean magnitude, which is the sufficient statistic.
        const double n = double(u.size()), mean = sum / n - 20;
        double b = 0.1;
        double information = 0;
        for (int i = 0; i < 50; ++i) {
            const double e = std::expm1(6 * b);
            const double expected = 6 + 6 / e - 1 / b;
            information = 1 / (b * b) - 36 * (e + 1) / (e * e);
            b += (mean - expected) / information;
        }
        CHECK(std::fabs(b - slope * std::log(10.0)) < 5 / std::sqrt(n * information));
    }
}

TEST_CASE("members follow Eq. 2") {
    Mock o;
    o.mix = {0, 1, 1, 1, 1};
    const std::vector<Star> stars = make_mock(o, csst(), {}, {800, 800, 10, 3, 1});
    std::vector<double> mags, distances;
    for (const auto s : grown_units(stars)) {
        CHECK(s.size() >= 2);
        for (std::size_t k = 1; k < s.size(); ++k) {
            const double faintest = std::min(s[0].mag + 2.5, 26.0);
            CHECK_MESSAGE((s[k].mag >= s[k - 1].mag && s[k].mag <= faintest), s[k].mag);
            CHECK(s[k].flux == doctest::Approx(electrons(s[k].mag, Exposure{})));
            const double most =
                csst().radius_at(0.5 * std::pow(10, -0.4 * (s[k].mag - s[k - 1].mag))) + csst().radius_at(0.5);
            const double d = distance(s[k], s[k - 1]);
            CHECK_MESSAGE((d > 0.5 && d < most), d);
            if (faintest - s[k - 1].mag > 1e-6) mags.push_back((s[k].mag - s[k - 1].mag) / (faintest - s[k - 1].mag));
            distances.push_back((d - 0.5) / (most - 0.5));
        }
    }
    CHECK(distances.size() > 10000);
    CHECK(uniform_01(mags));
    CHECK(uniform_01(distances));
    // Equal stars: dist_max is the FWHM, where each falls to half of the other's peak.
    CHECK(csst().radius_at(0.5) * 2 == doctest::Approx(csst().fwhm()));
}

TEST_CASE("classes come in the proportions asked for") {
    for (const ClassMix& mix : {mix_p1, mix_p2, mix_p3, ClassMix{0, 0, 1, 0, 0}}) {
        Mock o;
        o.mix = mix;
        const std::vector<Star> stars = make_mock(o, csst(), {}, {700, 700, 0, 5, 1});
        double total = 0, count[5]{}, n = 0;
        for (double w : mix) total += w;
        for (const auto unit : grown_units(stars)) {
            REQUIRE(unit.size() <= 5);
            ++count[unit.size() - 1], ++n;
        }
        for (int i = 0; i < 5; ++i) {
            const double p = mix[std::size_t(i)] / total;
            CHECK(std::fabs(count[i] - n * p) <= 5 * std::sqrt(n * p * (1 - p)));
        }
    }
}

TEST_CASE("dart throwing reaches jamming, and nothing is nearer than the separation") {
    Random random(1, 1);
    const double side = 1000, separation = 8;
    const auto places = scatter(0, 0, side, side, separation, as_many_as_fit, random);
    double inner = 0, nearest = INFINITY;
    std::vector<std::vector<Place>> cells(125 * 125);
    const auto cell = [&](double x, double y) -> std::vector<Place>& {
        return cells[std::size_t(int(y / 8) * 125 + int(x / 8))];
    };
    for (const Place& p : places)
        inner += p.x > 24 && p.x < side - 24 && p.y > 24 && p.y < side - 24, cell(p.x, p.y).push_back(p);
    const auto nearest_to = [&](double x, double y, const Place* self) {
        double d = INFINITY;
        for (int j = std::max(0, int(y / 8) - 1); j <= std::min(124, int(y / 8) + 1); ++j)
            for (int i = std::max(0, int(x / 8) - 1); i <= std::min(124, int(x / 8) + 1); ++i)
                for (const Place& q : cells[std::size_t(j * 125 + i)])
                    if (!self || q.x != self->x || q.y != self->y) d = std::min(d, std::hypot(q.x - x, q.y - y));
        return d;
    };
    for (const Place& p : places) nearest = std::min(nearest, nearest_to(p.x, p.y, &p));
    CHECK(nearest >= separation);
    int room = 0;
    for (int i = 0; i < 1000000; ++i)
        room += nearest_to(random.uniform(0, side), random.uniform(0, side), nullptr) >= separation;
    CHECK(room == 0);
    const double density = inner / ((side - 48) * (side - 48)), jamming = 0.547067 * 4 / (3.14159265358979 * 64);
    MESSAGE("density ", density, " units/px^2, ", 100 * density / jamming, " % of jamming");
    // Counts of a jammed packing vary less than Poisson's (by 0.02 of the variance or so; bounded here by 0.1).
    CHECK(std::fabs(density / jamming - 1) < 5 * std::sqrt(0.1 / inner));
}

TEST_CASE("density: a number asked for is Poisson about it") {
    Mock o;
    o.density_min = o.density_max = 0.002;
    double n = 0;
    for (int i = 0; i < 20; ++i)
        n += double(grown_units(make_mock(o, csst(), {}, {300, 300, 10, 1, std::uint64_t(i)})).size());
    const double mean = 20 * 0.002 * 320 * 320;
    CHECK(std::fabs(n - mean) < 5 * std::sqrt(mean));
    o.density_min = o.density_max = 0;
    CHECK(make_mock(o, csst(), {}, {300, 300, 0, 1, 1}).empty());
}

TEST_CASE("units are numbered from 0, one after the other, also those of the margin") {
    const std::vector<Star> stars = make_mock({}, csst(), {}, {200, 150, 20, 7, 1});
    int unit = -1;
    bool outside = false;
    for (const Star& s : stars) {
        CHECK_MESSAGE((s.unit == unit || s.unit == unit + 1), s.unit);
        unit = s.unit;
        outside = outside || s.x < 0 || s.y < 0 || s.x > 200 || s.y > 150;
    }
    CHECK(unit > 250);
    CHECK(outside);
}

TEST_CASE("faint stars come on top, of no unit") {
    Mock o;
    o.faint_density = 0.05, o.faint_min = 26, o.faint_limit = 29;
    const std::vector<Star> f = make_mock(o, csst(), {}, {300, 300, 10, 9, 1});
    const std::vector<Star> g = make_mock({}, csst(), {}, {300, 300, 10, 9, 1});
    const double n = double(f.size() - g.size()), mean = 0.05 * 320 * 320;
    CHECK(std::fabs(n - mean) < 5 * std::sqrt(mean));
    for (std::size_t i = 0; i < g.size(); ++i) CHECK(f[i].x == g[i].x);
    for (std::size_t i = g.size(); i < f.size(); ++i)
        CHECK_MESSAGE((f[i].unit == -1 && f[i].mag >= 26 && f[i].mag <= 29), i);
}

TEST_CASE("a field is a function of its seed and index, for any number of threads") {
    Exposure e;
    e.drizzle_sigma = 0.4;
    Mock o;
    o.faint_density = 0.02;
    const FieldSimulator simulator(csst(), e, mock_scene(o), {});
    ThreadPool one(1), two(2), three(3);
    const Field a = simulator.make(one, {130, 90, 20, 1, 7});
    CHECK(a.image.size() == 130 * 90);
    CHECK(a.mask.size() == 130 * 90);
    for (ThreadPool* pool : {&two, &three}) {
        const Field b = simulator.make(*pool, {130, 90, 20, 1, 7});
        CHECK(b.image == a.image);
        CHECK(b.mask == a.mask);
        CHECK(equal(b, a));
    }
    CHECK(simulator.make(one, {130, 90, 20, 1, 8}).image != a.image);
    CHECK(simulator.make(one, {130, 90, 20, 2, 7}).image != a.image);
    CHECK(!equal(simulator.make(one, {130, 90, 20, 1, 8}), a));
}

TEST_CASE("a field's light is that of its stars and the sky, from outside too") {
    ThreadPool pool(2);
    for (double drizzle : {0.0, 0.4}) {
        Exposure e;
        e.drizzle_sigma = drizzle, e.full_well = 1e9;
        const FieldSimulator simulator(csst(), e, mock_scene({}), {});
        const int w = 160, h = 120;
        const Field f = simulator.make(pool, {w, h, 30, 2, 3});
        double light = 0, expected = background_level(e) * w * h;
        for (float v : f.image) light += v;
        for (const Star& s : f.scene.stars)
            for (int y = 0; y < h; ++y)
                for (int x = 0; x < w; ++x) expected += s.flux * simulator.psf().at(x + 0.5 - s.x, y + 0.5 - s.y);
        const double noise = std::sqrt(expected + w * h * e.read_noise * e.read_noise);
        // The wings' cut costs up to wing_cut sigma per pixel.
        CHECK(std::fabs(light - expected) < 5 * noise + wing_cut * native_sigma(e) * w * h);
        const Field dark = FieldSimulator(csst(), e, {}, {}).make(pool, {w, h, 30, 2, 3});
        CHECK(dark.truth.units.empty());
        CHECK(dark.image.size() == f.image.size());
    }
}

TEST_CASE("options out of range are named") {
    const auto wrong = [](auto change) {
        Mock o;
        change(o);
        CHECK_THROWS_AS(check_mock(o), Error);
    };
    CHECK_NOTHROW(check_mock({}));
    wrong([](Mock& o) { o.mix = {0, 0, 0, 0, 0}; });
    wrong([](Mock& o) { o.mix[1] = -1; });
    wrong([](Mock& o) { o.mag_limit = 25; });
    wrong([](Mock& o) { o.slope = std::nan(""); });
    wrong([](Mock& o) { o.min_separation = 0; });
    wrong([](Mock& o) { o.density_min = 0.01; });
    wrong([](Mock& o) { o.density_min = 2, o.density_max = 1; });
    wrong([](Mock& o) { o.faint_density = INFINITY; });
}
