// Resamples and quantiles.
#include "tools/score_bootstrap.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/random.h"

namespace star {

Bootstrap::Bootstrap(std::size_t fields, std::uint64_t seed) {
    if (fields < 2) return;
    Random random(seed, 0x626f6f74ull);  // a stream of its own
    times_.assign(bootstrap_resamples, std::vector<int>(fields, 0));
    for (auto& times : times_)
        for (std::size_t i = 0; i < fields; ++i) ++times[std::size_t(random.below(int(fields)))];
}

std::pair<double, double> middle(std::vector<double> values) {
    constexpr double undefined = std::numeric_limits<double>::quiet_NaN();
    const std::size_t all = values.size();
    std::erase_if(values, [](double v) { return !std::isfinite(v); });
    if (2 * values.size() < all || values.empty()) return {undefined, undefined};
    std::sort(values.begin(), values.end());
    const auto quantile = [&](double q) { return values[std::size_t(std::lround(q * double(values.size() - 1)))]; };
    return {quantile(0.1587), quantile(0.8413)};
}

}  // namespace star
