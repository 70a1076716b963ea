// An observation as the search wants it.
#include "tools/cosmic_rays.h"

#include <algorithm>

#include "sim/cosmic_ray_search.h"
#include "tools/sources.h"

namespace star {

void mark_cosmic_rays(ThreadPool& pool, Observation& o, const PreparedSky& sky, const std::optional<KnownPsf>& psf,
                      CosmicRaySetting setting, Console& console) {
    // Detectors that are read out while they expose have lost their cosmic rays in the fit of the ramps.
    const bool single = o.exposures.value < 2 && o.image.number_of("NGROUPS").value_or(1) < 2;
    if (setting == CosmicRaySetting::off || (setting == CosmicRaySetting::automatic && !single)) return;
    // A noise that is itself taken from the image's sharpness can't judge it: scanned plates would be all rays.
    if (!sky.usable_pixels || (setting == CosmicRaySetting::automatic && sky.sigma_estimated)) return;
    CosmicRaySearch how;
    if (psf) {
        how.contrast = 0;
        for (const Psf& node : psf->psf.nodes()) how.contrast = std::max(how.contrast, star_contrast(node));
    }
    const FitInput input(o, sky, 0, 0);
    const std::vector<std::uint8_t> hit = find_cosmic_rays(pool, input.image(), how);
    const auto count = std::count(hit.begin(), hit.end(), std::uint8_t{1});
    if (count == 0) return;
    if (o.mask.empty()) o.mask.resize(hit.size());
    for (std::size_t i = 0; i < hit.size(); ++i)
        if (hit[i]) o.mask[i] |= pixel_cosmic;
    console.say("{}: {} pixels look like cosmic rays; what lies on them is flagged (--cosmic-rays off)",
                o.image.header.where, count);
}

}  // namespace star
