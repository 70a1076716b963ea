// Truth labels: which stars count, which blend, and what each unit is called.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "kernels/match.h"
#include "kernels/random.h"
#include "sim/mock.h"
#include "sim/truth.h"
#include "sim/truth_geometry.h"
#include "tests/sim_grown.h"

using namespace star;

namespace {

const Psf& csst() {
    static const Psf psf = Psf::moffat_enclosing(0.8, 0.12 / 0.074, 3.0);
    return psf;
}

std::vector<Star> random_stars(int n, double side, double low, double high, std::uint64_t seed) {
    Random r(seed, 0);
    std::vector<Star> out;
    for (int i = 0; i < n; ++i) {
        const double mag = r.uniform(low, high);
        out.push_back({r.uniform(0, side), r.uniform(0, side), mag, electrons(mag, {}), -1});
    }
    return out;
}

Truth label(const std::vector<Star>& stars, TruthOptions o, int side, int threads = 1) {
    ThreadPool pool(threads);
    return label_truth(pool, stars, csst(), {}, o, side, side);
}

TruthOptions linked(Labels labels) {
    TruthOptions o;
    o.units = Units::linked, o.labels = labels;
    return o;
}

bool equal(double a, double b) { return std::memcmp(&a, &b, sizeof a) == 0; }

}  // namespace

TEST_CASE("truth: paper labels of a mock are its units as they were grown: boxes, centroids, edges") {
    const std::vector<Star> stars = make_mock({}, csst(), {}, {200, 150, 20, 3, 1});
    const double half = std::max(1.4 * csst().fwhm(), 2.5);
    ThreadPool pool(2);
    TruthOptions o;
    o.labels = Labels::paper;
    const Truth t = label_truth(pool, stars, csst(), {}, o, 200, 150);
    std::size_t next = 0;
    for (const auto unit : grown_units(stars)) {
        double flux = 0, x = 0, y = 0;
        Box box{1e9f, 1e9f, -1e9f, -1e9f};
        for (const Star& s : unit) {
            flux += s.flux, x += s.flux * s.x, y += s.flux * s.y;
            box = {std::min(box.x0, float(s.x - half)), std::min(box.y0, float(s.y - half)),
                   std::max(box.x1, float(s.x + half)), std::max(box.y1, float(s.y + half))};
        }
        if (!(x / flux >= 0 && x / flux < 200 && y / flux >= 0 && y / flux < 150)) continue;
        REQUIRE(next < t.units.size());
        const TruthUnit& u = t.units[next];
        CHECK(u.count == int(unit.size()));
        CHECK(u.label == u.count - 1);
        CHECK(u.box == box);
        CHECK(u.x == doctest::Approx(x / flux));
        CHECK(u.y == doctest::Approx(y / flux));
        CHECK(u.flux == doctest::Approx(flux));
        CHECK(u.chance[std::size_t(u.label)] == 1);
        CHECK(!u.soft);
        for (int k = 0; k < u.count; ++k) CHECK(t.stars[std::size_t(u.first + k)].unit == int(next));
        ++next;
    }
    CHECK(next == t.units.size());
    CHECK(next > 250);
    CHECK(t.stars.size() == stars.size());
}

TEST_CASE("truth: detectable labels of a mock are what its stars' signal-to-noise says") {
    Mock m;
    m.mag_max = 27.5, m.mag_limit = 28, m.faint_density = 0.02;
    const std::vector<Star> stars = make_mock(m, csst(), {}, {300, 200, 20, 3, 1});
    const auto grown = grown_units(stars);
    ThreadPool pool(2);
    const TruthOptions o;
    const Truth t = label_truth(pool, stars, csst(), {}, o, 300, 200);
    int fewer = 0, ignored = 0, soft = 0;
    for (std::size_t i = 0; i < t.units.size(); ++i) {
        const TruthUnit& u = t.units[i];
        float sum = 0;
        for (float p : u.chance) sum += p;
        if (u.label == label_ignored) {
            ++ignored;
            CHECK(sum == 0);
            for (int k = 0; k < u.count; ++k) CHECK(t.stars[std::size_t(u.first + k)].snr < o.certain_snr);
            continue;
        }
        CHECK(std::fabs(sum - 1) < 5 * 6e-8f);
        CHECK(u.label == std::min(u.count, 5) - 1);
        for (int k = 0; k < u.count; ++k) {
            const TruthStar& s = t.stars[std::size_t(u.first + k)];
            CHECK_MESSAGE((s.counts && s.snr >= 3 && s.unit == int(i)), s.snr);
            CHECK_MESSAGE((s.x > u.box.x0 && s.x < u.box.x1 && s.y > u.box.y0 && s.y < u.box.y1), s.x);
            if (k > 0) CHECK(s.flux <= t.stars[std::size_t(u.first + k - 1)].flux);
        }
        const int of = stars[std::size_t(t.stars[std::size_t(u.first)].source)].unit;
        const int members = int(grown[std::size_t(of)].size());
        fewer += u.count < members, soft += u.soft;
        CHECK(u.count <= members);
    }
    MESSAGE(t.units.size(), " units: ", fewer, " with fewer stars than grown, ", soft, " soft, ", ignored, " ignored");
    CHECK_MESSAGE((fewer > 0 && soft > 0 && ignored > 0), "all three kinds");
    CHECK(std::all_of(t.stars.begin(), t.stars.end(), [](const TruthStar& s) { return s.counts == (s.snr >= 3); }));
}

