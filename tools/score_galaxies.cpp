// Every galaxy against every row: there are few galaxies.
#include "tools/score_galaxies.h"

#include <algorithm>
#include <cmath>

namespace star {

GalaxyTally tally_galaxies(const ScoredField& field, const std::vector<Found>& found,
                           const std::vector<WantedGalaxy>& galaxies, double edge) {
    GalaxyTally t;
    for (const WantedGalaxy& g : galaxies) {
        const auto holds = [&](const auto& row) { return std::hypot(row.x - g.x, row.y - g.y) < g.radius; };
        if (!(g.x >= edge && g.y >= edge && g.x <= field.width - edge && g.y <= field.height - edge)) continue;
        if (std::any_of(field.wanted.begin(), field.wanted.end(), holds)) continue;
        ++t.galaxies;
        const Found* best = nullptr;
        for (const Found& f : found)
            if (holds(f) && (!best || f.score > best->score)) best = &f;
        t.reported += best != nullptr;
        t.blends += best && best->label > 0;
    }
    return t;
}

}  // namespace star
