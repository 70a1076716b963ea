// Sums over cells.
#include "tools/surface_brightness.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"

namespace star {
namespace {

constexpr int reach = 2;       // cells around the one that holds a place
constexpr int least_cell = 8;  // px: so that the cells of an image of 30,000 px a side take 110 MB

}  // namespace

SurfaceBrightness::SurfaceBrightness(int width, int height, double side)
    : cell_(std::max(least_cell, int(std::lround(side / (2 * reach))))),
      across_((width + cell_ - 1) / cell_),
      down_((height + cell_ - 1) / cell_) {
    require(width > 0 && height > 0, "SurfaceBrightness: an image of ", width, "x", height, " px");
    sum_.resize(std::size_t(across_) * std::size_t(down_)), count_.resize(sum_.size());
}

void SurfaceBrightness::add(const Observation& o, const Region& core, int column, int row) {
    for (int y = std::max(core.y0, 0); y < std::min(core.y1, o.image.height); ++y)
        for (int x = std::max(core.x0, 0); x < std::min(core.x1, o.image.width); ++x) {
            const std::size_t i = std::size_t(y) * std::size_t(o.image.width) + std::size_t(x);
            if (!std::isfinite(o.image.pixels[i]) || (o.state(i) & pixel_bad)) continue;
            const std::size_t cell =
                std::size_t((row + y) / cell_) * std::size_t(across_) + std::size_t((column + x) / cell_);
            sum_[cell] += o.image.pixels[i], ++count_[cell];
        }
}

double SurfaceBrightness::around(double x, double y, double light) const {
    const int cx = std::clamp(int(x) / cell_, 0, across_ - 1), cy = std::clamp(int(y) / cell_, 0, down_ - 1);
    double sum = -light;
    std::int64_t count = 0;
    for (int j = std::max(cy - reach, 0); j <= std::min(cy + reach, down_ - 1); ++j)
        for (int i = std::max(cx - reach, 0); i <= std::min(cx + reach, across_ - 1); ++i) {
            const std::size_t cell = std::size_t(j) * std::size_t(across_) + std::size_t(i);
            sum += sum_[cell], count += count_[cell];
        }
    return count ? sum / double(count) : NAN;
}

double SurfaceBrightness::quantile(double share) const {
    std::vector<float> means;
    for (int j = 0; j < down_; ++j)
        for (int i = 0; i < across_; ++i)
            if (const double mean = around((i + 0.5) * cell_, (j + 0.5) * cell_); std::isfinite(mean))
                means.push_back(float(mean));
    if (means.empty()) return NAN;
    const auto at = means.begin() + std::ptrdiff_t(std::clamp(share, 0.0, 1.0) * double(means.size() - 1));
    std::nth_element(means.begin(), at, means.end());
    return *at;
}

}  // namespace star