TEST_CASE("truth: chances of a count") {
    const std::vector<double> none, sure{1, 1, 1}, one{0.5}, mixed{1, 0.25, 0.5}, many(7, 1.0);
    CHECK(count_chances(none) == std::array<float, 5>{});
    CHECK(count_chances(sure) == std::array<float, 5>{0, 0, 1, 0, 0});
    CHECK(count_chances(one) == std::array<float, 5>{1, 0, 0, 0, 0});  // given that there is one
    CHECK(count_chances(mixed) == std::array<float, 5>{0.375f, 0.5f, 0.125f, 0, 0});
    CHECK(count_chances(many) == std::array<float, 5>{0, 0, 0, 0, 1});
    // Against all 2^7 outcomes.
    const std::vector<double> p{0.9, 0.1, 0.7, 0.3, 0.5, 0.6, 0.2};
    double brute[6]{}, some = 0;
    for (int bits = 1; bits < 128; ++bits) {
        double w = 1;
        int k = 0;
        for (int i = 0; i < 7; ++i) w *= bits >> i & 1 ? p[std::size_t(i)] : 1 - p[std::size_t(i)], k += bits >> i & 1;
        brute[std::min(k, 5)] += w, some += w;
    }
    for (int k = 1; k <= 5; ++k)
        CHECK(std::fabs(count_chances(p)[std::size_t(k - 1)] - brute[k] / some) < 1e-7);  // one rounding to float
}

TEST_CASE("truth: stars merge into brighter ones, chains don't") {
    const std::vector<PointSource> s{{10, 10, 5}, {10.4, 10, 10}, {10.8, 10, 4}, {11.2, 10, 3}, {20, 10, 1}};
    const auto m = merge_stars(s, 0.5);
    REQUIRE(m.size() == 3);
    CHECK(m[0].parts == std::vector<int>{1, 0, 2});
    CHECK(m[0].flux == 19);
    CHECK(m[0].x == doctest::Approx((10.4 * 10 + 10 * 5 + 10.8 * 4) / 19));
    CHECK(m[1].parts == std::vector<int>{3});  // near to one that has merged, not to the one it merged into
    CHECK(m[2].parts == std::vector<int>{4});
    const std::vector<PointSource> at_limit{{1, 1, 2}, {1.5, 1, 1}};
    CHECK(merge_stars(at_limit, 0.5).size() == 2);
}

TEST_CASE("truth: links need nearness and a moderate contrast; units are connected components") {
    const auto far = dist_max(csst(), 1, 1);
    const auto units = [](const std::vector<PointSource>& s) { return group_stars(s, csst(), {}); };
    CHECK(units({{10, 10, 1}, {10 + far - 1e-6, 10, 1}}).units.size() == 1);
    CHECK(units({{10, 10, 1}, {10 + far + 1e-6, 10, 1}}).units.size() == 2);
    CHECK(units({{10, 10, 10}, {11, 10, 1}}).units.size() == 1);  // 2.5 mag
    CHECK(units({{10, 10, 10.01}, {11, 10, 1}}).units.size() == 2);
    // A chain of three: the ends aren't linked but in one unit.
    const auto chain = units({{10, 10, 1}, {10 + 0.9 * far, 10, 2}, {10 + 1.8 * far, 10, 1}});
    REQUIRE(chain.units.size() == 1);
    CHECK(chain.units[0] == std::vector<int>{1, 0, 2});
    CHECK(!chain.percolated[0]);
}

