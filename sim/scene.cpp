// Parts put together, in the order in which nature does it.
#include "sim/scene.h"

#include <algorithm>
#include <cmath>

#include "sim/scene_sky.h"

namespace star {
namespace {

constexpr std::uint64_t most_parts = 64;  // of a kind

// The light of stars and galaxies on native pixels, `frame` px wider than the field on each side.
void shine(ThreadPool& pool, const Scene& scene, const PsfMap& psf, int frame, double cut, View<float> image) {
    std::vector<PointSource> sources;
    sources.reserve(scene.stars.size());
    for (const Star& s : scene.stars) sources.push_back({s.x + frame, s.y + frame, s.flux});
    shine(pool, sources, psf, image, cut);
    for (const Galaxy& g : scene.galaxies) {
        sources = galaxy_light(g);
        for (PointSource& p : sources) p.x += frame, p.y += frame;
        // A galaxy's cells add up: together they may leave out as much as one star.
        shine(pool, sources, psf, image, cut / std::max(1.0, double(sources.size())));
    }
}

template <class T>
std::vector<T> cropped(const std::vector<T>& from, int frame, int width, int height) {
    if (frame == 0) return from;
    std::vector<T> out;
    for (int y = 0; y < height; ++y) {
        const auto row = from.begin() + std::ptrdiff_t(y + frame) * (width + 2 * frame) + frame;
        out.insert(out.end(), row, row + width);
    }
    return out;
}

}  // namespace

void check_scene(const SceneOptions& o, const Exposure& exposure) {
    check_exposure(exposure);
    if (o.mock) check_mock(*o.mock);
    for (const Star& s : o.list)
        if (!(std::isfinite(s.x) && std::isfinite(s.y) && std::isfinite(s.flux) && s.flux >= 0))
            fail(Fault::usage, "scene: a listed star at ", s.x, ", ", s.y, " has a flux of ", s.flux);
    if (o.clusters.size() > most_parts || o.disks.size() > most_parts)
        fail(Fault::usage, "scene: more than ", most_parts, " clusters or disks");
    for (const Cluster& c : o.clusters) check_cluster(c);
    for (const Disk& d : o.disks) check_disk(d);
    if (o.galaxies) check_galaxies(*o.galaxies);
    if (o.cosmic_rays) check_cosmic_rays(*o.cosmic_rays);
    if (o.defects) check_defects(*o.defects);
    if (!(std::fabs(o.sky_gradient_x) <= 1e6 && std::fabs(o.sky_gradient_y) <= 1e6))
        fail(Fault::usage, "scene: a sky gradient of ", o.sky_gradient_x, ", ", o.sky_gradient_y);
    if (exposure.drizzle_sigma > 0 && (o.cosmic_rays || o.defects))
        fail(Fault::usage, "scene: a drizzled exposure has no cosmic rays and no defects");
}

Scene make_scene(const SceneOptions& o, const Psf& psf, const Exposure& exposure, const FieldSpec& field) {
    check_scene(o, exposure);
    check_field(field, "scene");
    Scene s;
    s.width = field.width, s.height = field.height;
    FieldSpec part = field;
    const auto add = [&](const std::vector<Star>& part) { s.stars.insert(s.stars.end(), part.begin(), part.end()); };
    if (o.mock) s.stars = make_mock(*o.mock, psf, exposure, field);
    for (std::size_t i = 0; i < o.clusters.size(); ++i) {
        part.index = most_parts * field.index + i;
        add(make_cluster(o.clusters[i], exposure, part));
    }
    for (std::size_t i = 0; i < o.disks.size(); ++i) {
        part.index = most_parts * field.index + i;
        add(make_disk(o.disks[i], exposure, part));
    }
    add(o.list);
    if (o.galaxies) s.galaxies = make_galaxies(*o.galaxies, exposure, field);
    if (o.cosmic_rays)
        s.tracks =
            make_cosmic_rays(*o.cosmic_rays, exposure.exptime_s, field.width, field.height, field.seed, field.index);
    if (o.defects) s.defects = make_defects(*o.defects, field.width, field.height, field.seed, field.index);
    return s;
}

SceneImage observe_scene(ThreadPool& pool, const Scene& scene, const SceneOptions& o, const Psf& psf,
                         const Exposure& exposure, const Look& look) {
    check_scene(o, exposure);
    const int width = scene.width, height = scene.height;
    require(width > 0 && height > 0, "scene: a field of ", width, "x", height);
    // The drizzle's noise is correlated with that outside.
    const int frame = int(drizzle_kernel(exposure.drizzle_sigma).size()) / 2;
    const Shape native{1, height + 2 * frame, width + 2 * frame, 1};
    std::vector<float> pixels(std::size_t(native.size()));
    std::vector<std::uint8_t> mask(pixels.size()), full(pixels.size());
    const View<float> image{pixels.data(), native};
    shine(pool, scene, o.varying_psf ? o.varying_psf->over(native.w, native.h) : PsfMap(psf), frame,
          wing_cut * native_sigma(exposure), image);
    add_sky_gradient(image, o.sky_gradient_x * exposure.exptime_s, o.sky_gradient_y * exposure.exptime_s);
    if (frame == 0) {
        add_hot_pixels(scene.defects, exposure.exptime_s, image);
        add_tracks(scene.tracks, image);
    }
    if (o.bleeding) {
        const double room =
            exposure.full_well * exposure.exposures - (exposure.sky + exposure.dark) * exposure.exptime_s;
        if (!(room > 0)) fail(Fault::usage, "scene: the sky alone fills the full well");
        bleed(image, room);
        // What is left of a trail is a float's rounding away from full.
        for (std::size_t i = 0; i < pixels.size(); ++i) full[i] = pixels[i] >= room * (1 - 1e-6) ? mask_saturated : 0;
    }
    std::vector<float> variance(look.variance ? pixels.size() : 0);
    if (look.variance) expected_variance(pool, {pixels.data(), native}, {variance.data(), native}, exposure);
    expose(pool, image, {mask.data(), native}, exposure, look.seed, look.index);
    for (std::size_t i = 0; i < pixels.size(); ++i) mask[i] |= full[i];
    if (frame == 0) blank_dead_pixels(scene.defects, image);
    return {cropped(pixels, frame, width, height), cropped(mask, frame, width, height),
            variance.empty() ? variance : cropped(variance, frame, width, height)};
}

}  // namespace star
