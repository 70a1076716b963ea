// A realistic field: clusters, disks, galaxies and what a real detector adds, observed.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/thread_pool.h"
#include "sim/scene_cluster.h"
#include "sim/scene_cosmic_rays.h"
#include "sim/scene_defects.h"
#include "sim/scene_disk.h"
#include "sim/scene_galaxies.h"

namespace star {

struct SceneOptions {
    std::vector<Cluster> clusters;
    std::vector<Disk> disks;
    std::optional<Galaxies> galaxies;
    std::optional<CosmicRays> cosmic_rays;
    std::optional<Defects> defects;
    double sky_gradient_x = 0,
           sky_gradient_y = 0;  ///< e/s/px per px, on top of the exposure's sky, which is the darkest
    bool bleeding = false;      ///< charge above the full well runs along columns
};

/// What is there: the truth of a scene. sim/truth.h labels the stars; galaxies are the class `extended`.
struct Scene {
    int width = 0, height = 0;
    std::vector<Star> stars;  ///< cluster by cluster, then disk by disk; unit = -1
    std::vector<Galaxy> galaxies;
    std::vector<Track> tracks;
    DefectList defects;
};

struct SceneImage {
    std::vector<float> image;        ///< row-major, e/s or ADU (Exposure::rate)
    std::vector<std::uint8_t> mask;  ///< mask_saturated where a pixel clipped or a trail runs, else 0
};

struct NoiseSeed {
    std::uint64_t seed = 0, index = 0;
};

/// Throws Error (Fault::usage) for options out of range, and for cosmic rays or defects of a drizzled exposure:
/// dithered exposures are stacked without them.
void check_scene(const SceneOptions& options, const Exposure& exposure);

/// A pure function of its arguments. Stars and galaxies come from up to `margin` px around the field too. Cluster or
/// disk i has the index 64 index + i, so that two of them differ.
Scene make_scene(const SceneOptions& options, const Exposure& exposure, int width, int height, double margin,
                 std::uint64_t seed, std::uint64_t index);

/// The scene as the exposure sees it: stars and galaxies through the PSF, the sky's gradient, hot pixels, tracks,
/// bleeding, noise, dead pixels, in this order. psf: on native pixels, before any drizzle. Pure; equal bits for any
/// number of threads. `noise` draws the noise alone.
SceneImage observe_scene(ThreadPool& pool, const Scene& scene, const SceneOptions& options, const Psf& psf,
                         const Exposure& exposure, NoiseSeed noise);

}  // namespace star
