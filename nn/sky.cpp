// Mesh, noise and stretch, in that order.
#include "nn/sky.h"

#include <algorithm>
#include <cmath>

namespace star {

double Noise::sigma(double level) const {
    if (!(electrons_per_unit > 0)) return NAN;
    const double electrons = std::max(level, 0.0) * electrons_per_unit;
    return std::sqrt(electrons + read_variance) / electrons_per_unit * correlation;
}

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
    const Buffer<float> level(stream.device, cells.size()), rms(stream.device, cells.size()), noise(stream.device, 1);
    const auto find_background = [&](Stream s, Arena& scratch) {
        background_mesh(s, image, mask, how.mesh, level.view(cells), rms.view(cells), scratch);
    };
    const auto find_noise = [&](Stream s, Arena& scratch) {
        high_frequency_noise(s, image, mask, how.mesh, noise.data(), scratch);
    };
    Arena rehearsal = Arena::measuring();
    find_background(dry(stream), rehearsal), find_noise(dry(stream), rehearsal);
    Arena scratch(stream.device, rehearsal.peak());
    find_background(stream, scratch);
    std::vector<float> cell(std::size_t(cells.size()));
    const auto mean_of = [&](const Buffer<float>& map) {
        copy_to_host(stream, cell.data(), map.data(), cell.size() * sizeof(float));
        synchronize(stream);
        double mean = 0;
        for (float v : cell) mean += v / double(cell.size());
        return mean;
    };
    out.background = mean_of(level);
    out.sigma = sky.noise.sigma(out.background);
    out.sigma_estimated = !(out.sigma > 0);
    if (out.sigma_estimated) {
        find_noise(stream, scratch);
        float estimated = 0;
        copy_to_host(stream, &estimated, noise.data(), sizeof estimated);
        synchronize(stream);
        out.sigma = std::isnan(estimated) ? mean_of(rms) : double(estimated);
    }
    if (!(out.sigma > 0)) out.sigma = 1;

    const Buffer<float> background(stream.device, shape.size());
    if (how.normalise.by == Normalise::By::paper) {  // Eq. 3 and 4 know one background, the mean
        if (!(how.normalise.full > float(out.background)))
            fail(Fault::usage, "full = ", how.normalise.full, ": must lie above the image's background, ",
                 out.background);
        std::fill(out.background_map.begin(), out.background_map.end(), float(out.background));
        copy_to_device(stream, background.data(), out.background_map.data(), pixels * sizeof(float));
    } else {
        mesh_to_image(stream, level.view(cells), how.mesh.size, background.view(shape));
        copy_to_host(stream, out.background_map.data(), background.data(), pixels * sizeof(float));
    }
    const auto sigma = float(out.sigma);
    copy_to_device(stream, noise.data(), &sigma, sizeof sigma);
    normalise(stream, image, mask, background.view(shape), noise.data(), how.normalise, image);
    synchronize(stream);
    return out;
}

}  // namespace star
