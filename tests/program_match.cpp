// Two catalogues matched and compared: against every pair looked at, and against what was put in.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>
#include <random>
#include <tuple>

#include "io/fits_writer.h"
#include "tests/program_run.h"
#include "tools/comparison.h"
#include "tools/matched_lists.h"

using namespace star;
using namespace star::test;

namespace {

double nan() { return std::numeric_limits<double>::quiet_NaN(); }

// Haversine: another formula than the chords of the code.
double apart_arcsec(double ra0, double dec0, double ra1, double dec1) {
    const double d = std::numbers::pi / 180, u = std::sin((dec1 - dec0) * d / 2), v = std::sin((ra1 - ra0) * d / 2);
    return 2 * std::asin(std::sqrt(u * u + std::cos(dec0 * d) * std::cos(dec1 * d) * v * v)) / d * 3600;
}

struct List {
    std::vector<double> x, y, mag, error;
};

std::string put_list(const Bench& b, const char* name, const List& l, bool sky) {
    Table t;
    t.name = "SOURCES";
    t.columns = {{sky ? "RA" : "X_IMAGE", sky ? "deg" : "pix", "", "pos", "", l.x},
                 {sky ? "DEC" : "Y_IMAGE", sky ? "deg" : "pix", "", "", "", l.y}};
    if (!l.mag.empty()) t.columns.push_back({"MAG_PSF", "mag", "", "", "", l.mag});
    if (!l.error.empty()) t.columns.push_back({"MAGERR_PSF", "mag", "", "", "", l.error});
    write_tables(b / name, {}, {t}, true);
    return b / name;
}

List random_list(std::mt19937_64& random, std::size_t n, double x0, double x1, double y0, double y1) {
    List l;
    std::uniform_real_distribution<double> x(x0, x1), y(y0, y1);
    for (std::size_t i = 0; i < n; ++i) l.x.push_back(x(random)), l.y.push_back(y(random));
    return l;
}

using Pairs = std::vector<std::tuple<int, int>>;
Pairs sorted(const std::vector<MatchedPair>& pairs) {
    Pairs s;
    for (const MatchedPair& p : pairs) s.emplace_back(p.a, p.b);
    std::sort(s.begin(), s.end());
    return s;
}

}  // namespace

TEST_CASE("match: in a plane, all pairs are those that looking at every pair gives") {
    std::mt19937_64 random(1);
    const List a = random_list(random, 400, -50, 60, 1e5, 1e5 + 90),
               b = random_list(random, 500, -50, 60, 1e5, 1e5 + 90);
    std::vector<Point> pa, pb;
    for (std::size_t i = 0; i < a.x.size(); ++i) pa.push_back({a.x[i], a.y[i], 0});
    for (std::size_t i = 0; i < b.x.size(); ++i) pb.push_back({b.x[i], b.y[i], 0});
    pa[7].x = nan(), pb[8].y = INFINITY;
    const auto pairs = pairs_within(pa, pb, 3.5);
    Pairs truth;
    for (int i = 0; i < 400; ++i)
        for (int j = 0; j < 500; ++j)
            if (std::hypot(pa[std::size_t(i)].x - pb[std::size_t(j)].x, pa[std::size_t(i)].y - pb[std::size_t(j)].y) <=
                3.5)
                truth.emplace_back(i, j);
    REQUIRE(truth.size() > 500);
    CHECK(sorted(pairs) == truth);
    CHECK(std::is_sorted(pairs.begin(), pairs.end(), [](auto& p, auto& q) { return p.distance < q.distance; }));
    const auto swapped = pairs_within(pb, pa, 3.5);
    const auto one = one_to_one(pairs, 400, 500), other = one_to_one(swapped, 500, 400);
    // Stable: no pair of the list has two ends that would both rather have each other.
    std::vector<double> best_a(400, INFINITY), best_b(500, INFINITY);
    for (const auto& p : one) {
        CHECK(best_a[std::size_t(p.a)] == INFINITY);
        CHECK(best_b[std::size_t(p.b)] == INFINITY);
        best_a[std::size_t(p.a)] = best_b[std::size_t(p.b)] = p.distance;
    }
    for (const auto& p : pairs)
        CHECK((p.distance >= best_a[std::size_t(p.a)] || p.distance >= best_b[std::size_t(p.b)]));
    REQUIRE(one.size() == other.size());
    Pairs back;
    for (const auto& p : other) back.emplace_back(p.b, p.a);
    std::sort(back.begin(), back.end());
    CHECK(sorted(one) == back);
}

