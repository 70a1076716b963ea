// Simulate, detect, pair up.
#include "tools/trial_fields.h"

#include <algorithm>

#include "tools/console.h"
#include "tools/setup.h"

namespace star {
namespace {

Found found(const Detection& d, int classes) {
    double sum = 0, stars = 0;
    for (int k = 0; k < classes; ++k) {
        sum += d.chances[k];
        stars += std::min(k + 1, classes_scored) * double(d.chances[k]);
    }
    const int label = std::min(d.label, classes_scored - 1);
    return {d.box, d.box.x(), d.box.y(), d.score, label, sum > 0 ? stars / sum : label + 1.0};
}

}  // namespace

std::vector<Wanted> wanted(const Truth& truth) {
    std::vector<Wanted> rows;
    for (const TruthUnit& u : truth.units)
        rows.push_back({u.box, u.x, u.y,
                        u.label == label_ignored ? label_ignored : std::min<int>(u.label, classes_scored - 1), u.count,
                        u.soft});
    return rows;
}

template <class T>
std::optional<ScoredField> detect_field(Stream stream, const Detector<T>& detector, const FieldSimulator& simulator,
                                        const TrialField& which) {
    const Field field =
        simulator.make(*stream.pool, {which.width, which.height, which.margin, which.seed, which.index});
    const Sky sky{
        {field.image.data(), {1, which.height, which.width, 1}}, {nullptr, nothing}, noise_of(simulator.exposure())};
    const Detections detections = detector.detect(stream, sky, 1, [](int, int) { return !interrupt::requested(); });
    if (detections.cancelled) return std::nullopt;
    ScoredField scored{which.width, which.height, {}, wanted(field.truth)};
    for (const Detection& d : detections.units) scored.found.push_back(found(d, detector.architecture().classes));
    return scored;
}

template std::optional<ScoredField> detect_field(Stream, const Detector<float>&, const FieldSimulator&,
                                                 const TrialField&);
template std::optional<ScoredField> detect_field(Stream, const Detector<bf16>&, const FieldSimulator&,
                                                 const TrialField&);

double best_threshold(const std::vector<ScoredField>& fields, const MatchRule& rule) {
    double best = 0.5, best_f1 = -1;
    for (int step = 1; step < 50; ++step) {
        const double threshold = 0.02 * step;
        Tally tally;
        for (ScoredField field : fields) {
            std::erase_if(field.found, [&](const Found& f) { return f.score < threshold; });
            tally += score_field(field, rule);
        }
        std::int64_t matched = 0, missed = 0, noise = 0;
        for (int t = 0; t < classes_scored; ++t) {
            for (int f = 0; f < classes_scored; ++f) matched += tally.matrix[std::size_t(t)][std::size_t(f)];
            missed += tally.matrix[std::size_t(t)][nothing_there];
            noise += tally.matrix[nothing_there][std::size_t(t)];
        }
        const double f1 = matched ? 2.0 * double(matched) / double(2 * matched + missed + noise) : 0;
        if (f1 > best_f1) best_f1 = f1, best = threshold;
    }
    return best;
}

}  // namespace star
