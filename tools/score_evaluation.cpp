// Fields matched, counted, and turned into figures with chance and intervals.
#include "tools/score_evaluation.h"

#include <fmt/core.h>

#include <functional>
#include <tuple>

namespace star {
namespace {

constexpr double curve_step = 0.005;  // of recall: finer than any plot shows

double ratio(double a, double b) { return b > 0 ? a / b : not_known; }

// What a figure's perfect value is, which decides how chance is taken out of it.
enum class Perfect { one, zero, neither };

double correct(double value, double chance, Perfect perfect) {
    if (perfect == Perfect::one) return chance < 1 ? (value - chance) / (1 - chance) : not_known;
    if (perfect == Perfect::zero) return ratio(value, chance);
    return not_known;
}

struct Definition {
    std::string name;
    Perfect perfect;
    std::function<double(const Scores&)> value;
};

std::vector<Definition> definitions() {
    std::vector<Definition> d;
    for (std::size_t k = 0; k < classes_scored; ++k)
        d.push_back(
            {"precision of " + class_name(int(k)), Perfect::one, [k](const Scores& s) { return s.precision[k]; }});
    for (std::size_t k = 0; k < classes_scored; ++k)
        d.push_back({"recall of " + class_name(int(k)), Perfect::one, [k](const Scores& s) { return s.recall[k]; }});
    for (std::size_t k = 0; k < classes_scored; ++k)
        d.push_back({"F1 of " + class_name(int(k)), Perfect::one, [k](const Scores& s) { return s.f1[k]; }});
    d.push_back({"missed (MDR)", Perfect::zero, [](const Scores& s) { return s.missed; }});
    d.push_back({"false alarms (FAR)", Perfect::zero, [](const Scores& s) { return s.false_alarms; }});
    d.push_back({"balanced accuracy", Perfect::one, [](const Scores& s) { return s.balanced_accuracy; }});
    d.push_back({"right class, of matched", Perfect::one, [](const Scores& s) { return s.class_accuracy; }});
    d.push_back({"errors within 1 star", Perfect::one, [](const Scores& s) { return s.within_one; }});
    d.push_back({"mean |k found - k true|", Perfect::neither, [](const Scores& s) { return s.mean_error; }});
    d.push_back({"stars found / true", Perfect::neither, [](const Scores& s) { return s.star_bias; }});
    return d;
}

// What the lists of all fields come to.
struct Counts {
    std::vector<Tally> tallies;  // of each field
    RankedDetections ranked;
    ProfileCounts profiles;
    std::vector<CalibrationSums> calibration;  // of each field

