// Independent random streams for the parts of a scene; those of the mock and the noise are in streams.h.
#pragma once
#include "sim/streams.h"

namespace star {

enum class SceneDraw : std::uint64_t { cluster = 64, disk, galaxies, cosmic_rays, defects };  // never renumbered

constexpr std::uint64_t scene_seed(std::uint64_t seed, SceneDraw part, std::uint64_t index) {
    return seed_of(seed, Draw(part), index);
}

}  // namespace star
