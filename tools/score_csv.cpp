// One long table: easy to read back, to filter and to plot.
#include <fmt/core.h>

#include <cmath>

#include "tools/catalogue_text.h"
#include "tools/score_report.h"

namespace star {
namespace {

std::string number(double v) { return std::isnan(v) ? "" : fmt::format("{:.6g}", v); }

struct Row {
    std::string figure, bin;
    double value = not_known, low = not_known, high = not_known, chance = not_known, n = not_known;
};

std::string line(const std::string& part, const Row& r) {
    return fmt::format("{},{},{},{},{},{},{},{}\n", csv_cell(part), csv_cell(r.figure), csv_cell(r.bin),
                       number(r.value), number(r.low), number(r.high), number(r.chance), number(r.n));
}

std::string matrix_rows(const std::string& part, const Evaluation& e) {
    std::string text;
    for (int t = 0; t <= classes_scored; ++t)
        for (int f = 0; f <= classes_scored; ++f) {
            if (t == nothing_there && f == nothing_there) continue;
            const std::string truth = t < classes_scored ? class_name(t) : "noise",
                              found = f < classes_scored ? class_name(f) : "missed";
            const auto at = [&](const Tally& c) { return double(c.matrix[std::size_t(t)][std::size_t(f)]); };
            text += line(part, {"confusion: " + truth + " found as", found, at(e.tally), not_known, not_known,
                                at(e.chance) / 8});
        }
    return text;
}

}  // namespace

std::string ScoreReport::csv() const {
    std::string text = "part,figure,bin,value,low,high,chance,n\n";
    for (const Part& p : parts) {
        const Evaluation& e = p.evaluation;
        text += matrix_rows(p.key, e);
        for (const Figure& f : e.figures) text += line(p.key, {f.name, "", f.value, f.low, f.high, f.chance});
        for (const Curve& c : e.curves)
            for (const auto& at : c.points)
                text += line(p.key, {"precision by recall of " + c.of, number(at.recall), at.precision});
        for (const Profile& profile : e.profiles)
            for (const auto& b : profile.bins)
                text += line(p.key, {profile.figure + " by " + profile.by, number(b.from) + "..." + number(b.to),
                                     b.value, b.low, b.high, b.chance, double(b.n)});
        for (const Reliability& r : e.reliability)
            for (const auto& b : r.bins)
                if (b.n > 0)
                    text += line(p.key, {"observed by predicted: " + r.of, number(b.predicted), b.observed, b.low,
                                         b.high, not_known, b.n});
    }
    return text;
}

}  // namespace star
