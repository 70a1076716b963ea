// The scores of catalogues whose scores are known.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <numbers>

#include "kernels/check.h"
#include "kernels/random.h"
#include "tools/score_evaluation.h"
#include "tools/score_report.h"

using namespace star;

namespace {

Box square(double x, double y, double half) {
    return {float(x - half), float(y - half), float(x + half), float(y + half)};
}

Wanted unit(double x, double y, int label, double half = 3) {
    return {square(x, y, half), x, y, label, label == label_ignored ? 1 : label + 1};
}

Found seen(double x, double y, int label, double score, double half = 3) {
    return {square(x, y, half), x, y, score, label, double(label + 1)};
}

// 100 units 10 px apart, whose boxes don't touch; none is nearer than 5 px to the edge.
ScoredField grid() {
    ScoredField f{100, 100, {}, {}};
    for (int i = 0; i < 100; ++i) f.wanted.push_back(unit(5 + 10 * (i % 10), 5 + 10 * (i / 10), i % 5));
    return f;
}

ScoredField perfect() {
    ScoredField f = grid();
    for (std::size_t i = 0; i < f.wanted.size(); ++i) {
        const Wanted& w = f.wanted[i];
        f.found.push_back({w.box, w.x, w.y, 1 - 0.001 * double(i), w.label, double(w.stars)});
    }
    return f;
}

constexpr MatchRule by_box{}, by_centre{MatchRule::By::centre};

std::int64_t matched(const Tally& t) {
    std::int64_t n = 0;
    for (std::size_t i = 0; i < classes_scored; ++i)
        for (std::size_t j = 0; j < classes_scored; ++j) n += t.matrix[i][j];
    return n;
}
std::int64_t noise(const Tally& t) {
    std::int64_t n = 0;
    for (std::size_t j = 0; j < classes_scored; ++j) n += t.matrix[nothing_there][j];
    return n;
}
std::int64_t missed(const Tally& t) {
    std::int64_t n = 0;
    for (std::size_t i = 0; i < classes_scored; ++i) n += t.matrix[i][nothing_there];
    return n;
}

template <class Row>
void shuffle(std::vector<Row>& rows, Random& r) {
    for (std::size_t i = rows.size(); i > 1; --i) std::swap(rows[i - 1], rows[std::size_t(r.below(int(i)))]);
}

}  // namespace

TEST_CASE("a perfect catalogue scores perfectly") {
    for (const MatchRule& rule : {by_box, by_centre}) {
        const Tally t = score_field(perfect(), rule);
        const Scores s = scores_of(t);
        CHECK(matched(t) == 100);
        CHECK(t.units_left_out == 0);
        for (std::size_t k = 0; k < classes_scored; ++k) {
            CHECK(s.precision[k] == 1);
            CHECK(s.recall[k] == 1);
        }
        CHECK(s.missed == 0);
        CHECK(s.false_alarms == 0);
        CHECK(s.balanced_accuracy == 1);
        CHECK(s.class_accuracy == 1);
        CHECK(s.mean_error == 0);
        CHECK(std::isnan(s.within_one));  // no errors to share out
        CHECK(s.star_bias == 1);
    }
}

TEST_CASE("an empty catalogue misses everything") {
    ScoredField f = grid();
    const Tally t = score_field(f, by_box);
    CHECK(missed(t) == 100);
    CHECK(noise(t) == 0);
    const Scores s = scores_of(t);
    CHECK(s.missed == 1);
    CHECK(std::isnan(s.false_alarms));
    CHECK(std::isnan(s.precision[0]));
    CHECK(s.recall[0] == 0);
    CHECK(s.star_bias == 0);
    f.wanted.clear();
    const Scores nothing = scores_of(score_field(f, by_box));
    CHECK(std::isnan(nothing.missed));
    CHECK(std::isnan(nothing.star_bias));
}

TEST_CASE("a catalogue shifted by half the units' spacing finds nothing") {
    ScoredField f = perfect();
    for (Found& d : f.found) {
        d.x += 5, d.y += 5;
        d.box = square(d.x, d.y, 3);
    }
    for (const MatchRule& rule : {by_box, by_centre}) {
        const Tally t = score_field(f, rule);
        CHECK(matched(t) == 0);
        CHECK(missed(t) == 100);
        CHECK(noise(t) + t.found_left_out == 100);
        CHECK(t.found_left_out == 19);  // the last row and column, whose centres are at 100: in the band at the edge
    }
}

