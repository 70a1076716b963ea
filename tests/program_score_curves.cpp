// Precision-recall curves, average precision and profiles whose values are known.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "kernels/random.h"
#include "tools/score_evaluation.h"

using namespace star;

namespace {

Box square(double x, double y, double half) {
    return {float(x - half), float(y - half), float(x + half), float(y + half)};
}
Wanted unit(double x, double y, int label) { return {square(x, y, 3), x, y, label, label + 1}; }
Found seen(double x, double y, int label, double score) {
    return {square(x, y, 3), x, y, score, label, double(label + 1)};
}

RankedDetections ranked(const std::vector<ScoredField>& fields) {
    RankedDetections r;
    for (std::size_t i = 0; i < fields.size(); ++i)
        r.add(int(i), fields[i].wanted, fields[i].found, Matcher(fields[i], {}).match(fields[i].found));
    r.sort();
    return r;
}

// Four units of one star; in order of score: hit, noise, hit, noise, noise, hit. Precisions at the hits: 1, 2/3, 3/6.
ScoredField by_hand() {
    return {100,
            100,
            {seen(20, 20, 0, 0.9), seen(50, 50, 0, 0.8), seen(40, 20, 0, 0.7), seen(50, 70, 0, 0.6),
             seen(70, 50, 0, 0.5), seen(60, 20, 1, 0.4)},
            {unit(20, 20, 0), unit(40, 20, 0), unit(60, 20, 0), unit(80, 20, 0)}};
}

// All-point interpolation from its definition: for each recall level reached, the best precision from there on.
double area(std::vector<std::pair<double, bool>> scored, double units) {
    std::sort(scored.begin(), scored.end(), [](auto& a, auto& b) { return a.first > b.first; });
    double sum = 0;
    for (std::size_t i = 0; i < scored.size(); ++i) {
        if (!scored[i].second) continue;
        double best = 0;
        for (std::size_t j = i; j < scored.size(); ++j) {
            double hits = 0;
            for (std::size_t k = 0; k <= j; ++k) hits += scored[k].second;
            best = std::max(best, hits / double(j + 1));
        }
        sum += best / units;
    }
    return sum;
}

const Figure& figure(const Evaluation& e, const std::string& name) {
    for (const Figure& f : e.figures)
        if (f.name == name) return f;
    FAIL("no figure " << name);
    return e.figures.front();
}

const Profile& profile(const Evaluation& e, const std::string& what, const std::string& by) {
    for (const Profile& p : e.profiles)
        if (p.figure == what && p.by == by) return p;
    FAIL("no profile " << what << " by " << by);
    return e.profiles.front();
}

}  // namespace

TEST_CASE("average precision by hand") {
    const RankedDetections r = ranked({by_hand()});
    CHECK(std::abs(r.average_precision(any_class) - (1 + 2.0 / 3 + 0.5) / 4) < 1e-15);
    CHECK(std::abs(r.average_precision(0) - (1 + 2.0 / 3) / 4) < 1e-15);  // the last hit is called two: none of class 1
    CHECK(std::isnan(r.average_precision(1)));                            // no unit of two stars
    const auto points = r.curve(any_class, 0);
    REQUIRE(points.size() == 6);
    CHECK(points.front().recall == 0.25);
    CHECK(points.front().precision == 1);
    CHECK(points.back().recall == 0.75);
    CHECK(points.back().precision == 0.5);
    CHECK(points.back().score == 0.4);
    CHECK(ranked({{100, 100, {}, {unit(20, 20, 0)}}}).average_precision(any_class) == 0);
}

TEST_CASE("equal scores come in together, in any order of rows") {
    ScoredField f = by_hand();
    for (Found& d : f.found) d.score = 0.5;
    const RankedDetections r = ranked({f});
    CHECK(r.curve(any_class, 0).size() == 1);
    CHECK(r.average_precision(any_class) == 0.75 * 0.5);
    std::reverse(f.found.begin(), f.found.end());
    CHECK(ranked({f}).average_precision(any_class) == 0.75 * 0.5);
}

