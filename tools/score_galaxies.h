// Galaxies that a catalogue of stars reports: truth of the class `extended`.
#pragma once
#include <cstdint>
#include <vector>

#include "tools/score.h"

namespace star {

/// A galaxy that an image shows as one. Coordinates in pixel edges.
struct WantedGalaxy {
    double x = 0, y = 0;
    double radius = 0;  ///< px: a detection whose centre lies within it is the galaxy's
};

struct GalaxyTally {
    std::int64_t galaxies = 0;
    std::int64_t reported = 0;  ///< of them: as a unit of whatever class
    std::int64_t blends = 0;    ///< of the reported: as two stars or more

    void add(const GalaxyTally& other) {
        galaxies += other.galaxies, reported += other.reported, blends += other.blends;
    }
};

/// Counts those `edge` px or more inside the field in whose radius no unit of the truth has its centre. A detection is
/// theirs if its centre is; of several the one of highest score says what the galaxy was taken for.
GalaxyTally tally_galaxies(const ScoredField& field, const std::vector<Found>& found,
                           const std::vector<WantedGalaxy>& galaxies, double edge);

}  // namespace star
