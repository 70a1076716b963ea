// Matching and counting.
#include "tools/score.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

#include "kernels/check.h"

namespace star {
namespace {

constexpr double band = 16;  // px: a few units high, so that a search sees few that are out of reach

auto place(const Box& b) { return std::tuple(b.x0, b.y0, b.x1, b.y1); }
auto rank(const Found& f) { return std::tuple(-f.score, f.y, f.x, place(f.box), f.label, f.expected_stars); }
auto rank(const Wanted& w) { return std::tuple(w.y, w.x, place(w.box), w.label, w.stars); }

template <class Row>
std::vector<int> in_order(const std::vector<Row>& rows) {
    std::vector<int> order(rows.size());
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(),
              [&](int a, int b) { return rank(rows[std::size_t(a)]) < rank(rows[std::size_t(b)]); });
    return order;
}

struct Place {
    double x, y;
};

// Points of a field, to be found by place: sorted by horizontal band, and by x within a band.
class Places {
public:
    Places(int height, std::vector<Place> points) : bands_(int(height / band) + 1), points_(std::move(points)) {
        order_.resize(points_.size());
        std::iota(order_.begin(), order_.end(), 0);
        const auto key = [&](int i) { return std::tuple(band_of(at(i).y), at(i).x, i); };
        std::sort(order_.begin(), order_.end(), [&](int a, int b) { return key(a) < key(b); });
        first_.assign(std::size_t(bands_) + 1, 0);
        for (const int i : order_) ++first_[std::size_t(band_of(at(i).y)) + 1];
        std::partial_sum(first_.begin(), first_.end(), first_.begin());
    }

    /// Calls visit(index) for each point with |x - px| <= rx and |y - py| <= ry, in no meaningful order.
    template <class Visit>
    void near(Place p, double rx, double ry, Visit&& visit) const {
        for (int b = band_of(p.y - ry); b <= band_of(p.y + ry); ++b) {
            const auto end = order_.begin() + first_[std::size_t(b) + 1];
            auto i = std::lower_bound(order_.begin() + first_[std::size_t(b)], end, p.x - rx,
                                      [&](int j, double x) { return at(j).x < x; });
            for (; i != end && at(*i).x <= p.x + rx; ++i)
                if (std::abs(at(*i).y - p.y) <= ry) visit(*i);
        }
    }

private:
    const Place& at(int i) const { return points_[std::size_t(i)]; }
    int band_of(double y) const { return int(std::clamp(y / band, 0.0, double(bands_ - 1))); }

    int bands_;
    std::vector<Place> points_;
    std::vector<int> order_;
    std::vector<std::ptrdiff_t> first_;
};

// The truth of a field, ready to be matched. Units are known by their rank, so that the order of rows can't matter.
class Truth {
public:
    Truth(const ScoredField& field, const MatchRule& rule)
        : rule_(rule), units_(sorted(field.wanted)), places_(field.height, centres()), taken_(units_.size(), false) {
        for (const Wanted& u : units_)
            widest_ = std::max(widest_, u.box.width()), highest_ = std::max(highest_, u.box.height());
    }

    void forget_matches() { taken_.assign(units_.size(), false); }
    bool taken(int unit) const { return taken_[std::size_t(unit)]; }
    const std::vector<Wanted>& units() const { return units_; }

    static constexpr int none = -1, ignored = -2;

    // The best free unit, which is taken; or `ignored` if the best there is doesn't count; or `none`.
    int match(const Found& f) {
        int best = none;
        bool ignore = false;
        double quality = -std::numeric_limits<double>::infinity();
        const auto look = [&](int i) {
            const Wanted& u = units_[std::size_t(i)];
            const double q = likeness(f, u);
            if (!(q >= least())) return;
            if (u.label == label_ignored) {
                ignore = true;
            } else if (!taken(i) && (q > quality || (q == quality && i < best))) {
                quality = q, best = i;
            }
        };
        if (rule_.by == MatchRule::By::centre) {
            places_.near({f.x, f.y}, rule_.radius, rule_.radius, look);
        } else if (rule_.least_iou * f.box.width() <= widest_ && rule_.least_iou * f.box.height() <= highest_) {
            // A box that is 1/least_iou times as wide or as high as a unit's can't reach that IoU: no search needed.
            places_.near({f.box.x(), f.box.y()}, 0.5 * (double(f.box.width()) + widest_),
                         0.5 * (double(f.box.height()) + highest_), look);
        }
        if (best != none) taken_[std::size_t(best)] = true;
        return best == none && ignore ? ignored : best;
    }

private:
    static std::vector<Wanted> sorted(const std::vector<Wanted>& units) {
        std::vector<Wanted> result;
        for (const int i : in_order(units)) result.push_back(units[std::size_t(i)]);
        return result;
    }
    std::vector<Place> centres() const {
        std::vector<Place> places;
        for (const Wanted& u : units_)
            places.push_back(rule_.by == MatchRule::By::box ? Place{u.box.x(), u.box.y()} : Place{u.x, u.y});
        return places;
    }
    double likeness(const Found& f, const Wanted& u) const {
        return rule_.by == MatchRule::By::box ? double(iou(f.box, u.box)) : -std::hypot(f.x - u.x, f.y - u.y);
    }
    double least() const { return rule_.by == MatchRule::By::box ? rule_.least_iou : -rule_.radius; }

