// Which stars of a list lie near a place.
#pragma once
#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "sim/render.h"

namespace star {

/// A list sorted into strips along y, and along x within each. Holds no reference to the list.
class NearStars {
public:
    /// reach: px, above 0; what for_each() looks around. Stars must be finite.
    NearStars(std::span<const PointSource> stars, double reach) : reach_(reach) {
        entries_.reserve(stars.size());
        for (std::size_t i = 0; i < stars.size(); ++i)
            entries_.push_back({std::floor(stars[i].y / reach), stars[i].x, stars[i].y, int(i)});
        std::sort(entries_.begin(), entries_.end());
    }

    /// found(index) for each star less than `reach` from (x, y), the star there included; always in the same order.
    template <class Found>
    void for_each(double x, double y, Found&& found) const {
        for (int k = -1; k <= 1; ++k) {
            const double strip = std::floor(y / reach_) + k;
            auto at = std::lower_bound(entries_.begin(), entries_.end(), Entry{strip, x - reach_, 0, -1});
            for (; at != entries_.end() && at->strip == strip && at->x <= x + reach_; ++at)
                if (std::hypot(at->x - x, at->y - y) < reach_) found(at->index);
        }
    }

private:
    struct Entry {
        double strip, x, y;
        int index;
        bool operator<(const Entry& o) const {
            if (strip != o.strip) return strip < o.strip;
            return x != o.x ? x < o.x : index < o.index;
        }
    };
    double reach_;
    std::vector<Entry> entries_;
};

}  // namespace star
