// Scenes: their laws within computed confidence.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "sim/scene_cluster.h"
#include "sim/scene_cosmic_rays.h"
#include "sim/scene_defects.h"
#include "sim/scene_disk.h"
#include "sim/scene_galaxies.h"
#include "sim/scene_sky.h"

using namespace star;

namespace {

constexpr double pi = 3.14159265358979;

// Kolmogorov-Smirnov: whether numbers in (0, 1) are uniform; a false alarm has probability 1e-7.
bool uniform_01(std::vector<double> u) {
    std::sort(u.begin(), u.end());
    double d = 0;
    for (std::size_t i = 0; i < u.size(); ++i)
        d = std::max(
            {d, std::fabs(u[i] - double(i) / double(u.size())), std::fabs(u[i] - double(i + 1) / double(u.size()))});
    return d < std::sqrt(-0.5 * std::log(1e-7 / 2) / double(u.size()));
}

// Five standard deviations of Poisson.
bool poisson_like(double n, double mean) { return std::fabs(n - mean) < 5 * std::sqrt(mean); }

bool same(const std::vector<Star>& a, const std::vector<Star>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const Star& s, const Star& t) { return s.x == t.x && s.y == t.y && s.mag == t.mag; });
}

Cluster whole() {  // all of it inside a field of 1000 x 1000
    Cluster c;
    c.stars = 20000, c.core_px = 20;
    return c;
}

}  // namespace

TEST_CASE("scene: luminosity functions count and draw what their knots say") {
    const LuminosityFunction f({{20, 1}, {22, 1.6}, {23, 1.6}, {26, 0.4}});
    // Trapezoids of 1e-4 mag: error (b ln 10)^2 h^2 / 12 of the total.
    double sum = 0, at = 20;
    const auto density = [](double m) {
        return std::pow(10, m < 22 ? 1 + 0.3 * (m - 20) : m < 23 ? 1.6 : 1.6 - 0.4 * (m - 23));
    };
    for (int i = 0; i < 60000; ++i, at = 20 + i * 1e-4) {
        if (i % 7001 == 0) CHECK(f.count(at) == doctest::Approx(sum).epsilon(1e-6));
        sum += 0.5e-4 * (density(20 + i * 1e-4) + density(20 + (i + 1) * 1e-4));
    }
    CHECK(f.total() == doctest::Approx(sum).epsilon(1e-6));
    CHECK(f.count(19) == 0);
    CHECK(f.count(27) == f.total());
    for (double u : {0.0, 1e-9, 0.1, 0.35, 0.5, 0.9, 1.0})
        CHECK(std::fabs(f.count(f.quantile(u)) / f.total() - u) < 1e-12);
    CHECK_THROWS_AS(LuminosityFunction({{20, 1}}), Error);
    CHECK_THROWS_AS(LuminosityFunction({{20, 1}, {20, 2}}), Error);
    CHECK_THROWS_AS(LuminosityFunction({{20, 1}, {21, std::nan("")}}), Error);
}

TEST_CASE("scene: King's profile") {
    const KingProfile k(0.31, 1.38);
    // The density's integral in rings is the enclosed share.
    double sum = 0;
    constexpr int rings = 200000;
    for (int i = 0; i < rings; ++i) {
        const double r = k.tidal() * (i + 0.5) / rings;
        if (i % 20011 == 0) CHECK(std::fabs(k.enclosed(k.tidal() * i / rings) - sum) < 1e-6);
        sum += 2 * pi * r * k.density(r) * k.tidal() / rings;
    }
    CHECK(std::fabs(sum - 1) < 1e-6);
    CHECK(k.density(0.31) / k.density(0) ==
          doctest::Approx(0.5).epsilon(0.06));  // the core's definition, tidal >> core
    for (double u : {0.01, 0.5, 0.99}) CHECK(std::fabs(k.enclosed(k.quantile(u)) - u) < 1e-12);
    MESSAGE("NGC 2298: half of the stars within ", k.quantile(0.5),
            " arcmin of King 1962; Harris lists a half-light radius of 0.98");
}

