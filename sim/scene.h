// What there is in a field, and how an exposure sees it: mock catalogues, clusters, disks, lists of stars, galaxies,
// and what a real detector adds.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/thread_pool.h"
#include "sim/field_spec.h"
#include "sim/mock.h"
#include "sim/psf_map.h"
#include "sim/scene_cluster.h"
#include "sim/scene_cosmic_rays.h"
#include "sim/scene_defects.h"
#include "sim/scene_disk.h"
#include "sim/scene_galaxies.h"

namespace star {

struct SceneOptions {
    std::optional<Mock> mock;
    std::vector<Cluster> clusters;
    std::vector<Disk> disks;
    std::vector<Star> list;  ///< the caller's own, the same in every field; `flux` is what shines
    std::optional<Galaxies> galaxies;
    std::optional<CosmicRays> cosmic_rays;
    std::optional<Defects> defects;
    double sky_gradient_x = 0,
           sky_gradient_y = 0;  ///< e/s/px per px, on top of the exposure's sky, which is the darkest
    /// Where the PSF changes over the field, light follows it; mock units are grown, and truth is judged, with the one
    /// PSF that functions take beside these options.
    std::optional<VaryingPsf> varying_psf;
    bool bleeding = false;  ///< charge above the full well runs along columns
};

/// What is there: the truth of a scene. sim/truth.h labels the stars; galaxies are the class `extended`.
struct Scene {
    int width = 0, height = 0;
    std::vector<Star>
        stars;  ///< the mock's, cluster by cluster, disk by disk, the list's; unit = -1 but for the mock's
    std::vector<Galaxy> galaxies;
    std::vector<Track> tracks;
    DefectList defects;
};

struct SceneImage {
    std::vector<float> image;        ///< row-major, e/s or ADU (Exposure::rate)
    std::vector<std::uint8_t> mask;  ///< mask_saturated where a pixel clipped or a trail runs, else 0
    std::vector<float> variance;     ///< expected_variance(), if asked for
};

/// One look at a scene.
struct Look {
    std::uint64_t seed = 0, index = 0;  ///< of the noise alone
    bool variance = false;              ///< wanted too
};

/// Throws Error (Fault::usage) for options out of range, and for cosmic rays or defects of a drizzled exposure:
/// dithered exposures are stacked without them.
void check_scene(const SceneOptions& options, const Exposure& exposure);

/// A pure function of its arguments. psf: of the output image, image_psf(), which the mock's units are grown for. Stars
/// and galaxies come from the margin too. Cluster or disk i has the index 64 index + i, so that two of them differ.
Scene make_scene(const SceneOptions& options, const Psf& psf, const Exposure& exposure, const FieldSpec& field);

/// The scene as the exposure sees it: stars and galaxies through the PSF, the sky's gradient, hot pixels, tracks,
/// bleeding, noise, dead pixels, in this order. psf: as in make_scene(). Wings are cut at `wing_cut` of the empty sky's
/// noise (render.h). Pure; equal bits for any number of threads.
SceneImage observe_scene(ThreadPool& pool, const Scene& scene, const SceneOptions& options, const Psf& psf,
                         const Exposure& exposure, const Look& look);

inline constexpr double wing_cut = 0.01;

}  // namespace star
