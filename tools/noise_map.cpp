// Variances from whatever a plane holds; the sky's noise and the gain out of their run with the flux.
#include "tools/noise_map.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"

namespace star {
namespace {

constexpr float nan = NAN;

float variance_from(double v, Weight kind) {
    const double variance = kind == Weight::rms ? v * v : kind == Weight::variance ? v : 1 / v;
    const auto narrow = float(variance);
    return v > 0 && std::isfinite(narrow) && narrow > 0 ? narrow : nan;
}

double median(std::vector<float> v) {
    const auto middle = v.begin() + std::ptrdiff_t(v.size() / 2);
    std::nth_element(v.begin(), middle, v.end());
    return *middle;
}

// Medians of flux and variance over pixels of ranks [first, last) of flux; `order` is by flux.
std::pair<double, double> medians(const std::vector<std::pair<float, float>>& order, std::size_t first,
                                  std::size_t last) {
    std::vector<float> variance;
    for (std::size_t i = first; i < last; ++i) variance.push_back(order[i].second);
    return {order[(first + last) / 2].first, median(std::move(variance))};
}

}  // namespace

NoiseMap noise_map(const FitsImage& plane, Weight kind, const FitsImage& image, std::span<const std::uint8_t> states) {
    if (plane.width != image.width || plane.height != image.height)
        fail(Fault::input, plane.header.where, ": NAXIS: ", plane.width, "x", plane.height, " pixels for an image of ",
             image.width, "x", image.height);
    NoiseMap out;
    out.variance.resize(plane.pixels.size());
    std::vector<std::pair<float, float>> seen;  // flux and variance: a sample of at most a million
    const std::size_t step = plane.pixels.size() / 1000000 + 1;
    for (std::size_t i = 0; i < plane.pixels.size(); ++i) {
        out.variance[i] = variance_from(plane.pixels[i], kind);
        const bool good =
            std::isfinite(out.variance[i]) && std::isfinite(image.pixels[i]) && (states.empty() || states[i] == 0);
        if (good && i % step == 0) seen.emplace_back(image.pixels[i], out.variance[i]);
    }
    if (seen.empty()) return out;
    std::sort(seen.begin(), seen.end());
    const std::size_t n = seen.size(), half = std::max<std::size_t>(n / 2, 1),
                      bright = n - std::max<std::size_t>(n / 20, 1);
    const auto [sky_flux, sky_variance] = medians(seen, 0, half);
    out.sky_sigma = std::sqrt(sky_variance);
    const auto [star_flux, star_variance] = medians(seen, std::min(bright, n - 1), n);
    if (star_variance > 1.1 * sky_variance && star_flux > sky_flux)
        out.electrons_per_unit = (star_flux - sky_flux) / (star_variance - sky_variance);
    // Among the faint pixels the flux is mostly noise: does the variance go along with it?
    const auto [low_flux, low_variance] = medians(seen, 0, std::max<std::size_t>(n / 8, 1));
    const auto [high_flux, high_variance] = medians(seen, std::min(3 * n / 8, half - 1), half);
    out.follows_noise = out.electrons_per_unit > 0 &&
                        (high_variance - low_variance) * out.electrons_per_unit > 0.5 * (high_flux - low_flux);
    return out;
}

double NoiseMap::empty(std::size_t i, double light, double electrons) const {
    const double all = variance[i], least = 0.1 * sky_sigma * sky_sigma;
    if (!(electrons_per_unit > 0) || !(electrons > 0)) return all;
    if (!follows_noise && light < 3 * sky_sigma) return all;  // mostly noise, which the map doesn't hold
    return std::isfinite(all) ? std::max(all - light / electrons, std::min(all, least)) : all;
}

void scale(NoiseMap& map, double factor) {
    for (float& v : map.variance) v = float(v * factor);
    map.sky_sigma *= std::sqrt(factor);
    map.electrons_per_unit /= factor;
}

}  // namespace star
