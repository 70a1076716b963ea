// Points in cubic cells of the radius' size, found by hashing.
#include "tools/cross_match.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <tuple>

#include "kernels/check.h"

namespace star {
namespace {

struct Cell {
    std::int64_t x, y, z;
    bool operator==(const Cell&) const = default;
};

bool finite(const Point& p) { return std::isfinite(p.x) && std::isfinite(p.y) && std::isfinite(p.z); }

// The points of a list by the cell that they are in.
class Cells {
public:
    Cells(const std::vector<Point>& points, double side) : points_(points), side_(side) {
        std::size_t buckets = 16;
        while (buckets < 2 * points.size()) buckets *= 2;
        first_.assign(buckets + 1, 0);
        for (const Point& p : points)
            if (finite(p)) ++first_[bucket(cell(p)) + 1];
        std::partial_sum(first_.begin(), first_.end(), first_.begin());
        index_.resize(std::size_t(first_.back()));
        std::vector<int> next(first_.begin(), first_.end() - 1);
        for (std::size_t i = 0; i < points.size(); ++i)
            if (finite(points[i])) index_[std::size_t(next[bucket(cell(points[i]))]++)] = int(i);
    }

    // Calls visit(index, distance) for each point within a cell's side of p.
    template <class Visit>
    void near(const Point& p, Visit&& visit) const {
        const Cell c = cell(p);
        for (std::int64_t k = 0; k < 27; ++k) {
            const Cell at{c.x + k % 3 - 1, c.y + k / 3 % 3 - 1, c.z + k / 9 - 1};
            const std::size_t b = bucket(at);
            for (int i = first_[b]; i < first_[b + 1]; ++i) {
                const int j = index_[std::size_t(i)];
                const Point& q = points_[std::size_t(j)];
                if (!(cell(q) == at)) continue;  // another cell of this bucket
                const double d = std::hypot(p.x - q.x, p.y - q.y, p.z - q.z);
                if (d <= side_) visit(j, d);
            }
        }
    }

private:
    Cell cell(const Point& p) const {
        const auto whole = [&](double v) { return std::int64_t(std::clamp(std::floor(v / side_), -1e15, 1e15)); };
        return {whole(p.x), whole(p.y), whole(p.z)};
    }
    std::size_t bucket(const Cell& c) const {
        std::uint64_t h = std::uint64_t(c.x) * 0x9e3779b97f4a7c15u;  // odd numbers far apart
        h = (h ^ (h >> 29)) + std::uint64_t(c.y) * 0xbf58476d1ce4e5b9u;
        h = (h ^ (h >> 32)) + std::uint64_t(c.z) * 0x94d049bb133111ebu;
        return std::size_t((h ^ (h >> 31)) & (first_.size() - 2));
    }

    const std::vector<Point>& points_;
    double side_;
    std::vector<int> first_, index_;
};

}  // namespace

Point on_sphere(double ra_deg, double dec_deg) {
    const double a = ra_deg * std::numbers::pi / 180, d = dec_deg * std::numbers::pi / 180;
    return {std::cos(d) * std::cos(a), std::cos(d) * std::sin(a), std::sin(d)};
}

std::vector<MatchedPair> pairs_within(const std::vector<Point>& a, const std::vector<Point>& b, double radius) {
    require(radius > 0 && std::isfinite(radius), "match: radius = ", radius);
    const Cells cells(b, radius);
    std::vector<MatchedPair> pairs;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (!finite(a[i])) continue;
        cells.near(a[i], [&](int j, double d) { pairs.push_back({int(i), j, d}); });
        if (std::int64_t(pairs.size()) > most_pairs)
            fail(Fault::usage, "match: more than ", most_pairs, " pairs lie within the radius: it is too large");
    }
    std::sort(pairs.begin(), pairs.end(), [](const MatchedPair& p, const MatchedPair& q) {
        return std::tuple(p.distance, p.a, p.b) < std::tuple(q.distance, q.a, q.b);
    });
    return pairs;
}

std::vector<MatchedPair> one_to_one(const std::vector<MatchedPair>& pairs, std::size_t a, std::size_t b) {
    std::vector<char> taken_a(a, false), taken_b(b, false);
    std::vector<MatchedPair> chosen;
    for (const MatchedPair& p : pairs) {
        if (taken_a[std::size_t(p.a)] || taken_b[std::size_t(p.b)]) continue;
        taken_a[std::size_t(p.a)] = taken_b[std::size_t(p.b)] = true;
        chosen.push_back(p);
    }
    return chosen;
}

}  // namespace star