TEST_CASE("scene: a cluster's stars follow its profile and its mass function") {
    Cluster c = whole();
    const auto stars = make_cluster(c, {}, {1000, 1000, 0, 1, 2});
    CHECK(poisson_like(double(stars.size()), c.stars));
    const KingProfile k(c.core_px, c.concentration);
    REQUIRE(k.tidal() < 500);
    std::vector<double> radii, angles, masses;
    double mean_log = 0;
    for (const Star& s : stars) {
        radii.push_back(k.enclosed(std::hypot(s.x - 500, s.y - 500)));
        angles.push_back(0.5 + std::atan2(s.y - 500, s.x - 500) / (2 * pi));
        // The mass from the magnitude, by the power laws of the relation.
        const double m = s.mag - c.distance_modulus, bend = 3.9 + 10 * std::log10(0.8 / 0.43);
        const double mass = m < bend ? 0.8 * std::pow(10, -(m - 3.9) / 10) : 0.43 * std::pow(10, -(m - bend) / 5.75);
        masses.push_back((std::pow(mass, 1.5) - std::pow(0.2, 1.5)) / (std::pow(0.8, 1.5) - std::pow(0.2, 1.5)));
        mean_log += std::log(mass);
        CHECK(s.flux == doctest::Approx(electrons(s.mag, Exposure{})));
    }
    CHECK(uniform_01(radii));
    CHECK(uniform_01(angles));
    CHECK(uniform_01(masses));
    // The slope by maximum likelihood: the mean of log mass is sufficient; Newton on p = slope + 1.
    const double n = double(masses.size()), a = std::log(0.2), b = std::log(0.8);
    double p = 1, information = 0;
    for (int i = 0; i < 50; ++i) {
        const double ea = std::exp(p * a), eb = std::exp(p * b), d = eb - ea;
        const double expected = (b * eb - a * ea) / d - 1 / p;
        information = 1 / (p * p) - ea * eb * (b - a) * (b - a) / (d * d);
        p += (mean_log / n - expected) / information;
    }
    CHECK(std::fabs(p - 1.5) < 5 / std::sqrt(n * information));
    MESSAGE("slope ", p - 1, " +- ", 1 / std::sqrt(n * information));
}

TEST_CASE("scene: segregation, binaries, giants") {
    Cluster c = whole();
    c.segregation = 0.5;
    const auto stars = make_cluster(c, {}, {1000, 1000, 0, 3, 2});
    // The brightest and the faintest third: medians of the radius differ by far more than they scatter.
    auto sorted = stars;
    std::sort(sorted.begin(), sorted.end(), [](const Star& a, const Star& b) { return a.mag < b.mag; });
    const auto median = [&](std::size_t from, std::size_t to) {
        std::vector<double> r;
        for (std::size_t i = from; i < to; ++i) r.push_back(std::hypot(sorted[i].x - 500, sorted[i].y - 500));
        std::nth_element(r.begin(), r.begin() + std::ptrdiff_t(r.size() / 2), r.end());
        return r[r.size() / 2];
    };
    CHECK(median(0, sorted.size() / 3) < 0.9 * median(2 * sorted.size() / 3, sorted.size()));

    c = whole();
    c.binaries = 0.3;
    const auto pairs = make_cluster(c, {}, {1000, 1000, 0, 4, 2});
    double together = 0;
    for (std::size_t i = 1; i < pairs.size(); ++i)
        if (pairs[i].x == pairs[i - 1].x && pairs[i].y == pairs[i - 1].y) {
            ++together;
            CHECK(pairs[i].mag >= pairs[i - 1].mag);
        }
    const double systems = double(pairs.size()) - together;
    CHECK(std::fabs(together - 0.3 * systems) < 5 * std::sqrt(systems * 0.3 * 0.7));

    c = whole();
    c.giants = 1;
    std::vector<double> u;
    const double k = c.giant_slope * std::log(10.0);
    for (const Star& s : make_cluster(c, {}, {1000, 1000, 0, 5, 2})) {
        const double m = s.mag - c.distance_modulus;
        u.push_back(std::expm1(k * (m - c.giant_tip)) / std::expm1(k * (c.giant_base - c.giant_tip)));
    }
    CHECK(uniform_01(u));
}