    void add(int i, const ScoredField& field, const std::vector<Found>& found, const Matches& m) {
        if (tallies.size() <= std::size_t(i)) tallies.resize(std::size_t(i) + 1);
        if (calibration.size() <= std::size_t(i)) calibration.resize(std::size_t(i) + 1);
        tallies[std::size_t(i)] += tally_of(field.wanted, found, m);
        ranked.add(i, field.wanted, found, m);
        profiles.add(i, field, found, m);
        calibration[std::size_t(i)].add(calibration_sums(field.wanted, found, m), 1);
    }
    Tally tally(const std::vector<int>& times) const {
        Tally sum;
        for (std::size_t i = 0; i < tallies.size(); ++i)
            if (times.empty() || times[i]) sum.add(tallies[i], times.empty() ? 1 : times[i]);
        return sum;
    }
};

void add_counted(std::vector<Figure>& figures, const Counts& real, const Counts& chance, const Bootstrap& bootstrap) {
    const auto defined = definitions();
    std::vector<std::vector<double>> values(defined.size()), corrected(defined.size());
    for (const auto& times : bootstrap.times()) {
        const Scores s = scores_of(real.tally(times)), c = scores_of(chance.tally(times));
        for (std::size_t i = 0; i < defined.size(); ++i) {
            values[i].push_back(defined[i].value(s));
            corrected[i].push_back(correct(defined[i].value(s), defined[i].value(c), defined[i].perfect));
        }
    }
    const Scores s = scores_of(real.tally({})), c = scores_of(chance.tally({}));
    for (std::size_t i = 0; i < defined.size(); ++i) {
        Figure f;
        f.name = defined[i].name;
        f.value = defined[i].value(s), f.chance = defined[i].value(c);
        f.corrected = correct(f.value, f.chance, defined[i].perfect);
        std::tie(f.low, f.high) = middle(std::move(values[i]));
        std::tie(f.corrected_low, f.corrected_high) = middle(std::move(corrected[i]));
        figures.push_back(std::move(f));
    }
}

void add_average_precision(std::vector<Figure>& figures, const Counts& real, const Counts& chance,
                           const Bootstrap& bootstrap) {
    const auto add = [&](int of, std::string name) {
        Figure f;
        f.name = std::move(name);
        std::vector<double> values;
        for (const auto& times : bootstrap.times()) values.push_back(real.ranked.average_precision(of, times));
        f.value = real.ranked.average_precision(of), f.chance = chance.ranked.average_precision(of);
        std::tie(f.low, f.high) = middle(std::move(values));
        f.corrected = correct(f.value, f.chance, Perfect::one);
        f.corrected_low = correct(f.low, f.chance, Perfect::one);
        f.corrected_high = correct(f.high, f.chance, Perfect::one);
        figures.push_back(std::move(f));
    };
    add(any_class, "AP of any");
    for (int k = 0; k < classes_scored; ++k) add(k, "AP of " + class_name(k));
}

void add_calibration(std::vector<Figure>& figures, const std::vector<CalibrationSums>& fields,
                     const Bootstrap& bootstrap) {
    const auto of = [&](const std::vector<int>& times) {
        CalibrationSums sum;
        for (std::size_t i = 0; i < fields.size(); ++i)
            if (times.empty() || times[i]) sum.add(fields[i], times.empty() ? 1 : times[i]);
        return calibration_figures(sum);
    };
    std::vector<CalibrationFigures> resampled;
    for (const auto& times : bootstrap.times()) resampled.push_back(of(times));
    const CalibrationFigures all = of({});
    for (const auto& [name, member] : {std::pair{"calibration error: score", &CalibrationFigures::score_error},
                                       {"calibration error: P1-P5", &CalibrationFigures::classes_error},
                                       {"Brier score of P1-P5", &CalibrationFigures::brier},
                                       {"Brier skill of P1-P5", &CalibrationFigures::brier_skill},
                                       {"log loss of P1-P5", &CalibrationFigures::log_loss}}) {
        Figure f{name, all.*member, not_known, not_known, not_known, not_known, not_known, not_known};
        std::vector<double> values;
        for (const CalibrationFigures& r : resampled) values.push_back(r.*member);
        std::tie(f.low, f.high) = middle(std::move(values));
        figures.push_back(std::move(f));
    }
}

}  // namespace

std::string class_name(int k) { return fmt::format("{}{}", k + 1, k + 1 == classes_scored ? "+" : ""); }

Evaluation evaluate(const std::vector<ScoredField>& fields, const MatchRule& rule, std::uint64_t seed) {
    Counts real, chance;
    for (std::size_t i = 0; i < fields.size(); ++i) {
        const Matcher matcher(fields[i], rule);
        real.add(int(i), fields[i], fields[i].found, matcher.match(fields[i].found));
        for (int n = 0; n < chance_shifts; ++n) {
            const auto moved = shifted(fields[i], n);
            chance.add(int(i), fields[i], moved, matcher.match(moved));
        }
    }
    real.ranked.sort(), chance.ranked.sort();
    const Bootstrap bootstrap(fields.size(), seed);
    Evaluation e;
    e.tally = real.tally({}), e.chance = chance.tally({});
    add_counted(e.figures, real, chance, bootstrap);
    add_average_precision(e.figures, real, chance, bootstrap);
    add_calibration(e.figures, real.calibration, bootstrap);
    for (int of : {any_class, 0, 1, 2, 3, 4}) {
        auto points = real.ranked.curve(of, curve_step);
        if (!points.empty()) e.curves.push_back({of == any_class ? "any" : class_name(of), std::move(points)});
    }
    e.profiles = real.profiles.profiles(chance.profiles, bootstrap);
    e.reliability = reliability(real.calibration, bootstrap);
    return e;
}

}  // namespace star