TEST_CASE("a doubled catalogue is right once") {
    ScoredField f = perfect();
    const auto once = f.found;
    for (Found d : once) {
        d.score -= 0.5, d.x += 0.1, d.label = (d.label + 1) % classes_scored;
        f.found.push_back(d);
    }
    for (const MatchRule& rule : {by_box, by_centre}) {
        const Tally t = score_field(f, rule);
        CHECK(matched(t) == 100);
        CHECK(noise(t) == 100);
        CHECK(scores_of(t).class_accuracy == 1);  // the better score comes first
        CHECK(scores_of(t).false_alarms == 0.5);
        CHECK(scores_of(t).star_bias == 2);
    }
}

TEST_CASE("one huge box is one false alarm") {
    ScoredField f = grid();
    f.found.push_back({{0, 0, 100, 100}, 50, 50, 1, 4, 5});
    const Tally t = score_field(f, by_box);
    CHECK(matched(t) == 0);
    CHECK(noise(t) == 1);
    CHECK(missed(t) == 100);
}

TEST_CASE("the least IoU counts, just below doesn't") {
    // Boxes 6 px wide, shifted along x: IoU = (6 - d) / (6 + d) = 0.2 at d = 4.
    for (const auto& [d, hits] : {std::pair{3.99, 1}, {4.01, 0}}) {
        const ScoredField f{40, 40, {seen(20 + d, 20, 0, 1)}, {unit(20, 20, 0)}};
        CHECK(matched(score_field(f, by_box)) == hits);
    }
    for (const auto& [d, hits] : {std::pair{1.0, 1}, {1.001, 0}}) {
        const ScoredField f{40, 40, {seen(20 + d, 20, 0, 1)}, {unit(20, 20, 0)}};
        CHECK(matched(score_field(f, by_centre)) == hits);
    }
    // Boxes of another shape: a fifth of the unit's width, inside it.
    const ScoredField inside{40, 40, {{{20, 15, 22, 25}, 21, 20, 1, 0, 1}}, {{{15, 15, 25, 25}, 20, 20, 0, 1}}};
    CHECK(matched(score_field(inside, by_box)) == 1);
}

TEST_CASE("a detection takes the best free unit; the better detection chooses first") {
    // The first detection is nearer to unit 1 (IoU 5/7 against 3/9), the second lies on unit 1 but comes later.
    ScoredField f{60, 60, {seen(24, 20, 0, 0.9), seen(25, 20, 1, 0.8)}, {unit(21, 20, 0), unit(25, 20, 1)}};
    const Tally t = score_field(f, by_box);
    CHECK(t.matrix[1][0] == 1);  // the first took unit 1
    CHECK(t.matrix[0][1] == 1);  // the second is left with unit 0, IoU 0.2
    std::swap(f.found[0].score, f.found[1].score);
    const Tally swapped = score_field(f, by_box);
    CHECK(swapped.matrix[1][1] == 1);
    CHECK(swapped.matrix[0][0] == 1);
}

TEST_CASE("three units by hand") {
    // Unit a: one star, called two. Unit b: three stars, called three. Unit c: two stars, missed. One detection on
    // nothing, called five or more.
    const ScoredField f{100,
                        100,
                        {seen(20, 20, 1, 0.9), seen(50, 50, 2, 0.8), seen(80, 80, 4, 0.7)},
                        {unit(20.5, 20, 0), unit(50, 50.5, 2), unit(80, 20, 1)}};
    const Tally t = score_field(f, by_box);
    Tally by_hand;
    by_hand.matrix[0][1] = by_hand.matrix[2][2] = by_hand.matrix[1][nothing_there] = by_hand.matrix[nothing_there][4] =
        1;
    by_hand.stars_expected = 2 + 3 + 5;
    by_hand.stars_true = 1 + 3 + 2;
    CHECK(t == by_hand);
    CHECK(score_field(f, by_centre) == by_hand);
    const Scores s = scores_of(t);
    CHECK(std::isnan(s.precision[0]));
    CHECK(s.precision[1] == 0);
    CHECK(s.precision[2] == 1);
    CHECK(std::isnan(s.precision[3]));
    CHECK(s.precision[4] == 0);
    CHECK(s.recall[0] == 0);
    CHECK(s.recall[1] == 0);
    CHECK(s.recall[2] == 1);
    CHECK(std::isnan(s.recall[3]));
    CHECK(s.missed == 1.0 / 3);
    CHECK(s.false_alarms == 1.0 / 3);
    CHECK(s.balanced_accuracy == 1.0 / 3);
    CHECK(s.class_accuracy == 0.5);
    CHECK(s.mean_error == 0.5);
    CHECK(s.within_one == 1);
    CHECK(s.star_bias == 10.0 / 6);
}

