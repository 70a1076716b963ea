// Simulate, detect, pair up.
#include "tools/trial_fields.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "tools/console.h"
#include "tools/setup.h"

namespace star {
namespace {

Found found(const Detection& d, int classes) {
    Found f{d.box, d.box.x(), d.box.y(), d.score, std::min(d.label, classes_scored - 1)};
    double sum = 0;
    for (int k = 0; k < classes; ++k) sum += d.chances[k];
    f.expected_stars = f.label + 1.0;
    if (!(sum > 0)) return f;
    f.expected_stars = 0;
    for (int k = 0; k < classes; ++k) {
        const int c = std::min(k, classes_scored - 1);
        f.chances[std::size_t(c)] += d.chances[k] / sum;
        f.expected_stars += (c + 1) * double(d.chances[k]) / sum;
    }
    return f;
}

// Of the light above the background in whole pixels of a box; NaN if there is none.
double magnitude_in(const Box& box, const Field& field, const std::vector<float>& background, const Exposure& e) {
    const auto clamp = [](float v, int most) { return std::clamp(int(std::lround(v)), 0, most); };
    double sum = 0;
    for (int y = clamp(box.y0, field.height); y < clamp(box.y1, field.height); ++y)
        for (int x = clamp(box.x0, field.width); x < clamp(box.x1, field.width); ++x) {
            const std::size_t i = std::size_t(y) * std::size_t(field.width) + std::size_t(x);
            sum += double(field.image[i]) - background[i];
        }
    return sum > 0 ? magnitude(sum / image_unit(e), e) : not_known;
}

}  // namespace

std::vector<Wanted> wanted(const Truth& truth, double zeropoint) {
    std::vector<Wanted> rows;
    for (const TruthUnit& u : truth.units) {
        Wanted w{u.box,   u.x,
                 u.y,     u.label == label_ignored ? label_ignored : std::min<int>(u.label, classes_scored - 1),
                 u.count, u.soft};
        for (std::size_t k = 0; k < u.chance.size(); ++k) w.chances[k] = u.chance[k];
        if (u.flux > 0) w.magnitude = zeropoint - 2.5 * std::log10(u.flux);
        if (u.count > 1) {  // the brightest is the first
            const double last = truth.stars[std::size_t(u.first + u.count - 1)].flux;
            if (last > 0) w.flux_ratio = truth.stars[std::size_t(u.first)].flux / last;
        }
        rows.push_back(w);
    }
    return rows;
}

std::vector<Wanted> wanted_stars(const Truth& truth, double zeropoint) {
    constexpr double perhaps_seen = 2;
    std::vector<Wanted> rows;
    for (const TruthStar& s : truth.stars) {
        if (!s.counts && !(s.snr >= perhaps_seen)) continue;
        const auto x = float(s.x), y = float(s.y);
        Wanted w{{x, y, x, y}, s.x, s.y, s.counts ? 0 : label_ignored};
        if (s.flux > 0) w.magnitude = zeropoint - 2.5 * std::log10(s.flux);
        rows.push_back(w);
    }
    return rows;
}

std::vector<WantedGalaxy> wanted_galaxies(const Field& field, const FieldSimulator& simulator, double pixel_scale) {
    const Exposure& e = simulator.exposure();
    const double fwhm = simulator.psf().fwhm(), sigma = native_sigma(e);
    std::vector<WantedGalaxy> rows;
    for (const Galaxy& g : field.scene.galaxies) {
        const double radius = std::hypot(g.half_light, 0.5 * fwhm), light = 0.5 * g.flux;
        const double snr = light / std::sqrt(light + std::numbers::pi * radius * radius * sigma * sigma);
        if (g.half_light * pixel_scale > 0.15 && snr > 10) rows.push_back({g.x, g.y, radius});
    }
    return rows;
}

template <class T>
std::optional<TriedField> detect_field(Stream stream, const Detector<T>& detector, const FieldSimulator& simulator,
                                       const FieldSpec& which) {
    Field field = simulator.make(*stream.pool, which);
    const Sky sky{
        {field.image.data(), {1, which.height, which.width, 1}}, {nullptr, nothing}, noise_of(simulator.exposure())};
    Detections detections = detector.detect(stream, sky, {}, [](int, int) { return !interrupt::requested(); });
    if (detections.cancelled) return std::nullopt;
    ScoredField scored{which.width, which.height, {}, wanted(field.truth, magnitude(1, simulator.exposure()))};
    for (const Detection& d : detections.units) {
        Found f = found(d, detector.architecture().classes);
        f.magnitude = magnitude_in(d.box, field, detections.sky.background_map, simulator.exposure());
        scored.found.push_back(f);
    }
    detections.sky.normalised = {};
    return TriedField{std::move(field), std::move(scored), std::move(detections)};
}

template std::optional<TriedField> detect_field(Stream, const Detector<float>&, const FieldSimulator&,
                                                const FieldSpec&);
template std::optional<TriedField> detect_field(Stream, const Detector<bf16>&, const FieldSimulator&, const FieldSpec&);

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