TEST_CASE("truth: percolating units are split at the weakest links first") {
    // A row of equal stars 0.7 dist_max apart, one gap of 0.9: too wide, so it splits there.
    const double step = 0.7 * dist_max(csst(), 1, 1), gap = 0.9 * dist_max(csst(), 1, 1);
    std::vector<PointSource> row;
    for (int i = 0; i < 7; ++i) row.push_back({10 + i * step + (i > 2 ? gap - step : 0), 10, 1});
    REQUIRE(row.back().x - row.front().x > 4 * csst().fwhm());
    const Grouping g = group_stars(row, csst(), {});
    REQUIRE(g.units.size() == 2);
    CHECK(g.units[0] == std::vector<int>{0, 1, 2});
    CHECK(g.units[1] == std::vector<int>{3, 4, 5, 6});
    CHECK_MESSAGE((g.percolated[0] && g.percolated[1]), "both parts are flagged");

    // A field too dense to have small components, against the definition: take away the weakest link of any component
    // that is too large, until none is.
    Random r(1, 1);
    std::vector<PointSource> s;
    for (int i = 0; i < 250; ++i) s.push_back({r.uniform(0, 32), r.uniform(0, 32), std::pow(10, r.uniform(0, 1))});
    struct Link {
        int a, b;
        double weakness;
        bool cut = false;
    };
    std::vector<Link> links;
    for (int a = 0; a < int(s.size()); ++a)
        for (int b = a + 1; b < int(s.size()); ++b) {
            const PointSource &p = s[std::size_t(a)], &q = s[std::size_t(b)];
            const double bright = std::max(p.flux, q.flux), faint = std::min(p.flux, q.flux);
            const double w = std::hypot(p.x - q.x, p.y - q.y) / dist_max(csst(), bright, faint);
            if (bright <= 10 * faint && w < 1) links.push_back({a, b, w});
        }
    std::vector<int> component(s.size());
    std::vector<char> split(s.size(), 0);
    for (bool again = true; again;) {
        again = false;
        for (std::size_t i = 0; i < s.size(); ++i) component[i] = int(i);
        for (bool moved = true; moved;) {
            moved = false;
            for (const Link& l : links) {
                int &a = component[std::size_t(l.a)], &b = component[std::size_t(l.b)];
                if (!l.cut && a != b) a = b = std::min(a, b), moved = true;
            }
        }
        for (int c = 0; c < int(s.size()); ++c) {
            int n = 0;
            double widest = 0;
            for (std::size_t i = 0; i < s.size(); ++i)
                for (std::size_t j = 0; j < s.size(); ++j)
                    if (component[i] == c && component[j] == c)
                        n += i == j, widest = std::max(widest, std::hypot(s[i].x - s[j].x, s[i].y - s[j].y));
            if (n <= 8 && widest <= 4 * csst().fwhm()) continue;
            Link* worst = nullptr;
            for (Link& l : links)
                if (!l.cut && component[std::size_t(l.a)] == c && (!worst || l.weakness > worst->weakness)) worst = &l;
            worst->cut = again = true;
            for (std::size_t i = 0; i < s.size(); ++i) split[i] = split[i] || component[i] == c;
        }
    }
    const Grouping fine = group_stars(s, csst(), {});
    std::vector<int> unit(s.size(), -1);
    for (std::size_t u = 0; u < fine.units.size(); ++u)
        for (int i : fine.units[u]) {
            CHECK(unit[std::size_t(i)] == -1);
            unit[std::size_t(i)] = int(u);
            CHECK(bool(fine.percolated[u]) == bool(split[std::size_t(i)]));
        }
    int together = 0;
    for (std::size_t i = 0; i < s.size(); ++i)
        for (std::size_t j = 0; j < i; ++j) {
            CHECK((unit[i] == unit[j]) == (component[i] == component[j]));
            together += unit[i] == unit[j];
        }
    CHECK(together > 100);
    CHECK(std::count(fine.percolated.begin(), fine.percolated.end(), 1) > 10);
}

TEST_CASE("truth: units of a real scene") {
    const std::vector<Star> stars = random_stars(1500, 150, 20, 28, 7);
    for (Labels labels : {Labels::paper, Labels::detectable}) {
        const Truth t = label(stars, linked(labels), 150);
        std::size_t counted = 0;
        double flux = 0, sent = 0;
        for (const TruthUnit& u : t.units) {
            CHECK_MESSAGE((u.x >= 0 && u.x < 150 && u.y >= 0 && u.y < 150), u.x);
            CHECK(u.count <= 8);
            CHECK((u.label == label_ignored || u.label == std::min(u.count, 5) - 1));
            counted += std::size_t(u.count);
            for (int k = 0; k < u.count; ++k) CHECK(t.stars[std::size_t(u.first + k)].counts);
        }
        for (const TruthStar& s : t.stars) {
            flux += s.flux;
            if (s.counts && s.x > 0 && s.y > 0 && s.x < 150 && s.y < 150) CHECK(s.unit >= 0);
            if (labels == Labels::detectable && s.counts) CHECK(s.snr >= 3);
        }
        for (const Star& s : stars) sent += s.flux;
        CHECK(flux == doctest::Approx(sent).epsilon(1e-12));
        MESSAGE(stars.size(), " stars, ", counted, " count, in ", t.units.size(), " units");
        CHECK(counted > 100);
    }
}