TEST_CASE("errors by more than one star") {
    Tally t;
    t.matrix[0][4] = 1, t.matrix[3][2] = 2, t.matrix[1][1] = 5;
    const Scores s = scores_of(t);
    CHECK(s.within_one == 2.0 / 3);
    CHECK(s.mean_error == 6.0 / 8);
    CHECK(s.class_accuracy == 5.0 / 8);
}

TEST_CASE("ignored units are neither hit nor miss") {
    ScoredField f{100, 100, {}, {unit(20, 20, label_ignored), unit(50, 50, 0)}};
    const Tally unseen = score_field(f, by_box);
    CHECK(unseen.units_left_out == 1);
    CHECK(missed(unseen) == 1);
    CHECK(unseen.stars_true == 1);
    f.found = {seen(20, 20, 2, 0.9), seen(20.5, 20, 1, 0.8), seen(50, 50, 0, 0.7)};
    for (const MatchRule& rule : {by_box, by_centre}) {
        const Tally t = score_field(f, rule);
        CHECK(matched(t) == 1);
        CHECK(noise(t) == 0);
        CHECK(t.found_left_out == 2);
        CHECK(t.stars_expected == 1);
    }
    // A real unit goes before an ignored one that fits better.
    const ScoredField both{100, 100, {seen(20, 20, 0, 1)}, {unit(20, 20, label_ignored), unit(20.5, 20, 0)}};
    CHECK(matched(score_field(both, by_box)) == 1);
    CHECK(matched(score_field(both, by_centre)) == 1);
}

TEST_CASE("units and detections at the edge are left out") {
    // Centres at 3.9 px from an edge are left out, at 4 px they count.
    ScoredField f{100, 100, {}, {unit(3.9, 50, 0), unit(4, 30, 0), unit(50, 96.1, 0), unit(50, 96, 0)}};
    const Tally unseen = score_field(f, by_box);
    CHECK(unseen.units_left_out == 2);
    CHECK(missed(unseen) == 2);
    f.found = {seen(4.5, 50, 0, 0.9),  // inside, on a unit that is left out: left out
               seen(3.5, 30, 0, 0.8),  // at the edge, on a unit that counts: counts
               seen(2, 80, 0, 0.7),    // at the edge, on nothing: left out
               seen(20, 80, 0, 0.6)};  // inside, on nothing: noise
    for (const MatchRule& rule : {by_box, by_centre}) {
        const Tally t = score_field(f, rule);
        CHECK(t.matrix[0][0] == 1);
        CHECK(missed(t) == 1);
        CHECK(noise(t) == 1);
        CHECK(t.found_left_out == 2);
    }
}

TEST_CASE("the order of rows doesn't matter") {
    Random r(7, 0);
    ScoredField f{300, 200, {}, {}};
    for (int i = 0; i < 600; ++i) {  // crowded, with equal scores and equal places
        f.wanted.push_back(unit(r.below(300), r.below(200), i % 7 == 0 ? label_ignored : r.below(5), 2 + r.below(4)));
        f.found.push_back(seen(r.below(300), r.below(200), r.below(5), 0.1 * r.below(10), 2 + r.below(4)));
    }
    for (MatchRule rule : {by_box, by_centre}) {
        rule.radius = 3;
        const Tally t = score_field(f, rule), c = score_by_chance(f, rule);
        CHECK(matched(t) > 50);
        for (int i = 0; i < 5; ++i) {
            ScoredField g = f;
            shuffle(g.wanted, r);
            shuffle(g.found, r);
            CHECK(score_field(g, rule) == t);
            CHECK(score_by_chance(g, rule) == c);
        }
    }
}

