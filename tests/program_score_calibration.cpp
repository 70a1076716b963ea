// Probabilities that are what they say, and some that aren't.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "kernels/random.h"
#include "tools/score_calibration.h"

using namespace star;

namespace {

Box square(double x, double y) { return {float(x - 3), float(y - 3), float(x + 3), float(y + 3)}; }

ClassChances heated(const ClassChances& p, double temperature) {
    ClassChances q{};
    double sum = 0;
    for (std::size_t k = 0; k < p.size(); ++k) sum += q[k] = std::pow(p[k], 1 / temperature);
    for (double& v : q) v /= sum;
    return q;
}

// n units of which each has the chances that its detection gives, but for a temperature; classes drawn from the
// chances.
std::vector<ScoredField> fields(int n, double temperature, std::uint64_t seed) {
    Random r(seed, 0);
    std::vector<ScoredField> all;
    for (int i = 0; i < n; i += 81) {
        ScoredField f{100, 100, {}, {}};
        for (int k = 0; k < 81; ++k) {
            const double x = 10 + 10 * (k % 9), y = 10 + 10 * (k / 9);
            ClassChances p{};
            double sum = 0;
            for (double& v : p) sum += v = -std::log(r.uniform());  // uniform over the simplex
            for (double& v : p) v /= sum;
            double u = r.uniform();
            int label = 0;
            while (label < 4 && u > p[std::size_t(label)]) u -= p[std::size_t(label++)];
            f.wanted.push_back({square(x, y), x, y, label, label + 1});
            Found d{square(x, y), x, y, r.uniform(), 0, 1, heated(p, temperature)};
            d.label = int(std::max_element(p.begin(), p.end()) - p.begin());
            f.found.push_back(d);
        }
        all.push_back(std::move(f));
    }
    return all;
}

CalibrationSums sums_of(const std::vector<ScoredField>& all) {
    CalibrationSums s;
    for (const auto& f : all) s.add(calibration_sums(f.wanted, f.found, Matcher(f, {}).match(f.found)), 1);
    return s;
}

}  // namespace

TEST_CASE("honest probabilities have no calibration error beyond chance") {
    const auto all = fields(8100, 1, 3);
    const CalibrationFigures f = calibration_figures(sums_of(all));
    // 40,500 predictions; |observed - predicted| of a bin of n has the mean sqrt(2/pi) sqrt(p (1-p) / n) <=
    // 0.4/sqrt(n), weighted with n/N: at most 0.4 sum sqrt(n)/N <= 0.4 sqrt(10/N) = 0.0063; twice that is allowed.
    CHECK(f.classes_error < 0.0126);
    CHECK(f.brier_skill > 0);
    // Overconfident: the same, sharpened.
    const CalibrationFigures sharp = calibration_figures(sums_of(fields(8100, 0.4, 3)));
    CHECK(sharp.classes_error > 4 * f.classes_error);
    CHECK(sharp.brier > f.brier);
    CHECK(sharp.log_loss > f.log_loss);
}

TEST_CASE("Brier score, skill and log loss by hand") {
    ScoredField f{100, 100, {}, {}};
    f.wanted = {{square(20, 20), 20, 20, 0, 1}, {square(50, 50), 50, 50, 1, 2}};
    f.wanted[1].soft = true, f.wanted[1].chances = {0.25, 0.75, 0, 0, 0};
    f.found = {{square(20, 20), 20, 20, 0.9, 0, 1, {0.8, 0.2, 0, 0, 0}},
               {square(50, 50), 50, 50, 0.8, 1, 2, {0.5, 0.5, 0, 0, 0}},
               {square(80, 80), 80, 80, 0.35, 1, 2, {0.5, 0.5, 0, 0, 0}}};
    const CalibrationSums s = sums_of({f});
    const CalibrationFigures c = calibration_figures(s);
    // First: 0.2^2 + 0.2^2. Second: 0.5^2 + 0.5^2 whichever it is.
    CHECK(std::abs(c.brier - (0.08 + 0.5) / 2) < 1e-15);
    CHECK(std::abs(c.log_loss - (-std::log(0.8) + std::log(2)) / 2) < 1e-15);
    // Frequencies 0.625 and 0.375: sum over both classes of 1.25 * 0.375^2 + 0.75 * 0.625^2, ...
    const double constant = 2 * (1.25 * 0.375 * 0.375 + 0.75 * 0.625 * 0.625);
    CHECK(std::abs(c.brier_skill - (1 - 0.58 / constant)) < 1e-14);
    // Scores 0.9, 0.8 true and 0.35 false, each in a bin of its own.
    CHECK(std::abs(c.score_error - (0.1 + 0.2 + 0.35) / 3) < 1e-15);
    const auto curves = reliability({s}, Bootstrap(1, 0));
    REQUIRE(curves.size() == 2);
    CHECK(curves[0].of == "score");
    CHECK(curves[0].bins[3].predicted == 0.35);
    CHECK(curves[0].bins[3].observed == 0);
    CHECK(curves[0].bins[9].observed == 1);
    CHECK(std::isnan(curves[0].bins[0].observed));
}

TEST_CASE("the temperature that was taken away is found again") {
    for (const double t : {0.5, 1.0, 2.0}) {
        // Found: p^(1/t). The right temperature is 1/t; its error from n units is 1 / sqrt(n I), I = the mean variance
        // of ln p under p: E[ln^2] - E[ln]^2, some 0.5 for the uniform simplex: 1.6 % of 8,100 units. Four of these.
        const double best = best_temperature(fields(8100, t, 11), {});
        CHECK(std::abs(best * t - 1) < 0.064);
    }
    // It is the minimum of the loss, as its definition says.
    const auto all = fields(810, 0.6, 2);
    const double best = best_temperature(all, {});
    const auto loss = [&](double temperature) {
        auto moved = all;
        for (auto& f : moved)
            for (Found& d : f.found) d.chances = heated(d.chances, temperature);
        return calibration_figures(sums_of(moved)).log_loss;
    };
    CHECK(loss(best) < loss(best * 1.01));
    CHECK(loss(best) < loss(best / 1.01));
}

TEST_CASE("a temperature without anything to fit, or to no end") {
    CHECK(best_temperature({}, {}) == 1);
    auto all = fields(81, 1, 1);
    for (Found& d : all[0].found) d.chances = {0.2, 0.2, 0.2, 0.2, 0.2};
    CHECK(best_temperature(all, {}) == 1);
    for (std::size_t i = 0; i < all[0].found.size(); ++i) {
        ClassChances p{0.1, 0.1, 0.1, 0.1, 0.1};
        p[std::size_t(all[0].wanted[i].label)] = 0.6;
        all[0].found[i].chances = p;
    }
    CHECK(best_temperature(all, {}) == least_temperature);  // always right: as sharp as may be
    for (std::size_t i = 0; i < all[0].found.size(); ++i) {
        ClassChances p{0.1, 0.1, 0.1, 0.1, 0.1};
        p[std::size_t(all[0].wanted[i].label + 1) % 5] = 0.6;
        all[0].found[i].chances = p;
    }
    CHECK(best_temperature(all, {}) == most_temperature);  // always wrong
}