TEST_CASE("scene: two fields of one cluster agree where they overlap") {
    Cluster c = whole();
    c.x = c.y = 200;
    const Cluster first = c;
    const auto a = make_cluster(c, {}, {600, 600, 0, 1, 2});
    c.x -= 200;
    auto b = make_cluster(c, {}, {600, 600, 0, 1, 2});
    for (Star& s : b) s.x += 200;
    std::size_t shared = 0;
    for (const Star& s : a)
        if (s.x > 200.001) {
            ++shared;
            CHECK(std::any_of(b.begin(), b.end(), [&](const Star& t) {
                return std::fabs(t.x - s.x) < 1e-9 && t.y == s.y && t.mag == s.mag;
            }));
        }
    CHECK(shared > 1000);
    CHECK(same(a, make_cluster(first, {}, {600, 600, 0, 1, 2})));
    CHECK(!same(a, make_cluster(first, {}, {600, 600, 0, 1, 3})));
}

TEST_CASE("scene: NGC 2298") {
    const Cluster core = ngc2298(0.074, 0);
    CHECK(core.core_px == doctest::Approx(0.31 * 60 / 0.074));
    MESSAGE(core.stars, " systems");
    const auto inner = make_cluster(core, {}, {512, 512, 0, 1, 1});
    const auto outer = make_cluster(ngc2298(0.074, 2), {}, {512, 512, 0, 1, 1});
    // A field is smaller than the profile changes outside: the mean density there is that of its middle to 20 %.
    const KingProfile k(core.core_px, core.concentration);
    const double mean = core.stars * 1.05 * k.density(2 * 60 / 0.074) * 512 * 512;
    MESSAGE(inner.size(), " stars in the core's field, ", outer.size(), " two arcmin away, ", mean, " from its middle");
    CHECK(std::fabs(double(outer.size()) / mean - 1) < 0.2 + 5 / std::sqrt(mean));
    CHECK(inner.size() > 5 * outer.size());
}

TEST_CASE("scene: a cluster in M31") {
    const Cluster c = m31_cluster(0.05, 3000);
    const auto stars = make_cluster(c, {}, {301, 301, 0, 1, 1});
    CHECK(poisson_like(double(stars.size()), 3000));  // a tidal radius of 88 px: all inside
    double core = 0;
    for (const Star& s : stars) {
        core += std::hypot(s.x - 150.5, s.y - 150.5) < 10;
        CHECK_MESSAGE((s.mag >= 24.47 - 1 && s.mag <= 24.47 + 6), s.mag);
    }
    CHECK(poisson_like(core, 3000 * KingProfile(4.4, 1.3).enclosed(10)));
}

TEST_CASE("scene: a disk's numbers, places and magnitudes") {
    const Disk d = m31_disk(0.05, 27.4, 0);
    const auto stars = make_disk(d, {}, {300, 200, 10, 1, 1});
    CHECK(poisson_like(double(stars.size()), d.density * 320 * 220));
    std::vector<double> x, y, m;
    double seen = 0;
    for (const Star& s : stars) {
        x.push_back((s.x + 10) / 320), y.push_back((s.y + 10) / 220);
        m.push_back(d.luminosity.count(s.mag) / d.luminosity.total());
        seen += s.mag < 27.4;
    }
    CHECK(uniform_01(x));
    CHECK(uniform_01(y));
    CHECK(uniform_01(m));
    CHECK(poisson_like(seen, 0.05 * 320 * 220));
    // The peak near 26.2: no half magnitude away from it holds as many stars.
    const auto bin = [&](double from) { return d.luminosity.count(from + 0.5) - d.luminosity.count(from); };
    for (double from = 22.5; from < 26.9; from += 0.1)
        if (std::fabs(from - 26.1) > 0.25) CHECK(bin(from) < bin(26.1));
    CHECK(d.luminosity.faintest() == doctest::Approx(30.4));

    Disk tilted;
    tilted.density = 0.1, tilted.gradient_x = 1.0 / 400;
    std::vector<double> u;
    for (const Star& s : make_disk(tilted, {}, {400, 100, 0, 1, 1})) {  // density ~ 1/2 + t, t = x / 400
        const double t = s.x / 400;
        u.push_back(0.5 * t + 0.5 * t * t);
    }
    CHECK(poisson_like(double(u.size()), 4000));
    CHECK(uniform_01(u));
    CHECK(same(stars, make_disk(d, {}, {300, 200, 10, 1, 1})));
    CHECK(!same(stars, make_disk(d, {}, {300, 200, 10, 1, 2})));
    tilted.density = -1;
    CHECK_THROWS_AS(check_disk(tilted), Error);
}

