// Light, noise and a drizzle's blur, queued.
#include "sim/device_sky.h"

#include <algorithm>

#include "kernels/config.h"
#include "kernels/noise.h"
#include "kernels/normalise.h"
#include "sim/grow.h"

namespace star {

DeviceSky::DeviceSky(Stream stream, const Psf& psf, const Exposure& exposure)
    : stream_(stream),
      exposure_((check_exposure(exposure), exposure)),
      drizzle_(drizzle_kernel(exposure.drizzle_sigma)),
      light_(stream, psf) {
    require(with_cuda && stream.device.kind == Device::Kind::cuda, "DeviceSky: needs a GPU");
}

void DeviceSky::observe(std::span<const Star> stars, const Look& look, View<float> image) {
    require(!look.variance, "DeviceSky: gives no variance");
    const int frame = int(drizzle_.size()) / 2;
    const Shape native{1, image.shape.h + 2 * frame, image.shape.w + 2 * frame, 1};
    std::vector<PointSource> sources;
    sources.reserve(stars.size());
    for (const Star& s : stars) sources.push_back({s.x + frame, s.y + frame, s.flux});
    const double density = std::max(1.0, double(sources.size())) / double(native.size());
    const bool drizzled = frame > 0;
    if (drizzled) {
        grow(native_, stream_.device, native.size());
        grow(noise_, stream_.device, native.size());
        grow(rows_, stream_.device, native.size());
    }
    const View<float> light = drizzled ? native_.view(native) : image;
    light_.draw(sources, Stamps{wing_cut * native_sigma(exposure_), density}, light);
    if constexpr (with_cuda) {  // the CPU has observe_scene()
        NoiseRun run = noise_run(exposure_, look.seed, look.index);
        run.image = light.data, run.count = light.size();
        run.noise = drizzled ? noise_.data() : nullptr;
        cuda::expose(stream_, run);
        if (!drizzled) return;
        cuda::drizzle_noise(stream_, light, {noise_.data(), native}, drizzle_.data(), int(drizzle_.size()), run.unit,
                            rows_.data());
        cut_window(stream_, View<const float>{light.data, native}, frame, frame, image);
    }
}

}  // namespace star
