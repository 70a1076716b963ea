// Quantities, bins, shares.
#include "tools/score_profiles.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "tools/score_places.h"

namespace star {
namespace {

constexpr double no_end = std::numeric_limits<double>::infinity();

struct Axis {
    const char *name, *unit;
    std::vector<double> edges;  // ascending; the last is no_end
};

const std::array<Axis, 4>& axes() {
    static const std::array<Axis, 4> all = [] {
        Axis magnitude{"magnitude", "mag", {}};
        for (int i = 0; i <= 60; ++i) magnitude.edges.push_back(10 + 0.5 * i);  // what telescopes see
        magnitude.edges.push_back(no_end);
        return std::array<Axis, 4>{magnitude,
                                   Axis{"density", "units/1000 px2", {0, 2, 4, 6, 8, 10, 12, 15, 20, 30, 50, no_end}},
                                   Axis{"separation", "px", {0, 2, 4, 6, 8, 10, 12, 15, 20, 30, no_end}},
                                   Axis{"flux ratio", "", {1, 1.5, 2, 3, 5, 10, 30, no_end}}};
    }();
    return all;
}
enum Quantity : std::size_t { magnitude, density, separation, flux_ratio };

struct Kind {
    const char* figure;
    std::size_t axis;
};
constexpr std::array<Kind, 11> kinds{{{"completeness", magnitude},
                                      {"completeness", density},
                                      {"completeness", separation},
                                      {"completeness", flux_ratio},
                                      {"right class", magnitude},
                                      {"right class", density},
                                      {"right class", separation},
                                      {"right class", flux_ratio},
                                      {"purity", magnitude},
                                      {"purity", density},
                                      {"purity", separation}}};
constexpr std::size_t completeness = 0, right_class = 4, purity = 8;  // the first of each

std::size_t bins_of(std::size_t kind) { return axes()[kinds[kind].axis].edges.size() - 1; }
std::size_t first_bin(std::size_t kind) {
    std::size_t sum = 0;
    for (std::size_t k = 0; k < kind; ++k) sum += bins_of(k);
    return sum;
}

// Area of the circle of density_radius around a place that lies in the field: chords of 64 strips, each cut. Good to
// 0.1 %.
double area_inside(double x, double y, int width, int height) {
    constexpr int strips = 64;
    constexpr double step = 2 * density_radius / strips;
    double area = 0;
    for (int i = 0; i < strips; ++i) {
        const double dy = -density_radius + (i + 0.5) * step;
        if (y + dy < 0 || y + dy > height) continue;
        const double half = std::sqrt(density_radius * density_radius - dy * dy);
        area += step * std::max(0.0, std::min(x + half, double(width)) - std::max(x - half, 0.0));
    }
    return area;
}

// Units per 1000 px^2; NaN where the circle misses the field.
double density_at(const Places& units, const std::vector<Place>& at, Place p, const ScoredField& field) {
    int count = 0;
    units.near(p, density_radius, density_radius, [&](int i) {
        count += std::hypot(at[std::size_t(i)].x - p.x, at[std::size_t(i)].y - p.y) <= density_radius;
    });
    const double area = area_inside(p.x, p.y, field.width, field.height);
    return area > 0 ? 1000 * count / area : not_known;
}

// Distance from the i-th place to the nearest other one; NaN if it is alone.
double nearest(const Places& places, const std::vector<Place>& at, std::size_t i, double farthest) {
    for (double reach = 8; reach < 2 * farthest; reach *= 2) {
        double least = no_end;
        places.near(at[i], reach, reach, [&](int j) {
            if (j != int(i))
                least = std::min(least, std::hypot(at[std::size_t(j)].x - at[i].x, at[std::size_t(j)].y - at[i].y));
        });
        if (least <= reach) return least;
    }
    return not_known;
}

template <class Row>
std::vector<Place> places_of(const std::vector<Row>& rows) {
    std::vector<Place> at;
    for (const Row& r : rows) at.push_back({r.x, r.y});
    return at;
}

}  // namespace

void ProfileCounts::count(int field, std::size_t profile, double quantity, bool hit) {
    const auto& edges = axes()[kinds[profile].axis].edges;
    if (!(quantity >= edges.front() && quantity < edges.back())) return;
    const auto bin = std::size_t(std::upper_bound(edges.begin(), edges.end(), quantity) - edges.begin()) - 1;
    Share& s = fields_[std::size_t(field)][first_bin(profile) + bin];
    ++s.all, s.hits += hit;
}

void ProfileCounts::add(int field, const ScoredField& truth, const std::vector<Found>& found, const Matches& matches) {
    if (fields_.size() <= std::size_t(field))
        fields_.resize(std::size_t(field) + 1, std::vector<Share>(first_bin(kinds.size())));
    const auto wanted_at = places_of(truth.wanted), found_at = places_of(found);
    const Places units(truth.height, wanted_at), detections(truth.height, found_at);
    const double farthest = std::hypot(truth.width, truth.height);
    for (std::size_t i = 0; i < truth.wanted.size(); ++i) {
        const int by = matches.found[i];
        if (by == Matches::left_out) continue;
        const Wanted& w = truth.wanted[i];
        const double q[] = {w.magnitude, density_at(units, wanted_at, wanted_at[i], truth),
                            nearest(units, wanted_at, i, farthest), w.flux_ratio};
        for (std::size_t a = 0; a < 4; ++a) {
            count(field, completeness + a, q[a], by >= 0);
            if (by >= 0) count(field, right_class + a, q[a], found[std::size_t(by)].label == w.label);
        }
    }
    for (std::size_t i = 0; i < found.size(); ++i) {
        if (matches.unit[i] == Matches::left_out) continue;
        const double q[] = {found[i].magnitude, density_at(units, wanted_at, found_at[i], truth),
                            nearest(detections, found_at, i, farthest)};
        for (std::size_t a = 0; a < 3; ++a) count(field, purity + a, q[a], matches.unit[i] >= 0);
    }
}

std::vector<Profile> ProfileCounts::profiles(const ProfileCounts& chance, const Bootstrap& bootstrap) const {
    const auto share = [](const ProfileCounts& c, std::size_t bin, const std::vector<int>& times) {
        Share sum;
        for (std::size_t f = 0; f < c.fields_.size(); ++f) {
            const std::int64_t n = times.empty() ? 1 : times[f];
            sum.hits += n * c.fields_[f][bin].hits, sum.all += n * c.fields_[f][bin].all;
        }
        return sum;
    };
    const auto ratio = [](Share s) { return s.all > 0 ? double(s.hits) / double(s.all) : not_known; };
    std::vector<Profile> result;
    for (std::size_t k = 0; k < kinds.size(); ++k) {
        const Axis& axis = axes()[kinds[k].axis];
        Profile p{kinds[k].figure, axis.name, axis.unit, {}};
        for (std::size_t b = 0; b < bins_of(k); ++b) {
            const std::size_t bin = first_bin(k) + b;
            const Share all = share(*this, bin, {});
            if (all.all == 0) continue;
            std::vector<double> values;
            for (const auto& times : bootstrap.times()) values.push_back(ratio(share(*this, bin, times)));
            const auto [low, high] = middle(std::move(values));
            p.bins.push_back(
                {axis.edges[b], axis.edges[b + 1], all.all, ratio(all), low, high, ratio(share(chance, bin, {}))});
        }
        if (!p.bins.empty()) result.push_back(std::move(p));
    }
    return result;
}

}  // namespace star
