// Sums, figures, and the one number that is fitted.
#include "tools/score_calibration.h"

#include <algorithm>
#include <cmath>

namespace star {
namespace {

constexpr double least_chance = 1e-12;  // no logarithm of 0

double sum_of(const ClassChances& p) {
    double sum = 0;
    for (const double v : p) sum += v;
    return sum;
}

ClassChances chances_of(const Wanted& w) {
    if (sum_of(w.chances) > 0) return w.chances;
    ClassChances q{};
    q[std::size_t(w.label)] = 1;
    return q;
}

void count(std::array<CalibrationSums::Bin, reliability_bins>& bins, double predicted, double observed) {
    auto& bin = bins[std::size_t(std::clamp(predicted * reliability_bins, 0.0, reliability_bins - 1.0))];
    ++bin.n, bin.predicted += predicted, bin.observed += observed;
}

double expected_error(const std::array<CalibrationSums::Bin, reliability_bins>& bins) {
    double sum = 0, n = 0;
    for (const auto& b : bins) sum += std::abs(b.predicted - b.observed), n += b.n;
    return n > 0 ? sum / n : not_known;
}

// A matched unit: logarithms of its probabilities, and the truth.
struct Pair {
    ClassChances log_p, q;
};

// d/db of sum over units of ln sum_k p_k^b - b sum_k q_k ln p_k: rises with b, the loss being convex.
double slope(const std::vector<Pair>& pairs, double b) {
    double sum = 0;
    for (const Pair& pair : pairs) {
        const double most = *std::max_element(pair.log_p.begin(), pair.log_p.end());
        double norm = 0, mean = 0;
        for (std::size_t k = 0; k < classes_scored; ++k) {
            const double e = std::exp(b * (pair.log_p[k] - most));
            norm += e, mean += e * pair.log_p[k];
        }
        sum += mean / norm;
        for (std::size_t k = 0; k < classes_scored; ++k) sum -= pair.q[k] * pair.log_p[k];
    }
    return sum;
}

}  // namespace

void CalibrationSums::add(const CalibrationSums& other, double times) {
    const auto add_bins = [&](auto& to, const auto& from) {
        for (std::size_t i = 0; i < to.size(); ++i)
            to[i].n += times * from[i].n, to[i].predicted += times * from[i].predicted,
                to[i].observed += times * from[i].observed;
    };
    add_bins(score, other.score), add_bins(classes, other.classes);
    units += times * other.units, brier += times * other.brier, log_loss += times * other.log_loss;
    for (std::size_t k = 0; k < frequencies.size(); ++k) frequencies[k] += times * other.frequencies[k];
}

CalibrationSums calibration_sums(const std::vector<Wanted>& wanted, const std::vector<Found>& found,
                                 const Matches& matches) {
    CalibrationSums s;
    for (const int i : matches.order) {
        const Found& f = found[std::size_t(i)];
        const int unit = matches.unit[std::size_t(i)];
        if (unit == Matches::left_out || !(sum_of(f.chances) > 0)) continue;
        count(s.score, f.score, unit >= 0);
        if (unit < 0) continue;
        const ClassChances q = chances_of(wanted[std::size_t(unit)]);
        ++s.units;
        for (std::size_t k = 0; k < classes_scored; ++k) {
            const double p = f.chances[k];
            count(s.classes, p, q[k]);
            s.brier += q[k] * (1 - p) * (1 - p) + (1 - q[k]) * p * p;
            s.log_loss -= q[k] * std::log(std::max(p, least_chance));
            s.frequencies[k] += q[k];
        }
    }
    return s;
}

CalibrationFigures calibration_figures(const CalibrationSums& s) {
    CalibrationFigures f{expected_error(s.score), expected_error(s.classes), not_known, not_known, not_known};
    if (!(s.units > 0)) return f;
    double constant = 0;
    for (const double q : s.frequencies) {
        const double p = q / s.units;
        constant += q * (1 - p) * (1 - p) + (s.units - q) * p * p;
    }
    f.brier = s.brier / s.units, f.log_loss = s.log_loss / s.units;
    if (constant > 0) f.brier_skill = 1 - s.brier / constant;
    return f;
}

std::vector<Reliability> reliability(const std::vector<CalibrationSums>& fields, const Bootstrap& bootstrap) {
    std::vector<Reliability> result;
    for (const auto& [name, bins] :
         {std::pair{"score", &CalibrationSums::score}, {"classes", &CalibrationSums::classes}}) {
        Reliability r{name, {}};
        double all = 0;
        for (std::size_t b = 0; b < reliability_bins; ++b) {
            const auto sum = [&](const std::vector<int>& times) {
                CalibrationSums::Bin s;
                for (std::size_t f = 0; f < fields.size(); ++f) {
                    const auto& bin = (fields[f].*bins)[b];
                    const double n = times.empty() ? 1 : times[f];
                    s.n += n * bin.n, s.predicted += n * bin.predicted, s.observed += n * bin.observed;
                }
                return s;
            };
            const auto share = [](double part, double n) { return n > 0 ? part / n : not_known; };
            std::vector<double> values;
            for (const auto& times : bootstrap.times()) {
                const auto s = sum(times);
                values.push_back(share(s.observed, s.n));
            }
            const auto s = sum({});
            const auto [low, high] = middle(std::move(values));
            r.bins[b] = {share(s.predicted, s.n), share(s.observed, s.n), low, high, s.n};
            all += s.n;
        }
        if (all > 0) result.push_back(r);
    }
    return result;
}

double best_temperature(const std::vector<ScoredField>& fields, const MatchRule& rule) {
    std::vector<Pair> pairs;
    for (const ScoredField& field : fields) {
        const Matches m = Matcher(field, rule).match(field.found);
        for (const int i : m.order) {
            const Found& f = field.found[std::size_t(i)];
            const int unit = m.unit[std::size_t(i)];
            if (unit < 0 || !(sum_of(f.chances) > 0)) continue;
            Pair pair{{}, chances_of(field.wanted[std::size_t(unit)])};
            for (std::size_t k = 0; k < classes_scored; ++k)
                pair.log_p[k] = std::log(std::max(f.chances[k], least_chance));
            pairs.push_back(pair);
        }
    }
    if (pairs.empty()) return 1;
    double low = 1 / most_temperature, high = 1 / least_temperature;
    const double at_low = slope(pairs, low), at_high = slope(pairs, high);
    if (!(at_high > at_low)) return 1;  // every unit's probabilities are equal: no temperature changes them
    if (at_low >= 0) return most_temperature;
    if (at_high <= 0) return least_temperature;
    while (high - low > 1e-9) {
        const double middle = 0.5 * (low + high);
        (slope(pairs, middle) < 0 ? low : high) = middle;
    }
    return 2 / (low + high);
}

}  // namespace star
