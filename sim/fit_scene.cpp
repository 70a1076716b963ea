// Model and weights.
#include "sim/fit_scene.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"
#include "sim/detector_noise.h"

namespace star {

FitScene::FitScene(ThreadPool& pool, const FitImage& image, const PsfMap& psf)
    : pool_(pool), image_(image), psf_(psf), fwhm_(psf.middle().fwhm()), kernel_(drizzle_kernel(image.drizzle_sigma)) {
    const std::size_t size = std::size_t(std::max(image.width, 0)) * std::size_t(std::max(image.height, 0));
    require(image.pixels.size() == size && image.sky.size() == size && image.variance.size() == size &&
                (image.unusable.empty() || image.unusable.size() == size),
            "fit: an image of ", image.width, "x", image.height, " with ", image.pixels.size(), " pixels");
    double squares = 0;
    for (double k : kernel_) squares += k * k;
    pixel_variance_ = squares * squares;
    usable_.resize(size);
    model_.resize(size);
    double least = INFINITY;
    for (std::size_t i = 0; i < size; ++i) {
        const double v = image.variance[i];
        usable_[i] = std::isfinite(image.pixels[i]) && std::isfinite(image.sky[i]) && std::isfinite(v) && v > 0 &&
                     (image.unusable.empty() || !image.unusable[i]);
        if (usable_[i]) least = std::min(least, v);
    }
    wing_cut_ = std::isfinite(least) ? 0.01 * std::sqrt(least) : 0;
}

void FitScene::show(std::span<const FitStar> stars) {
    std::vector<PointSource> sources;
    sources.reserve(stars.size());
    for (const FitStar& s : stars) sources.push_back({s.x, s.y, s.flux});
    std::fill(model_.begin(), model_.end(), 0.0f);
    if (model_.empty()) return;
    shine(pool_, sources, psf_, {model_.data(), {1, image_.height, image_.width, 1}}, wing_cut_);
}

double FitScene::variance(std::size_t i) const {
    const double light = std::max(0.0, double(model_[i])), error = image_.psf_error * light;
    const double photons = image_.electrons_per_unit > 0 ? light / image_.electrons_per_unit : 0;
    return image_.variance[i] + photons + error * error;
}

void FitScene::cut_out(int x0, int y0, int x1, int y1, FitPixels& out) const {
    const int reach = int(kernel_.size()) / 2;
    out.column = std::clamp(x0 - reach, 0, image_.width), out.row = std::clamp(y0 - reach, 0, image_.height);
    out.resize(std::clamp(x1 + reach, out.column, image_.width) - out.column,
               std::clamp(y1 + reach, out.row, image_.height) - out.row);
    for (int y = 0; y < out.h; ++y)
        for (int x = 0; x < out.w; ++x) {
            const std::size_t from = std::size_t(out.row + y) * std::size_t(image_.width) + std::size_t(out.column + x);
            const std::size_t to = std::size_t(y) * std::size_t(out.w) + std::size_t(x);
            if (!usable_[from]) continue;
            out.light[to] = residual(from);
            out.variance[to] = variance(from);
        }
}

}  // namespace star
