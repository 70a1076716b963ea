// Rendered stars, drawn photons.
#include "tools/added_light.h"

#include <cmath>

#include "kernels/random.h"
#include "sim/detector_noise.h"

namespace star {
namespace {

constexpr double invisible = 1e-3;  // of the noise: what a stamp's cut may leave out

double usual_sigma(const Observation& o) {
    if (o.map && o.map->sky_sigma > 0) return o.map->sky_sigma;
    const double sigma = o.noise.sigma(0);
    return sigma > 0 ? sigma : 0;
}

// The stars alone, image units.
std::vector<float> drawn(const Light& light, std::span<const PointSource> stars, int column, int row,
                         const Observation& o) {
    std::vector<float> out(o.image.pixels.size());
    Stamps stamps;
    stamps.cut = invisible * usual_sigma(o);
    stamps.column = column, stamps.row = row;
    shine(light.pool, stars, light.psf, View<float>{out.data(), {1, o.image.height, o.image.width, 1}}, stamps);
    return out;
}

// Independent noise as the image's: through the drizzle of those that are drizzled.
void correlate(const Light& light, const Observation& o, std::vector<float>& noise) {
    if (const double blur = o.noise_blur(light.drizzle_sigma); blur > 0)
        drizzle_noise(light.pool, blur, {noise.data(), {1, o.image.height, o.image.width, 1}});
}

// Calls draw(i, random) for each pixel, each with numbers of its own.
template <class Draw>
void for_each_pixel(const Light& light, const Observation& o, int column, int row, std::uint64_t seed, Draw&& draw) {
    light.pool.for_each(o.image.height, [&](std::int64_t y, int) {
        for (int x = 0; x < o.image.width; ++x) {
            const std::uint64_t place = std::uint64_t(row + y) << 32 | std::uint32_t(column + x);
            Random random(seed, place);
            draw(std::size_t(y) * std::size_t(o.image.width) + std::size_t(x), random);
        }
    });
}

}  // namespace

void add_stars(const Light& light, std::span<const PointSource> stars, int column, int row, std::uint64_t seed,
               Observation& o) {
    const std::vector<float> light_of = drawn(light, stars, column, row, o);
    const double e = o.noise.electrons_per_unit;
    if (e > 0) {
        std::vector<float> noise(light_of.size());
        for_each_pixel(light, o, column, row, seed, [&](std::size_t i, Random& random) {
            if (const double photons = light_of[i] * e; photons > 0)
                noise[i] = float((random.poisson(photons) - photons) / e);
        });
        correlate(light, o, noise);
        for (std::size_t i = 0; i < noise.size(); ++i) o.image.pixels[i] += noise[i];
        if (o.map && o.map->electrons_per_unit > 0)
            for (std::size_t i = 0; i < noise.size(); ++i) o.map->variance[i] += std::max(light_of[i], 0.0f) / float(e);
    }
    for (std::size_t i = 0; i < light_of.size(); ++i) o.image.pixels[i] += light_of[i];
    o.mark_pixels();
}

void make_twin(Stream stream, const Light& light, const Procedure& how, std::span<const PointSource> stars, int column,
               int row, std::uint64_t seed, Observation& o) {
    const std::vector<float> light_of = drawn(light, stars, column, row, o);
    Observation rest = o;
    for (std::size_t i = 0; i < light_of.size(); ++i) rest.image.pixels[i] -= light_of[i];
    const PreparedSky sky = prepare_sky(stream, rest.sky(), how);
    const double e = o.noise.electrons_per_unit;
    std::vector<float> noise(light_of.size());
    for_each_pixel(light, o, column, row, seed, [&](std::size_t i, Random& random) {
        const double empty = o.empty_variance(i, sky);
        const double variance = empty + (e > 0 ? std::max(light_of[i], 0.0f) / e : 0);
        if (variance > 0 && std::isfinite(variance)) noise[i] = float(random.normal() * std::sqrt(variance));
    });
    correlate(light, o, noise);
    for (std::size_t i = 0; i < light_of.size(); ++i)
        if (std::isfinite(o.image.pixels[i]) && !(o.state(i) & (pixel_bad | pixel_saturated)))
            o.image.pixels[i] = sky.background_map[i] + light_of[i] + noise[i];
}

}  // namespace star
