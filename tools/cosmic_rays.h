// --cosmic-rays: whether an image is searched for them, and what is found.
#pragma once
#include <optional>

#include "kernels/thread_pool.h"
#include "tools/known_psf.h"
#include "tools/observation.h"

namespace star {

enum class CosmicRaySetting { automatic, on, off };

/// Marks pixels that a cosmic ray is suspected to have hit with pixel_cosmic: a flag for what lies there, no more.
/// automatic: only in single exposures, since stacking takes most of them away, without ramps (NGROUPS), of known
/// noise. Says on the console how many.
void mark_cosmic_rays(ThreadPool& pool, Observation& o, const PreparedSky& sky, const std::optional<KnownPsf>& psf,
                      CosmicRaySetting setting, Console& console);

}  // namespace star