TEST_CASE("match: on the sky, across the meridian and over the pole") {
    const Bench bench;
    std::mt19937_64 random(2);
    struct Field {
        double x0, x1, y0, y1, radius;
    };
    for (const Field& f :
         {Field{-0.05, 0.05, -0.02, 0.02, 3.0}, {0, 360, 89.98, 90, 4.0}, {200, 200.03, 60, 60.02, 1.0}}) {
        List a = random_list(random, 300, f.x0, f.x1, f.y0, f.y1), b = random_list(random, 300, f.x0, f.x1, f.y0, f.y1);
        for (std::vector<double>* x : {&a.x, &b.x})
            for (double& v : *x) v = v < 0 ? v + 360 : v;
        for (std::size_t i = 0; i < 100; ++i) b.x[i] = a.x[i], b.y[i] = a.y[i] - 0.5 / 3600;
        const MatchRadius radius{f.radius, true};
        const PlacedList pa = read_placed_list(put_list(bench, "a.fits", a, true), {}, true),
                         pb = read_placed_list(put_list(bench, "b.fits", b, true), {}, true);
        const MatchedLists m = match_lists(pa, pb, radius, true);
        std::size_t truth = 0, at_edge = 0;
        for (std::size_t i = 0; i < 300; ++i)
            for (std::size_t j = 0; j < 300; ++j) {
                const double d = apart_arcsec(a.x[i], a.y[i], b.x[j], b.y[j]);
                truth += d <= f.radius, at_edge += std::abs(d - f.radius) < 1e-6;
            }
        REQUIRE(at_edge == 0);
        CHECK(m.pairs.size() == truth);
        REQUIRE(truth >= 100);
        for (std::size_t k = 0; k < m.pairs.size(); ++k) {
            const auto i = std::size_t(m.pairs[k].a), j = std::size_t(m.pairs[k].b);
            // Chords of doubles: 1e-16 of the radius of the sphere, 2e-11 arcsec, over small angles.
            CHECK(std::abs(m.pairs[k].distance - apart_arcsec(a.x[i], a.y[i], b.x[j], b.y[j])) < 1e-8);
            if (std::abs(a.y[i]) < 80) CHECK(std::abs(std::hypot(m.dx[k], m.dy[k]) - m.pairs[k].distance) < 1e-6);
        }
    }
}

TEST_CASE("match: the chance level is that of lists that have nothing to do with each other") {
    const Bench bench;
    std::mt19937_64 random(3);
    // 2,000 and 4,000 points in 400 x 400 px, 1.5 px: each of the first has 4000 pi 1.5^2 / 400^2 = 0.177 of the second
    // near.
    const List a = random_list(random, 2000, 0, 400, 0, 400), b = random_list(random, 4000, 0, 400, 0, 400);
    const MatchedLists m =
        match_lists(read_placed_list(put_list(bench, "a.fits", a, false), {}, false),
                    read_placed_list(put_list(bench, "b.fits", b, false), {}, false), {1.5, false}, false);
    const double share = m.share_a(), error = std::sqrt(share * (1 - share) / 2000);
    // Both are the same quantity, the second one from eight times as many rows; 5 standard deviations of the
    // difference, and what the shifts lose at the edges: 15 of 400 px at most on one side each, with half of it on
    // average.
    CHECK(std::abs(m.chance_of_a() - share) < 5 * error * std::sqrt(1 + 1.0 / 8) + share * 15 / 400.0);
    CHECK(share > 0.12);
    CHECK(share < 0.177);
    CHECK(m.inside_a() > 1990);
}

TEST_CASE("match: the program joins two catalogues") {
    const Bench b;
    b.put("a.csv", "id,x,y,mag\n1,10,20,20.5\n2,30.25,40,21\n3,50,60,22\n");
    // 1-based here, so that the first row is (10, 20) from zero, moved by 0.25 px along x.
    b.put("b.cat",
          "# 1 NUMBER n\n# 2 X_IMAGE x [pixel]\n# 3 Y_IMAGE y [pixel]\n# 4 MAG_AUTO m [mag]\n"
          "7 31.5 41 21.25\n8 11.25 21 20.75\n9 200 200 19\n");
    const Outcome o = b.must("match a.csv b.cat --radius 1px -o pairs.fits");
    CHECK(o.out.find("2 pairs within 1 px") != std::string::npos);
    CHECK(o.out.find("x +0.2500 (scatter 0.0000)") != std::string::npos);
    CHECK(o.out.find("MAG_AUTO - mag: +0.2500") != std::string::npos);
    const Table t = read_table(b / "pairs.fits", "MATCH");
    CHECK(t.numbers("id") == std::vector<double>{1, 2});
    CHECK(t.numbers("NUMBER") == std::vector<double>{8, 7});
    CHECK(t.numbers("SEPARATION") == std::vector<double>{0.25, 0.25});
    CHECK(verified(b, "pairs.fits").value_or(true));
    b.must("match -q a.csv a.csv --radius 100px --all -o all.csv");
    const std::string all = b.get("all.csv");
    CHECK(all.rfind("id_1,x_1,y_1,mag_1,id_2,x_2,y_2,mag_2,SEPARATION\n", 0) == 0);
    CHECK(std::count(all.begin(), all.end(), '\n') == 1 + 9);
    b.refused("match a.csv b.cat --radius 1", 2, {"--radius", "arcsec"});
    b.refused("match a.csv b.cat --radius -1px", 2, {"--radius"});
    b.refused("match a.csv b.cat --radius 1arcsec", 3, {"a.csv", "no column for ra"});
    b.refused("match a.csv b.cat --radius 1px --columns-a x=there", 3, {"a.csv", "there"});
    b.refused("match a.csv b.cat --radius 1px -o a.csv --overwrite", 2, {"a.csv", "input"});
    b.refused("match a.csv absent.csv --radius 1px", 3, {"absent.csv"});
    b.put("hours.ecsv",
          "# %ECSV 1.0\n# datatype:\n# - {name: ra, unit: hourangle, datatype: float64}\n"
          "# - {name: dec, unit: deg, datatype: float64}\nra dec\n1 2\n");
    b.refused("match hours.ecsv hours.ecsv --radius 1arcsec", 3, {"hours.ecsv", "ra is in hourangle", "deg"});
    b.put("pole.csv", "ra,dec\n1,91\n");
    b.refused("match pole.csv pole.csv --radius 1arcsec", 3, {"pole.csv", "row 1"});
}

