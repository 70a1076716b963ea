// Dart throwing with a list of the squares that may still have room (after Ebeida et al. 2012, the law being that of
// plain darts).
#include "sim/scatter.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>

#include "kernels/check.h"

namespace star {
namespace {

// Points by cell of side separation / sqrt(2): a cell holds at most one, and only those of the 5x5 around a point that
// aren't a corner can hold a conflict.
class Neighbours {
public:
    Neighbours(double x0, double y0, double x1, double y1, double separation)
        : x0_(x0), y0_(y0), side_(separation / std::sqrt(2.0)), separation2_(separation * separation) {
        const double w = std::ceil((x1 - x0) / side_), h = std::ceil((y1 - y0) / side_);
        require(w * h < 0x1p28, "scatter: ", w, "x", h, " cells");
        w_ = std::max(1, int(w)), h_ = std::max(1, int(h));
        stride_ = w_ + 2 * frame;
        cells_.assign(std::size_t(stride_) * std::size_t(h_ + 2 * frame), {INFINITY, INFINITY});
        int n = 0;  // the nearest first: they conflict most often
        for (int square = 0; square < 8; ++square)
            for (int y = -2; y <= 2; ++y)
                for (int x = -2; x <= 2; ++x)
                    if (x * x + y * y == square) around_[n++] = std::ptrdiff_t{y} * stride_ + x;
    }
    bool free(Place p) const {
        return !any(p, [&](Place q) { return square(q.x - p.x) + square(q.y - p.y) < separation2_; });
    }
    /// Whether one point's disc covers the whole square with this lower corner: no room in it, now or ever.
    bool covers(Place corner, double side) const {
        const Place p{corner.x + side / 2, corner.y + side / 2};
        return any(p, [&](Place q) {
            return square(std::fabs(q.x - p.x) + side / 2) + square(std::fabs(q.y - p.y) + side / 2) < separation2_;
        });
    }
    void add(Place p) { cells_[std::size_t(cell(p))] = p; }

private:
    static constexpr int frame = 2;  // empty cells around, so that no neighbour needs a bounds check
    static double square(double v) { return v * v; }
    std::ptrdiff_t cell(Place p) const {
        const int column = std::clamp(int((p.x - x0_) / side_), 0, w_ - 1);
        const int row = std::clamp(int((p.y - y0_) / side_), 0, h_ - 1);
        return std::ptrdiff_t{row + frame} * stride_ + column + frame;
    }
    template <class Test>
    bool any(Place p, Test&& test) const {
        const Place* own = cells_.data() + cell(p);
        return std::any_of(std::begin(around_), std::end(around_), [&](std::ptrdiff_t to) {
            return test(own[to]);
        });  // an empty cell's point is infinitely far
    }

    double x0_, y0_, side_, separation2_;
    int w_, h_, stride_;
    std::ptrdiff_t around_[21];
    std::vector<Place> cells_;
};

}  // namespace

std::vector<Place> scatter(double x0, double y0, double x1, double y1, double separation, double count,
                           Random& random) {
    require(x1 >= x0 && y1 >= y0 && separation >= 0 && count >= 0, "scatter: an empty region or a negative number");
    std::vector<Place> places;
    if (separation == 0) {
        require(count <= 0x1p26, "scatter: ", count, " points");
        for (double i = 0; i < std::floor(count); ++i) {
            const double x = random.uniform(x0, x1);
            places.push_back({x, random.uniform(y0, y1)});
        }
        return places;
    }
    Neighbours neighbours(x0, y0, x1, y1, separation);
    double side = separation / std::sqrt(2.0);
    std::vector<Place> open;  // lower corners of equal squares that hold all the room there is
    for (double y = y0; y < y1; y += side)
        for (double x = x0; x < x1; x += side) open.push_back({x, y});
    // A dart at a random open square is uniform over them all, so those that stick follow the law of plain darts. After
    // as many darts as squares, split the squares and drop those without room; at 2^-20 of the side rounding takes
    // over.
    for (int level = 0; level < 20 && !open.empty(); ++level) {
        for (std::size_t darts = open.size(); darts > 0; --darts) {
            if (double(places.size()) >= std::floor(count)) return places;
            const Place& corner = open[std::size_t(random.uniform() * double(open.size()))];
            const double x = corner.x + side * random.uniform();
            const Place p{x, corner.y + side * random.uniform()};
            if (p.x >= x1 || p.y >= y1 || !neighbours.free(p)) continue;
            neighbours.add(p);
            places.push_back(p);
        }
        side /= 2;
        std::vector<Place> smaller;
        for (const Place& c : open)
            for (int quarter = 0; quarter < 4; ++quarter) {
                const Place q{c.x + (quarter % 2) * side, c.y + (quarter / 2) * side};
                if (q.x < x1 && q.y < y1 && !neighbours.covers(q, side)) smaller.push_back(q);
            }
        open = std::move(smaller);
    }
    return places;
}

}  // namespace star
