// Cumulative sums in order of score.
#include "tools/score_curves.h"

#include <algorithm>

namespace star {

void RankedDetections::add(int field, const std::vector<Wanted>& wanted, const std::vector<Found>& found,
                           const Matches& matches) {
    if (units_.size() <= std::size_t(field)) units_.resize(std::size_t(field) + 1);
    for (std::size_t i = 0; i < found.size(); ++i) {
        const int unit = matches.unit[i];
        if (unit == Matches::left_out) continue;
        const int truth = unit >= 0 ? wanted[std::size_t(unit)].label : nothing_there;
        called_[std::size_t(found[i].label)].push_back({found[i].score, field, std::int8_t(truth)});
    }
    for (std::size_t i = 0; i < wanted.size(); ++i)
        if (matches.found[i] != Matches::left_out) ++units_[std::size_t(field)][std::size_t(wanted[i].label)];
}

void RankedDetections::sort() {
    // Only sums over equal scores are used: their order among themselves doesn't matter.
    for (auto& list : called_) std::sort(list.begin(), list.end(), [](auto& a, auto& b) { return a.score > b.score; });
}

double RankedDetections::units(int of, const std::vector<int>& times) const {
    std::int64_t sum = 0;
    for (std::size_t f = 0; f < units_.size(); ++f)
        for (int k = 0; k < classes_scored; ++k)
            if (of == any_class || of == k) sum += units_[f][std::size_t(k)] * (times.empty() ? 1 : times[f]);
    return double(sum);
}

std::vector<RankedDetections::Step> RankedDetections::steps(int of, const std::vector<int>& times) const {
    std::array<std::size_t, classes_scored> next{};
    std::vector<Step> result;
    double hits = 0, all = 0;
    for (;;) {
        const Detection* best = nullptr;  // the highest score that is left
        for (std::size_t k = 0; k < classes_scored; ++k)
            if ((of == any_class || of == int(k)) && next[k] < called_[k].size() &&
                (!best || called_[k][next[k]].score > best->score))
                best = &called_[k][next[k]];
        if (!best) return result;
        const double score = best->score;
        for (std::size_t k = 0; k < classes_scored; ++k) {
            if (of != any_class && of != int(k)) continue;
            for (; next[k] < called_[k].size() && called_[k][next[k]].score == score; ++next[k]) {
                const Detection& d = called_[k][next[k]];
                const int n = times.empty() ? 1 : times[std::size_t(d.field)];
                all += n;
                if (of == any_class ? d.truth != nothing_there : d.truth == of) hits += n;
            }
        }
        result.push_back({score, hits, all});
    }
}

std::vector<RankedDetections::Point> RankedDetections::curve(int of, double step) const {
    std::vector<Point> points;
    const double total = units(of, {});
    if (!(total > 0)) return points;
    const auto all = steps(of, {});
    for (std::size_t i = 0; i < all.size(); ++i) {
        const Point p{all[i].score, all[i].hits / total, all[i].hits / all[i].all};
        if (i == 0 || i + 1 == all.size() || p.recall - points.back().recall >= step) points.push_back(p);
    }
    return points;
}

double RankedDetections::average_precision(int of, const std::vector<int>& times) const {
    const double total = units(of, times);
    if (!(total > 0)) return not_known;
    const auto all = steps(of, times);
    double best = 0, area = 0;
    for (std::size_t i = all.size(); i-- > 0;) {
        if (!(all[i].all > 0)) continue;  // of fields that this resample lacks
        best = std::max(best, all[i].hits / all[i].all);
        area += best * (all[i].hits - (i > 0 ? all[i - 1].hits : 0));
    }
    return area / total;
}

}  // namespace star