TEST_CASE("the search finds what a double loop finds") {
    Random r(11, 0);
    ScoredField f{120, 90, {}, {}};
    for (int i = 0; i < 150; ++i) {
        const double x = r.uniform(-5, 125), y = r.uniform(-5, 95), w = r.uniform(0.5, 20), h = r.uniform(0.5, 20);
        f.wanted.push_back({{float(x), float(y), float(x + w), float(y + h)}, x + w / 2, y + h / 2, r.below(5), 1});
    }
    for (int i = 0; i < 150; ++i) {
        const double x = r.uniform(-5, 125), y = r.uniform(-5, 95), w = r.uniform(0.5, 40), h = r.uniform(0.5, 40);
        f.found.push_back(
            {{float(x), float(y), float(x + w), float(y + h)}, x + w / 2, y + h / 2, r.uniform(), r.below(5), 1});
    }
    std::sort(f.found.begin(), f.found.end(), [](auto& a, auto& b) { return a.score > b.score; });
    for (MatchRule rule : {by_box, by_centre}) {
        rule.edge = 0;
        rule.radius = 5;
        std::vector<bool> taken(f.wanted.size(), false);
        std::int64_t hits = 0;
        for (const Found& d : f.found) {
            std::size_t best = f.wanted.size();
            double quality = rule.by == MatchRule::By::box ? rule.least_iou : -rule.radius;
            for (std::size_t i = 0; i < f.wanted.size(); ++i) {
                const Wanted& w = f.wanted[i];
                const double q =
                    rule.by == MatchRule::By::box ? double(iou(d.box, w.box)) : -std::hypot(d.x - w.x, d.y - w.y);
                if (!taken[i] && q >= quality) quality = q, best = i;
            }
            if (best == f.wanted.size()) continue;
            taken[best] = true;
            const Wanted& w = f.wanted[best];
            hits += w.x >= 0 && w.y >= 0 && w.x <= f.width && w.y <= f.height;
        }
        CHECK(hits > 20);
        CHECK(matched(score_field(f, rule)) == hits);
    }
}

TEST_CASE("a random list scores what chance expects, and its chance level says so") {
    // n units and n detections, uniform and independent. A unit lies within r of a detection with p = pi r^2 / A; it is
    // unmatched only if no detection is near (probability (1-p)^n), or if those near took others, which they do with
    // a probability of second order: the matched share lies between n p (1 - 2 n p) and n p. With n p = 0.05 the share
    // of detections matched is 0.045 ... 0.05, with a binomial error of sqrt(0.05 / (fields n)).
    constexpr int side = 450, n = 400, fields = 60;
    MatchRule rule = by_centre;
    rule.edge = 0;
    rule.radius = std::sqrt(0.05 / n * side * side / std::numbers::pi);
    std::vector<ScoredField> all;
    for (int i = 0; i < fields; ++i) {
        Random r(3, std::uint64_t(i));
        ScoredField f{side, side, {}, {}};
        for (int k = 0; k < n; ++k) {
            f.wanted.push_back(unit(r.uniform(0, side), r.uniform(0, side), r.below(5)));
            f.found.push_back(seen(r.uniform(0, side), r.uniform(0, side), r.below(5), r.uniform()));
        }
        all.push_back(std::move(f));
    }
    const Evaluation e = evaluate(all, rule, 1);
    const double share = 1 - scores_of(e.tally).false_alarms, chance = 1 - scores_of(e.chance).false_alarms;
    const double error = std::sqrt(0.05 / (fields * n));
    CHECK(share > 0.045 - 4 * error);
    CHECK(share < 0.05 + 4 * error);
    CHECK(chance > 0.045 - 4 * error);  // eight lists: less error still
    CHECK(chance < 0.05 + 4 * error);
    CHECK(noise(e.chance) + matched(e.chance) == 8 * fields * n);  // wrapped: no detection is lost
    for (const Figure& f : e.figures) {
        if (f.name != "false alarms (FAR)") continue;
        CHECK(f.low < f.value);
        CHECK(f.value < f.high);
        CHECK(std::abs(f.corrected - 1) < 8 * error);  // nothing left once chance is taken out
        // Two sigma wide; a standard deviation from 60 fields is good to 1 / sqrt(2 * 59) = 9 %, taken four times.
        CHECK(f.high - f.low > 2 * error * (1 - 0.37));
        CHECK(f.high - f.low < 2 * error * (1 + 0.37));
    }
}