TEST_CASE("scene: cosmic rays") {
    const CosmicRays c;
    const auto tracks = make_cosmic_rays(c, 1000, 2000, 2000, 1, 1);
    const double mean = 1000 * 2200.0 * 2200 * 1e-6;  // 10 um pixels
    CHECK(poisson_like(double(tracks.size()), mean));
    std::vector<double> u;
    double left = 0;
    for (const Track& t : tracks) {
        const double length = std::hypot(t.x1 - t.x0, t.y1 - t.y0) * c.pixel_um / c.thickness_um;
        if (length < 199 * c.pixel_um / c.thickness_um) u.push_back(1 / (1 + length * length));  // cos^2 is uniform
        left += t.electrons;
        CHECK_MESSAGE((t.electrons > 0 && length <= 200.001 * c.pixel_um / c.thickness_um), length);
    }
    CHECK(uniform_01(u));
    // All charge of a track inside lands in the image; float pixels round at 6e-8 of their value per addition.
    std::vector<float> pixels(100 * 100);
    const std::vector<Track> inside{{10, 10, 40, 60, 1000}, {50.5, 50.5, 50.5, 50.5, 77}, {95, 50, 105, 50, 80}};
    add_tracks(inside, {pixels.data(), {1, 100, 100, 1}});
    CHECK(std::accumulate(pixels.begin(), pixels.end(), 0.0) == doctest::Approx(1000 + 77 + 40).epsilon(1e-5));
    CHECK(pixels[50 * 100 + 50] == 77);
    CHECK(make_cosmic_rays(c, 0, 100, 100, 1, 1).empty());
    CosmicRays bad;
    bad.rate = std::nan("");
    CHECK_THROWS_AS(check_cosmic_rays(bad), Error);
    CHECK(left > 0);
}

TEST_CASE("scene: hot and dead pixels") {
    Defects d;
    d.hot = 0.01, d.dead = 0.005;
    const int n = 400 * 300;
    const DefectList list = make_defects(d, 400, 300, 1, 1);
    CHECK(std::fabs(double(list.dead.size()) - n * 0.005) < 5 * std::sqrt(n * 0.005));
    CHECK(std::fabs(double(list.hot.size()) - n * 0.995 * 0.01) < 5 * std::sqrt(n * 0.01));
    std::vector<double> u;
    for (const auto& h : list.hot) u.push_back(std::exp(-h.rate / d.hot_rate));
    CHECK(uniform_01(u));
    std::vector<float> image(std::size_t(n), 1.0f);
    const View<float> view{image.data(), {1, 300, 400, 1}};
    add_hot_pixels(list, 100, view);
    for (const auto& h : list.hot) CHECK(image[std::size_t(h.pixel)] == float(1 + float(h.rate * 100)));
    blank_dead_pixels(list, view);
    for (auto i : list.dead) CHECK(image[std::size_t(i)] == 0);
    CHECK_THROWS_AS(add_hot_pixels({{{n, 1.0}}, {}}, 1, view), Error);
}

