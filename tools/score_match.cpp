// Greedy matching in order of score.
#include "tools/score_match.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

#include "kernels/check.h"
#include "tools/score_places.h"

namespace star {
namespace {

auto place(const Box& b) { return std::tuple(b.x0, b.y0, b.x1, b.y1); }
double comparable(double v) { return std::isnan(v) ? std::numeric_limits<double>::infinity() : v; }
auto rank(const Found& f) {
    return std::tuple(-f.score, f.y, f.x, place(f.box), f.label, f.expected_stars, f.chances, comparable(f.magnitude));
}
auto rank(const Wanted& w) {
    return std::tuple(w.y, w.x, place(w.box), w.label, w.stars, w.chances, comparable(w.magnitude),
                      comparable(w.flux_ratio));
}

template <class Row>
std::vector<int> in_order(const std::vector<Row>& rows) {
    std::vector<int> order(rows.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(),
              [&](int a, int b) { return rank(rows[std::size_t(a)]) < rank(rows[std::size_t(b)]); });
    return order;
}

bool finite(const Box& b) {
    return std::isfinite(b.x0) && std::isfinite(b.y0) && std::isfinite(b.x1) && std::isfinite(b.y1);
}

bool are_chances(const ClassChances& p) {
    return std::all_of(p.begin(), p.end(), [](double v) { return v >= 0 && v <= 1; });
}

void check(const ScoredField& field, const MatchRule& rule) {
    require(field.width > 0 && field.height > 0, "score: a field of ", field.width, "x", field.height, " px");
    require(rule.least_iou > 0 && rule.least_iou <= 1, "score: least_iou = ", rule.least_iou);
    require(rule.radius > 0 && std::isfinite(rule.radius), "score: radius = ", rule.radius);
    require(rule.most_mag > 0, "score: most_mag = ", rule.most_mag);
    require(rule.edge >= 0, "score: edge = ", rule.edge);
    for (const Found& f : field.found)
        require(finite(f.box) && std::isfinite(f.x) && std::isfinite(f.y) && std::isfinite(f.score) && f.label >= 0 &&
                    f.label < classes_scored && std::isfinite(f.expected_stars) && are_chances(f.chances),
                "score: a detection with values out of range");
    for (const Wanted& w : field.wanted)
        require(finite(w.box) && std::isfinite(w.x) && std::isfinite(w.y) && w.stars >= 0 && are_chances(w.chances) &&
                    (w.label == label_ignored || (w.label >= 0 && w.label < classes_scored)),
                "score: a unit with values out of range");
}

}  // namespace

// Units are known by their rank, so that the order of rows can't matter.
struct Matcher::Units {
    MatchRule rule;
    int width, height;
    std::vector<int> row;  // of each unit: its place in the truth
    std::vector<Wanted> units;
    float widest = 0, highest = 0;
    Places places;

    Units(const ScoredField& field, const MatchRule& how)
        : rule(how),
          width(field.width),
          height(field.height),
          row((check(field, how), in_order(field.wanted))),
          units(sorted(field.wanted)),
          places(height, centres()) {
        for (const Wanted& u : units)
            widest = std::max(widest, u.box.width()), highest = std::max(highest, u.box.height());
    }
    std::vector<Wanted> sorted(const std::vector<Wanted>& wanted) const {
        std::vector<Wanted> result;
        for (const int i : row) result.push_back(wanted[std::size_t(i)]);
        return result;
    }
    std::vector<Place> centres() const {
        std::vector<Place> at;
        for (const Wanted& u : units)
            at.push_back(rule.by == MatchRule::By::box ? Place{u.box.x(), u.box.y()} : Place{u.x, u.y});
        return at;
    }
    double likeness(const Found& f, const Wanted& u) const {
        return rule.by == MatchRule::By::box ? double(iou(f.box, u.box)) : -std::hypot(f.x - u.x, f.y - u.y);
    }
    double least() const { return rule.by == MatchRule::By::box ? rule.least_iou : -rule.radius; }
    bool contradicts(const Found& f, const Wanted& u) const {  // never by an unknown magnitude
        return rule.by == MatchRule::By::centre && std::fabs(f.magnitude - u.magnitude) > rule.most_mag;
    }
    bool at_edge(double x, double y) const {
        return !(x >= rule.edge && y >= rule.edge && x <= width - rule.edge && y <= height - rule.edge);
    }

    // The best free unit; or left_out if the best there is doesn't count; or none.
    int best(const Found& f, const std::vector<char>& taken) const {
        int best = Matches::none;
        bool ignore = false;
        double quality = -std::numeric_limits<double>::infinity();
        const auto look = [&](int i) {
            const Wanted& u = units[std::size_t(i)];
            const double q = likeness(f, u);
            if (!(q >= least()) || contradicts(f, u)) return;
            if (u.label == label_ignored) {
                ignore = true;
            } else if (!taken[std::size_t(i)] && (q > quality || (q == quality && i < best))) {
                quality = q, best = i;
            }
        };
        if (rule.by == MatchRule::By::centre) {
            places.near({f.x, f.y}, rule.radius, rule.radius, look);
        } else if (rule.least_iou * f.box.width() <= widest && rule.least_iou * f.box.height() <= highest) {
            // A box that is 1/least_iou times as wide or as high as a unit's can't reach that IoU: no search needed.
            places.near({f.box.x(), f.box.y()}, 0.5 * (double(f.box.width()) + widest),
                        0.5 * (double(f.box.height()) + highest), look);
        }
        return best == Matches::none && ignore ? Matches::left_out : best;
    }
};

Matcher::Matcher(const ScoredField& field, const MatchRule& rule) : units_(std::make_unique<Units>(field, rule)) {}
Matcher::~Matcher() = default;

Matches Matcher::match(const std::vector<Found>& found) const {
    const Units& u = *units_;
    Matches m{in_order(found), std::vector<int>(found.size(), Matches::none),
              std::vector<int>(u.units.size(), Matches::none)};
    std::vector<char> taken(u.units.size(), false);
    for (const int i : m.order) {
        const Found& f = found[std::size_t(i)];
        int& unit = m.unit[std::size_t(i)];
        const int best = u.best(f, taken);
        if (best < 0) {
            unit = best == Matches::left_out || u.at_edge(f.x, f.y) ? Matches::left_out : Matches::none;
            continue;
        }
        taken[std::size_t(best)] = true;
        const Wanted& w = u.units[std::size_t(best)];
        unit = u.at_edge(w.x, w.y) ? Matches::left_out : u.row[std::size_t(best)];
        if (unit >= 0) m.found[std::size_t(unit)] = i;
    }
    for (std::size_t k = 0; k < u.units.size(); ++k)
        if (u.units[k].label == label_ignored || u.at_edge(u.units[k].x, u.units[k].y))
            m.found[std::size_t(u.row[k])] = Matches::left_out;
    return m;
}

}  // namespace star