TEST_CASE("compare: medians, scatter, completeness and its interval are those of what was put in") {
    const Bench b;
    List one, two;
    // 100 stars of each half magnitude; in the second list 20, 40, 60, ... of them, moved and fainter by known amounts.
    for (int bin = 0; bin < 5; ++bin)
        for (int i = 0; i < 100; ++i) {
            const double x = 10 + 20 * i, y = 10 + 20 * bin, mag = 20.25 + 0.5 * bin;
            one.x.push_back(x), one.y.push_back(y), one.mag.push_back(mag), one.error.push_back(0.03);
            if (i < 95 && i >= 20 * (bin + 1)) continue;  // the last ones stay, so that the lists' outlines agree
            two.x.push_back(x + 0.3), two.y.push_back(y - 0.2), two.error.push_back(0.04);
            two.mag.push_back(mag + 0.1 * bin + (i % 2 ? 0.05 : -0.05));
        }
    put_list(b, "one.fits", one, false), put_list(b, "two.fits", two, false);
    const Outcome o = b.must("compare one.fits two.fits --radius 1px --json c.json --html c.html");
    CHECK(o.out.find("of one.fits, found in two.fits") != std::string::npos);
    const auto json = nlohmann::json::parse(b.get("c.json"));
    CHECK(json["schema"] == "starblend-comparison-1");
    CHECK(json["x"]["median"].get<double>() == doctest::Approx(0.3).epsilon(1e-9));
    CHECK(json["y"]["median"].get<double>() == doctest::Approx(-0.2).epsilon(1e-9));
    REQUIRE(json["by_magnitude"].size() == 5);
    for (int bin = 0; bin < 5; ++bin) {
        const auto& in = json["by_magnitude"][std::size_t(bin)];
        const auto& found = json["first_found_in_second"][std::size_t(bin)];
        const int n = std::min(100, 20 * (bin + 1) + 5);
        CHECK(in["from"] == 20 + 0.5 * bin);
        CHECK(in["pairs"] == n);
        CHECK(std::abs(in["magnitude"]["median"].get<double>() - 0.1 * bin) <= 0.05 + 1e-9);
        CHECK(in["expected_scatter"].get<double>() == doctest::Approx(0.05));
        CHECK(found["rows"] == 100);
        CHECK(found["share"].get<double>() == doctest::Approx(n / 100.0));
        CHECK(found["chance"] == 0);
        // Wilson's limits solve (p - limit)^2 = limit (1 - limit) / n.
        for (const char* end : {"low", "high"}) {
            const double limit = found[end].get<double>(), p = n / 100.0;
            CHECK(std::pow(p - limit, 2) == doctest::Approx(limit * (1 - limit) / 100).epsilon(1e-9));
        }
    }
    for (const auto& bin : json["second_found_in_first"]) CHECK(bin["share"] == 1);
    const std::string html = b.get("c.html");
    CHECK(html.find("<svg") != std::string::npos);
    CHECK(html.find("http") == std::string::npos);
    b.put("bare.csv", "x,y\n1,2\n");
    b.refused("compare one.fits bare.csv --radius 1px", 3, {"bare.csv", "magnitudes", "mag=NAME"});
    b.refused("compare one.fits two.fits --radius 1px --json a --html a", 2, {"a", "two outputs"});
    b.refused("compare one.fits two.fits --radius 1px --json one.fits --overwrite", 2, {"one.fits", "input"});
}

TEST_CASE("match: lists without rows, or without a place, match nothing") {
    const Bench b;
    b.put("none.csv", "x,y\n");
    b.put("nan.csv", "x,y\nnan,nan\n1,1\n");
    const Outcome o = b.must("match none.csv nan.csv --radius 1px");
    CHECK(o.out.find("0 pairs") != std::string::npos);
    CHECK(b.must("match nan.csv nan.csv --radius 1px").out.find("1 pairs") != std::string::npos);
}
