// Mesh, noise and stretch, in that order.
#include "nn/sky.h"

#include <algorithm>
#include <cmath>

namespace star {

bool Sky::usable(std::int64_t i) const { return std::isfinite(image.data[i]) && !(mask.data && mask.data[i]); }

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

    const Shape cells{1, mesh_cells(shape.h, how.mesh.size), mesh_cells(shape.w, how.mesh.size), 1};
    const Buffer<float> level(stream.device, cells.size()), rms(stream.device, cells.size()),
        estimate(stream.device, 1), background(stream.device, shape.size());
    const Buffer<SkyLevel> found(stream.device, 1);
    const bool noise_known = sky.noise.sigma(0) > 0;  // whatever the level, which the host doesn't wait for
    const auto look = [&](Stream s, Arena& scratch) {
        background_mesh(s, image, mask, how.mesh, level.view(cells), rms.view(cells), scratch);
        if (!noise_known) high_frequency_noise(s, image, mask, how.mesh, estimate.data(), scratch);
    };
    Arena rehearsal = Arena::measuring();
    look(dry(stream), rehearsal);
    Arena scratch(stream.device, rehearsal.peak());
    look(stream, scratch);
    sky_level(stream, level.view(cells), rms.view(cells), noise_known ? nullptr : estimate.data(), sky.noise,
              found.data());
    const bool paper = how.normalise.by == Normalise::By::paper;
    if (paper) {  // Eq. 3 and 4 know one background, the mean: a mesh of a single cell
        const View<const float> mean{&found.data()->rounded_background, {1, 1, 1, 1}};
        mesh_to_image(stream, mean, std::max(shape.h, shape.w) + 1, background.view(shape));
    } else {
        mesh_to_image(stream, level.view(cells), how.mesh.size, background.view(shape));
    }
    normalise(stream, image, mask, background.view(shape), &found.data()->rounded_sigma, how.normalise, image);
    SkyLevel result{};
    copy_to_host(stream, &result, found.data(), sizeof result);
    copy_to_host(stream, out.background_map.data(), background.data(), pixels * sizeof(float));
    synchronize(stream);
    out.background = result.background, out.sigma = result.sigma, out.sigma_estimated = result.estimated;
    if (paper && !(how.normalise.full > result.rounded_background))
        fail(Fault::usage, "full = ", how.normalise.full, ": must lie above the image's background, ", out.background);
    return out;
}

}  // namespace star
