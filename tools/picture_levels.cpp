// Three quantiles.
#include "tools/picture_levels.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace star {

PictureLevels picture_levels(const std::vector<float>& image) {
    constexpr std::size_t most = 1000000;
    std::vector<float> good;
    const std::size_t stride = image.size() / most + 1;
    for (std::size_t i = 0; i < image.size(); i += stride)
        if (std::isfinite(image[i])) good.push_back(image[i]);
    PictureLevels levels;
    if (good.empty()) return levels;
    const auto quantile = [&](double q) {
        const auto at = good.begin() + std::ptrdiff_t(q * double(good.size() - 1));
        std::nth_element(good.begin(), at, good.end());
        return double(*at);
    };
    levels.middle = quantile(0.5), levels.top = quantile(0.997);
    const double noise = levels.middle - quantile(0.1587);
    if (noise > 0) levels.noise = noise;
    return levels;
}

}  // namespace star