TEST_CASE("chance is taken out of every rate") {
    std::vector<ScoredField> fields{perfect(), perfect(), perfect()};
    for (auto& f : fields) f.found.resize(80);
    const Evaluation e = evaluate(fields, by_centre, 1);
    const Scores s = scores_of(e.tally), c = scores_of(e.chance);
    int seen_names = 0;
    for (const Figure& f : e.figures) {
        if (f.name == "recall of 1") {
            CHECK(f.value == s.recall[0]);
            CHECK(f.chance == c.recall[0]);
            CHECK(f.corrected == (s.recall[0] - c.recall[0]) / (1 - c.recall[0]));
            CHECK(f.low == f.value);  // equal fields: no spread
            CHECK(f.high == f.value);
            ++seen_names;
        } else if (f.name == "missed (MDR)") {
            CHECK(f.value == 0.2);
            CHECK(f.corrected == s.missed / c.missed);
            ++seen_names;
        } else if (f.name == "stars found / true") {
            CHECK(std::isnan(f.corrected));
            ++seen_names;
        }
    }
    CHECK(seen_names == 3);
}

TEST_CASE("one field has no interval; the same seed gives the same figures") {
    const Evaluation one = evaluate({perfect()}, by_box, 1);
    for (const Figure& f : one.figures) {
        CHECK(std::isnan(f.low));
        CHECK(std::isnan(f.corrected_high));
    }
    CHECK(evaluate({}, by_box, 1).figures.size() == one.figures.size());
    auto worse = perfect();
    worse.found.resize(50);
    const std::vector<ScoredField> fields{perfect(), worse, perfect()};
    const Evaluation a = evaluate(fields, by_box, 5), b = evaluate(fields, by_box, 5);
    for (std::size_t i = 0; i < a.figures.size(); ++i)
        CHECK((a.figures[i].low == b.figures[i].low || std::isnan(a.figures[i].low)));
    ScoreReport report;
    report.about = {{"fields", "1"}};
    report.parts = {{"by_box", "By box", by_box, one}};
    CHECK(report.text().find("n/a") != std::string::npos);
    CHECK(report.text().find("1.0000") != std::string::npos);
    CHECK(report.json().find("\"low\": null") != std::string::npos);
}

TEST_CASE("values out of range are refused") {
    const double nan = std::nan("");
    ScoredField f = perfect();
    f.found[3].score = nan;
    CHECK_THROWS_AS(score_field(f, by_box), Error);
    f = perfect();
    f.found[3].box.x1 = float(nan);
    CHECK_THROWS_AS(score_by_chance(f, by_box), Error);
    f = perfect();
    f.found[3].label = 5;
    CHECK_THROWS_AS(score_field(f, by_box), Error);
    f = perfect();
    f.wanted[3].label = -1;
    CHECK_THROWS_AS(score_field(f, by_box), Error);
    f = perfect();
    f.width = 0;
    CHECK_THROWS_AS(score_field(f, by_box), Error);
    MatchRule rule;
    rule.least_iou = 0;
    CHECK_THROWS_AS(score_field(perfect(), rule), Error);
    f = perfect();  // far outside is odd, but no mistake
    f.found.push_back(seen(1e30, -1e30, 0, 0.5));
    f.found.push_back({{9, 9, 3, 3}, 6, 6, 0.5, 0, 1});  // inside out
    CHECK(matched(score_field(f, by_box)) == 100);
}

TEST_CASE("a hundred thousand rows take seconds, not hours") {
    // A table of all pairs would hold 10^10 entries.
    Random r(1, 0);
    ScoredField f{4000, 4000, {}, {}};
    for (int i = 0; i < 100000; ++i) {
        const double x = r.uniform(0, 4000), y = r.uniform(0, 4000);
        f.wanted.push_back(unit(x, y, i % 5));
        f.found.push_back(seen(x + r.uniform(-1, 1), y + r.uniform(-1, 1), i % 5, r.uniform()));
    }
    for (int i = 0; i < 1000; ++i) f.found.push_back({{0, 0, 4000, 4000}, 2000, 2000, 1, 0, 1});
    const std::clock_t start = std::clock();
    const Tally t = score_field(f, by_box);
    const double seconds = double(std::clock() - start) / CLOCKS_PER_SEC;
    CHECK(matched(t) > 90000);
    CHECK(seconds < 20);  // of the processor; a fifth of a second here
    MESSAGE("100 000 rows: " << seconds << " s");
}