TEST_CASE("truth: equal bits for any number of threads, and no memory of the order of the list") {
    std::vector<Star> stars = random_stars(3000, 200, 20, 28, 9);
    const Truth a = label(stars, linked(Labels::detectable), 200, 1);
    for (int threads : {2, 3}) {
        const Truth b = label(stars, linked(Labels::detectable), 200, threads);
        REQUIRE(b.stars.size() == a.stars.size());
        for (std::size_t i = 0; i < a.stars.size(); ++i)
            CHECK_MESSAGE((equal(a.stars[i].snr, b.stars[i].snr) && a.stars[i].unit == b.stars[i].unit), i);
        CHECK(std::equal(a.units.begin(), a.units.end(), b.units.begin(), b.units.end(),
                         [](const TruthUnit& u, const TruthUnit& v) {
                             return u.box == v.box && u.label == v.label && u.chance == v.chance;
                         }));
    }
    std::reverse(stars.begin(), stars.end());
    const Truth c = label(stars, linked(Labels::detectable), 200, 2);
    REQUIRE(c.units.size() == a.units.size());
    for (std::size_t i = 0; i < a.units.size(); ++i) CHECK(c.units[i].label == a.units[i].label);
}

TEST_CASE("truth: hostile lists") {
    const auto wrong = [](Star s) {
        CHECK_THROWS_AS(label({s}, linked(Labels::detectable), 50), Error);
        CHECK_THROWS_AS(label({s}, linked(Labels::paper), 50), Error);
    };
    const double nan = std::nan("");
    wrong({nan, 1, 20, 1, -1}), wrong({1, INFINITY, 20, 1, -1}), wrong({1, 1, 20, nan, -1}), wrong({1, 1, 20, -1, -1});
    CHECK(label({}, linked(Labels::detectable), 50).units.empty());
    CHECK(label({{25, 25, 20, 0, -1}}, linked(Labels::detectable), 50).units.empty());
    CHECK(label({{1e300, -1e300, 20, 1e5, -1}}, linked(Labels::detectable), 50).units.empty());
    CHECK(label({{25, 25, 20, 1e300, -1}}, linked(Labels::detectable), 50).stars.size() == 1);
    CHECK_THROWS_AS(label({{25, 25, 20, 1, 7}}, TruthOptions{}, 50), Error);  // there is no unit 7
    // Many in one place: none can be told from the others, or one is left.
    const std::vector<Star> pile(500, Star{25.3, 25.1, 20, electrons(20, {}), -1});
    CHECK(label(pile, linked(Labels::detectable), 50).units.size() <= 1);
    CHECK(label(pile, linked(Labels::paper), 50).units.size() == 1);
    // However many lie in a place: bounded work, and an Error where none could be told from the next.
    const std::vector<Star> heap(100000, Star{25.3, 25.1, 20, electrons(20, {}), -1});
    CHECK(label(heap, linked(Labels::paper), 50).units.size() == 1);
    CHECK(label(heap, linked(Labels::detectable), 50).units.empty());
    TruthOptions perfect = linked(Labels::detectable);
    perfect.limits.psf_error = 0;
    const std::vector<Star> bright(100000, Star{25.3, 25.1, 15, electrons(15, {}), -1});  // each alone above its noise
    CHECK_THROWS_AS(label(bright, perfect, 50), Error);
    const std::vector<Star> two(2, Star{25.3, 25.1, 20, electrons(20, {}), -1});
    const Truth t = label(two, linked(Labels::detectable), 50);
    REQUIRE(t.units.size() == 1);
    CHECK(t.units[0].label == 0);
    TruthOptions o;
    o.limits.min_snr = nan;
    CHECK_THROWS_AS(check_truth(o), Error);
    o = {}, o.rules.merge_px = 0;
    CHECK_THROWS_AS(check_truth(o), Error);
    CHECK_NOTHROW(check_truth({}));
}
