// From counts to figures: rates, chance level, bootstrap.
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "kernels/check.h"
#include "kernels/random.h"
#include "tools/score.h"

namespace star {
namespace {

constexpr double undefined = std::numeric_limits<double>::quiet_NaN();

double ratio(double a, double b) { return b > 0 ? a / b : undefined; }

// What a figure's perfect value is, which decides how chance is taken out of it.
enum class Perfect { one, zero, neither };

struct Definition {
    std::string name;
    Perfect perfect;
    std::function<double(const Scores&)> value;
};

std::vector<Definition> definitions() {
    std::vector<Definition> d;
    for (std::size_t k = 0; k < classes_scored; ++k)
        d.push_back({fmt::format("precision of {}{}", k + 1, k + 1 == classes_scored ? "+" : ""), Perfect::one,
                     [k](const Scores& s) { return s.precision[k]; }});
    for (std::size_t k = 0; k < classes_scored; ++k)
        d.push_back({fmt::format("recall of {}{}", k + 1, k + 1 == classes_scored ? "+" : ""), Perfect::one,
                     [k](const Scores& s) { return s.recall[k]; }});
    d.push_back({"missed (MDR)", Perfect::zero, [](const Scores& s) { return s.missed; }});
    d.push_back({"false alarms (FAR)", Perfect::zero, [](const Scores& s) { return s.false_alarms; }});
    d.push_back({"balanced accuracy", Perfect::one, [](const Scores& s) { return s.balanced_accuracy; }});
    d.push_back({"right class, of matched", Perfect::one, [](const Scores& s) { return s.class_accuracy; }});
    d.push_back({"errors within 1 star", Perfect::one, [](const Scores& s) { return s.within_one; }});
    d.push_back({"mean |k found - k true|", Perfect::neither, [](const Scores& s) { return s.mean_error; }});
    d.push_back({"stars found / true", Perfect::neither, [](const Scores& s) { return s.star_bias; }});
    return d;
}

double correct(double value, double chance, Perfect perfect) {
    if (perfect == Perfect::one) return chance < 1 ? (value - chance) / (1 - chance) : undefined;
    if (perfect == Perfect::zero) return ratio(value, chance);
    return undefined;
}

// The middle 68.27 % of what is finite; undefined where most of it isn't.
std::pair<double, double> interval(std::vector<double> values) {
    const std::size_t all = values.size();
    values.erase(std::remove_if(values.begin(), values.end(), [](double v) { return !std::isfinite(v); }),
                 values.end());
    if (2 * values.size() < all || values.empty()) return {undefined, undefined};
    std::sort(values.begin(), values.end());
    const auto quantile = [&](double q) { return values[std::size_t(std::lround(q * double(values.size() - 1)))]; };
    return {quantile(0.1587), quantile(0.8413)};
}

}  // namespace

Scores scores_of(const Tally& t) {
    constexpr std::size_t n = classes_scored;
    Scores s;
    std::int64_t units = 0, found = 0, missed = 0, noise = 0, matched = 0, right = 0, off_by_one = 0, distance = 0;
    double recalls = 0;
    int classes = 0;
    for (std::size_t i = 0; i < n; ++i) {
        std::int64_t row = 0, column = 0;
        for (std::size_t j = 0; j <= n; ++j) row += t.matrix[i][j], column += t.matrix[j][i];
        for (std::size_t j = 0; j < n; ++j) {
            const auto off = std::int64_t(i > j ? i - j : j - i);
            matched += t.matrix[i][j], distance += off * t.matrix[i][j];
            if (off == 1) off_by_one += t.matrix[i][j];
        }
        right += t.matrix[i][i], missed += t.matrix[i][n], noise += t.matrix[n][i], units += row, found += column;
        s.precision[i] = ratio(double(t.matrix[i][i]), double(column));
        s.recall[i] = ratio(double(t.matrix[i][i]), double(row));
        if (row > 0) recalls += s.recall[i], ++classes;
    }
    s.missed = ratio(double(missed), double(units));
    s.false_alarms = ratio(double(noise), double(found));
    s.balanced_accuracy = ratio(recalls, classes);
    s.class_accuracy = ratio(double(right), double(matched));
    s.mean_error = ratio(double(distance), double(matched));
    s.within_one = ratio(double(off_by_one), double(matched - right));
    s.star_bias = ratio(t.stars_expected, double(t.stars_true));
    return s;
}

Evaluation evaluate(const std::vector<ScoredField>& fields, const MatchRule& rule, std::uint64_t seed) {
    std::vector<Tally> tallies, chances;
    Evaluation e;
    for (const ScoredField& f : fields) {
        e.tally += tallies.emplace_back(score_field(f, rule));
        e.chance += chances.emplace_back(score_by_chance(f, rule));
    }
    const auto defined = definitions();
    std::vector<std::vector<double>> values(defined.size()), corrected(defined.size());
    if (fields.size() > 1) {
        Random random(seed, 0x626f6f74ull);  // a stream of its own
        for (int r = 0; r < bootstrap_resamples; ++r) {
            Tally tally, chance;
            for (std::size_t i = 0; i < fields.size(); ++i) {
                const auto pick = std::size_t(random.below(int(fields.size())));
                tally += tallies[pick], chance += chances[pick];
            }
            const Scores s = scores_of(tally), c = scores_of(chance);
            for (std::size_t i = 0; i < defined.size(); ++i) {
                values[i].push_back(defined[i].value(s));
                corrected[i].push_back(correct(defined[i].value(s), defined[i].value(c), defined[i].perfect));
            }
        }
    }
    const Scores s = scores_of(e.tally), c = scores_of(e.chance);
    for (std::size_t i = 0; i < defined.size(); ++i) {
        Figure f;
        f.name = defined[i].name;
        f.value = defined[i].value(s), f.chance = defined[i].value(c);
        f.corrected = correct(f.value, f.chance, defined[i].perfect);
        std::tie(f.low, f.high) = interval(std::move(values[i]));
        std::tie(f.corrected_low, f.corrected_high) = interval(std::move(corrected[i]));
        e.figures.push_back(std::move(f));
    }
    return e;
}

}  // namespace star
