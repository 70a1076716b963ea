// Mock, light, detector, crop, truth.
#include "sim/field.h"

#include <algorithm>
#include <utility>

namespace star {

FieldSimulator::FieldSimulator(const Psf& psf, const Exposure& exposure, const Mock& mock, const TruthOptions& truth)
    : exposure_((check_exposure(exposure), exposure)),
      mock_((check_mock(mock), mock)),
      truth_((check_truth(truth), truth)),
      native_(psf),
      psf_(image_psf(psf, exposure)) {}

Field FieldSimulator::make(ThreadPool& pool, int width, int height, double margin, std::uint64_t seed,
                           std::uint64_t index) const {
    return observe(pool, make_mock(mock_, psf_, exposure_, width, height, margin, seed, index), width, height, seed,
                   index);
}

Field FieldSimulator::observe(ThreadPool& pool, std::vector<Star> stars, int width, int height, std::uint64_t seed,
                              std::uint64_t index) const {
    require(width > 0 && height > 0, "observe: a field of ", width, "x", height);
    const int frame =
        int(drizzle_kernel(exposure_.drizzle_sigma).size()) / 2;  // the drizzle's noise is correlated with that outside
    const Shape native{1, height + 2 * frame, width + 2 * frame, 1};
    std::vector<PointSource> sources;
    sources.reserve(stars.size());
    for (const Star& s : stars) sources.push_back({s.x + frame, s.y + frame, s.flux});
    std::vector<float> pixels(std::size_t(native.size()));
    std::vector<std::uint8_t> mask(pixels.size());
    render(pool, sources, psf_, {pixels.data(), native}, wing_cut * native_sigma(exposure_));
    expose(pool, {pixels.data(), native}, {mask.data(), native}, exposure_, seed, index);
    if (frame) {
        const auto crop = [&](auto& v) {
            for (int y = 0; y < height; ++y)
                std::copy_n(v.begin() + std::ptrdiff_t(y + frame) * native.w + frame, width,
                            v.begin() + std::ptrdiff_t(y) * width);
            v.resize(std::size_t(width) * height);
        };
        crop(pixels);
        crop(mask);
    }
    Truth truth = label_truth(pool, stars, native_, exposure_, truth_, width, height);
    return {width, height, std::move(pixels), std::move(mask), std::move(stars), std::move(truth)};
}

}  // namespace star
