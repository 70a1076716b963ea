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
    ++times_drawn_;
    if (model_.empty()) return;
    shine(pool_, sources, psf_, {model_.data(), {1, image_.height, image_.width, 1}}, wing_cut_);
}

FitPlanes FitScene::planes() const {
    return {image_.width,  image_.height,  image_.pixels.data(),      image_.sky.data(), image_.variance.data(),
            model_.data(), usable_.data(), image_.electrons_per_unit, image_.psf_error};
}

FitRectangle FitScene::rectangle(int x0, int y0, int x1, int y1) const {
    const int reach = int(kernel_.size()) / 2;
    const int column = std::clamp(x0 - reach, 0, image_.width), row = std::clamp(y0 - reach, 0, image_.height);
    return {column, row, std::clamp(x1 + reach, column, image_.width) - column,
            std::clamp(y1 + reach, row, image_.height) - row};
}

void FitScene::cut_out(const FitRectangle& rectangle, FitPixels& out) const {
    out.column = rectangle.column, out.row = rectangle.row;
    out.resize(rectangle.w, rectangle.h);
    const FitPlanes planes = this->planes();
    for (int y = 0; y < out.h; ++y)
        for (int x = 0; x < out.w; ++x) {
            const std::size_t from = std::size_t(out.row + y) * std::size_t(image_.width) + std::size_t(out.column + x);
            const std::size_t to = std::size_t(y) * std::size_t(out.w) + std::size_t(x);
            if (!usable_[from]) continue;
            out.light[to] = planes.residual(std::int64_t(from));
            out.variance[to] = planes.noise(std::int64_t(from));
        }
}

}  // namespace star
