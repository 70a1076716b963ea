// Mesh, noise and stretch, in that order.
#include "nn/sky.h"

#include <algorithm>
#include <cmath>

namespace star {

bool Sky::usable(std::int64_t i) const { return std::isfinite(image.data[i]) && !(mask.data && mask.data[i]); }

QueuedSky queue_sky(Stream stream, View<float> image, View<const std::uint8_t> mask, const Noise& noise,
                    const Procedure& how, Arena& memory) {
    const Shape shape = image.shape;
    const Shape cells{1, mesh_cells(shape.h, how.mesh.size), mesh_cells(shape.w, how.mesh.size), 1}, one{1, 1, 1, 1};
    const View<float> background = memory.take<float>(shape), level = memory.take<float>(cells),
                      rms = memory.take<float>(cells), estimate = memory.take<float>(one);
    SkyLevel* const found = memory.take<SkyLevel>(one).data;
    background_mesh(stream, image, mask, how.mesh, level, rms, memory);
    const bool known = noise.sigma(0) > 0;  // whatever the level, which the host doesn't wait for
    if (!known) high_frequency_noise(stream, image, mask, how.mesh, estimate.data, memory);
    sky_level(stream, level, rms, known ? nullptr : estimate.data, noise, found);
    if (how.normalise.by == Normalise::By::paper) {  // Eq. 3 and 4 know one background, the mean: a mesh of one cell
        const View<const float> mean{stream.dry ? nullptr : &found->rounded_background, one};
        mesh_to_image(stream, mean, std::max(shape.h, shape.w) + 1, background);
    } else {
        mesh_to_image(stream, level, how.mesh.size, background);
    }
    normalise(stream, image, mask, background, stream.dry ? nullptr : &found->rounded_sigma, how.normalise, image);
    return {background, found};
}

PreparedSky prepare_sky(Stream stream, const Sky& sky, const Procedure& how) {
    const Shape shape = sky.image.shape;
    require(shape.n == 1 && shape.c == 1 && shape.size() > 0, "prepare_sky: an image is (1,H,W,1)");
    require(!sky.mask.data || sky.mask.shape == shape, "prepare_sky: the mask's shape isn't the image's");
    const auto pixels = std::size_t(shape.size());

    PreparedSky out;
    out.normalised = {stream.device, shape.size()};
    out.background_map.assign(pixels, 0.0f);
    for (std::int64_t i = 0; i < shape.size(); ++i) out.usable_pixels += sky.usable(i);
    if (out.usable_pixels == 0) {
        fill_zero(stream, out.normalised.data(), pixels * sizeof(float));
        synchronize(stream);
        return out;
    }

    const View<float> image = out.normalised.view(shape);  // stretched in place at the end
    copy_to_device(stream, image.data, sky.image.data, pixels * sizeof(float));
    Buffer<std::uint8_t> mask_memory;
    View<const std::uint8_t> mask{nullptr, nothing};
    if (sky.mask.data) {
        mask_memory = {stream.device, shape.size()};
        copy_to_device(stream, mask_memory.data(), sky.mask.data, pixels);
        mask = mask_memory.view(shape);
    }

    Arena memory = Arena::measuring();
    queue_sky(dry(stream), image, mask, sky.noise, how, memory);
    memory = Arena(stream.device, memory.peak());
    const QueuedSky found = queue_sky(stream, image, mask, sky.noise, how, memory);
    SkyLevel result{};
    copy_to_host(stream, &result, found.level, sizeof result);
    copy_to_host(stream, out.background_map.data(), found.background.data, pixels * sizeof(float));
    synchronize(stream);
    out.background = result.background, out.sigma = result.sigma, out.sigma_estimated = result.estimated;
    if (how.normalise.by == Normalise::By::paper && !(how.normalise.full > result.rounded_background))
        fail(Fault::usage, "full = ", how.normalise.full, ": must lie above the image's background, ", out.background);
    return out;
}

}  // namespace star