    MatchRule rule_;
    std::vector<Wanted> units_;
    float widest_ = 0, highest_ = 0;
    Places places_;
    std::vector<bool> taken_;
};

bool finite(const Box& b) {
    return std::isfinite(b.x0) && std::isfinite(b.y0) && std::isfinite(b.x1) && std::isfinite(b.y1);
}

void check(const ScoredField& field, const MatchRule& rule) {
    require(field.width > 0 && field.height > 0, "score: a field of ", field.width, "x", field.height, " px");
    require(rule.least_iou > 0 && rule.least_iou <= 1, "score: least_iou = ", rule.least_iou);
    require(rule.radius > 0 && std::isfinite(rule.radius), "score: radius = ", rule.radius);
    require(rule.edge >= 0, "score: edge = ", rule.edge);
    for (const Found& f : field.found)
        require(finite(f.box) && std::isfinite(f.x) && std::isfinite(f.y) && std::isfinite(f.score) && f.label >= 0 &&
                    f.label < classes_scored && std::isfinite(f.expected_stars),
                "score: a detection with values out of range");
    for (const Wanted& w : field.wanted)
        require(finite(w.box) && std::isfinite(w.x) && std::isfinite(w.y) && w.stars >= 0 &&
                    (w.label == label_ignored || (w.label >= 0 && w.label < classes_scored)),
                "score: a unit with values out of range");
}

// Counts `found`, which is in order of score, against the truth.
Tally count(const ScoredField& field, const std::vector<Found>& found, Truth& truth, double edge) {
    const auto at_edge = [&](double x, double y) {
        return !(x >= edge && y >= edge && x <= field.width - edge && y <= field.height - edge);
    };
    truth.forget_matches();
    Tally t;
    for (const Found& f : found) {
        const int i = truth.match(f);
        const Wanted* unit = i >= 0 ? &truth.units()[std::size_t(i)] : nullptr;
        if (i == Truth::ignored || (unit ? at_edge(unit->x, unit->y) : at_edge(f.x, f.y))) {
            ++t.found_left_out;
            continue;
        }
        ++t.matrix[std::size_t(unit ? unit->label : nothing_there)][std::size_t(f.label)];
        t.stars_expected += f.expected_stars;
    }
    for (std::size_t i = 0; i < truth.units().size(); ++i) {
        const Wanted& u = truth.units()[i];
        if (u.label == label_ignored || at_edge(u.x, u.y)) {
            ++t.units_left_out;
            continue;
        }
        t.stars_true += u.stars;
        if (!truth.taken(int(i))) ++t.matrix[std::size_t(u.label)][nothing_there];
    }
    return t;
}

std::vector<Found> by_score(const std::vector<Found>& found) {
    std::vector<Found> result;
    for (const int i : in_order(found)) result.push_back(found[std::size_t(i)]);
    return result;
}

// How far a place must move to come back into [0, size) on the other side.
double wrap(double at, int size) { return -size * std::floor(at / size); }

Found shifted(Found f, Place by, const ScoredField& field) {
    const double dx = by.x + wrap(f.x + by.x, field.width), dy = by.y + wrap(f.y + by.y, field.height);
    f.x += dx, f.y += dy;
    f.box = {float(f.box.x0 + dx), float(f.box.y0 + dy), float(f.box.x1 + dx), float(f.box.y1 + dy)};
    return f;
}

}  // namespace

Tally& Tally::operator+=(const Tally& other) {
    for (std::size_t i = 0; i < matrix.size(); ++i)
        for (std::size_t j = 0; j < matrix.size(); ++j) matrix[i][j] += other.matrix[i][j];
    stars_expected += other.stars_expected, stars_true += other.stars_true;
    units_left_out += other.units_left_out, found_left_out += other.found_left_out;
    return *this;
}

Tally score_field(const ScoredField& field, const MatchRule& rule) {
    check(field, rule);
    Truth truth(field, rule);
    return count(field, by_score(field.found), truth, rule.edge);
}

Tally score_by_chance(const ScoredField& field, const MatchRule& rule) {
    check(field, rule);
    Truth truth(field, rule);
    const auto found = by_score(field.found);
    // Whole px; lengths 5.1 to 14.3 px, eight directions at different distances, so that no regular pattern of the
    // field (units keep 8 px apart) repeats under all of them.
    constexpr std::array<Place, 8> offsets{{{5, 1}, {5, 6}, {-2, 9}, {-7, 8}, {-12, -1}, {-9, -10}, {3, -14}, {4, -4}}};
    Tally sum;
    for (const Place by : offsets) {
        std::vector<Found> moved;
        for (const Found& f : found) moved.push_back(shifted(f, by, field));
        sum += count(field, moved, truth, rule.edge);
    }
    return sum;
}

}  // namespace star