TEST_CASE("scene: saturated charge runs along columns and is conserved") {
    const int w = 5, h = 40;
    std::vector<float> image(w * h, 10.0f);
    image[20 * w + 2] = 1010;
    const View<float> view{image.data(), {1, h, w, 1}};
    bleed(view, 100);
    double sum = 0;
    for (int y = 0; y < h; ++y) {
        CHECK(image[std::size_t(y * w + 1)] == 10);
        sum += image[std::size_t(y * w + 2)];
    }
    // 910 too many: 455 to each side fill five pixels by 90 and a sixth by 5.
    CHECK(sum == doctest::Approx(10 * (h - 1) + 1010));
    CHECK(image[20 * w + 2] == 100);
    for (int k = 1; k <= 5; ++k)
        CHECK_MESSAGE((image[std::size_t((20 - k) * w + 2)] == 100 && image[std::size_t((20 + k) * w + 2)] == 100), k);
    CHECK(image[14 * w + 2] == 15);
    CHECK(image[26 * w + 2] == 15);
    // At the edge charge leaves the image, and two neighbours share their room.
    std::vector<float> edge{500, 500, 0};
    bleed({edge.data(), {1, 3, 1, 1}}, 100);
    CHECK(edge == std::vector<float>{100, 100, 100});
    CHECK_THROWS_AS(bleed(view, 0), Error);
}

TEST_CASE("scene: a sky gradient is a plane that is nowhere below zero") {
    for (double gx : {0.5, -0.25})
        for (double gy : {0.125, -1.0}) {
            std::vector<float> image(30 * 20, 0.0f);
            add_sky_gradient({image.data(), {1, 20, 30, 1}}, gx, gy);
            CHECK(*std::min_element(image.begin(), image.end()) == 0.5 * (std::fabs(gx) + std::fabs(gy)));
            CHECK(image[1] - image[0] == gx);
            CHECK(image[30] - image[0] == gy);
        }
}

TEST_CASE("scene: galaxies") {
    const Galaxies g;
    const auto list = make_galaxies(g, {}, {4000, 4000, 0, 1, 1});
    const double mean = g.counts.total() * std::pow(4000 * 0.074 / 3600, 2);
    CHECK(poisson_like(double(list.size()), mean));
    std::vector<double> m, q;
    double bulges = 0, dex = 0;
    for (const Galaxy& a : list) {
        m.push_back(g.counts.count(a.mag) / g.counts.total());
        q.push_back((a.axis_ratio - 0.2) / 0.8);
        bulges += a.sersic == 4;
        dex += std::log10(a.half_light * 0.074 / 0.35) + 0.1 * (a.mag - 23);
    }
    CHECK(uniform_01(m));
    CHECK(uniform_01(q));
    const double n = double(list.size());
    CHECK(std::fabs(bulges - 0.3 * n) < 5 * std::sqrt(0.21 * n));
    CHECK(std::fabs(dex / n) < 5 * 0.2 / std::sqrt(n));

    // Half of the light (of what lies within the cut) is within the half-light ellipse: exactly so for a profile
    // without an end; the cut at 4 (8) radii takes 1 (4) % of an exponential's (de Vaucouleurs') light, b_n is good to
    // 1e-3.
    for (double index : {1.0, 4.0})
        for (double ratio : {1.0, 0.4}) {
            const Galaxy a{50.3, 49.8, 20, 1000, 12, index, ratio, 0.7};
            double total = 0, inside = 0, x = 0, y = 0;
            for (const PointSource& p : galaxy_light(a)) {
                const double dx = p.x - a.x, dy = p.y - a.y;
                const double r = std::hypot(dx * std::cos(0.7) + dy * std::sin(0.7),
                                            (dy * std::cos(0.7) - dx * std::sin(0.7)) / ratio);
                total += p.flux, inside += r < 12 ? p.flux : 0, x += p.flux * dx, y += p.flux * dy;
            }
            CHECK(total == doctest::Approx(1000));
            CHECK(std::fabs(inside / total - 0.5) < (index == 1 ? 0.02 : 0.05));
            CHECK(std::fabs(x / total) + std::fabs(y / total) < 1e-9);
        }
}