TEST_CASE("average precision is what its definition says, and fields count as often as they are told") {
    Random random(5, 1);
    std::vector<ScoredField> fields;
    std::vector<std::pair<double, bool>> scored, twice;
    double units = 0;
    for (int i = 0; i < 3; ++i) {
        ScoredField f{200, 200, {}, {}};
        for (int k = 0; k < 60; ++k) {
            const double x = 10 + 20 * (k % 9), y = 10 + 20 * (k / 9), score = random.uniform();
            const bool there = random.below(3) > 0;
            f.wanted.push_back(unit(x, y, random.below(5)));
            f.found.push_back(seen(there ? x : x + 10, there ? y : y + 10, random.below(5), score));
            scored.emplace_back(score, there), ++units;
            if (i == 1) twice.emplace_back(score, there), twice.emplace_back(score, there);
        }
        fields.push_back(std::move(f));
    }
    const RankedDetections r = ranked(fields);
    CHECK(std::abs(r.average_precision(any_class) - area(scored, units)) < 1e-12);
    CHECK(std::abs(r.average_precision(any_class, {0, 2, 0}) - r.average_precision(any_class, {0, 1, 0})) < 1e-12);
    const Evaluation e = evaluate(fields, {}, 1);
    for (int k = 0; k < classes_scored; ++k) {
        // The curve of a class ends at the confusion matrix's precision and recall; F1 is their harmonic mean.
        const double p = figure(e, "precision of " + class_name(k)).value,
                     q = figure(e, "recall of " + class_name(k)).value;
        const auto curve =
            std::find_if(e.curves.begin(), e.curves.end(), [&](auto& c) { return c.of == class_name(k); });
        REQUIRE(curve != e.curves.end());
        CHECK(std::abs(curve->points.back().precision - p) < 1e-15);
        CHECK(std::abs(curve->points.back().recall - q) < 1e-15);
        CHECK(std::abs(figure(e, "F1 of " + class_name(k)).value - 2 * p * q / (p + q)) < 1e-15);
    }
    const Figure& ap = figure(e, "AP of any");
    CHECK(ap.low < ap.high);
    CHECK(ap.low <= ap.value);
    CHECK(ap.value <= ap.high);
    CHECK(ap.chance < 0.5 * ap.value);
}

TEST_CASE("profiles by hand") {
    // Units of magnitude 20.1 and 20.6 found, one of 20.7 missed; one detection of 25.2 is noise.
    ScoredField f{100, 100, {seen(30, 30, 0, 0.9), seen(42, 30, 2, 0.8), seen(70, 70, 0, 0.7)}, {}};
    f.found[0].magnitude = 20.2, f.found[1].magnitude = 20.9, f.found[2].magnitude = 25.2;
    f.wanted = {unit(30, 30, 0), unit(42, 30, 1), unit(30, 39, 2)};
    f.wanted[0].magnitude = 20.1, f.wanted[1].magnitude = 20.6, f.wanted[2].magnitude = 20.7;
    f.wanted[1].flux_ratio = 1.7, f.wanted[2].flux_ratio = 4;
    const Evaluation e = evaluate({f}, {}, 1);

    const Profile& bright = profile(e, "completeness", "magnitude");
    REQUIRE(bright.bins.size() == 2);
    CHECK(bright.bins[0].from == 20);
    CHECK(bright.bins[0].value == 1);
    CHECK(bright.bins[1].from == 20.5);
    CHECK(bright.bins[1].to == 21);
    CHECK(bright.bins[1].n == 2);
    CHECK(bright.bins[1].value == 0.5);
    CHECK(std::isnan(bright.bins[1].low));  // one field

    const Profile& pure = profile(e, "purity", "magnitude");
    REQUIRE(pure.bins.size() == 3);
    CHECK(pure.bins[2].from == 25);
    CHECK(pure.bins[2].value == 0);

    const Profile& apart = profile(e, "completeness", "separation");  // 9, 12 and 9 px
    REQUIRE(apart.bins.size() == 2);
    CHECK(apart.bins[0].from == 8);
    CHECK(apart.bins[0].n == 2);
    CHECK(apart.bins[0].value == 0.5);
    CHECK(apart.bins[1].from == 12);
    CHECK(apart.bins[1].n == 1);

    const Profile& mixed = profile(e, "right class", "flux ratio");  // the one found is called three
    REQUIRE(mixed.bins.size() == 1);
    CHECK(mixed.bins[0].from == 1.5);
    CHECK(mixed.bins[0].value == 0);

    // Three units within 20 px: 3 / (400 pi) = 2.39 per 1000 px^2 where the circle lies in the field.
    const Profile& dense = profile(e, "completeness", "density");
    REQUIRE(dense.bins.size() == 1);
    CHECK(dense.bins[0].from == 2);
    CHECK(dense.bins[0].n == 3);
}

TEST_CASE("what isn't known is in no bin") {
    const Evaluation e = evaluate({by_hand()}, {}, 1);
    for (const Profile& p : e.profiles) {
        CHECK(p.by != "magnitude");
        CHECK(p.by != "flux ratio");
    }
    CHECK(e.reliability.empty());
    CHECK(std::isnan(figure(e, "Brier score of P1-P5").value));
}
