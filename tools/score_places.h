// Points of a field that are near a place, without looking at all of them.
#pragma once
#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>
#include <vector>

namespace star {

struct Place {
    double x, y;
};

/// Points of a field, to be found by place: sorted by horizontal band, and by x within a band. Points may lie outside.
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

    static constexpr double band = 16;  // px: a few units high, so that a search sees few that are out of reach

    int bands_;
    std::vector<Place> points_;
    std::vector<int> order_;
    std::vector<std::ptrdiff_t> first_;
};

}  // namespace star
