// Cells, places, fluxes.
#include "tools/artificial_stars.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"
#include "kernels/random.h"

namespace star {
namespace {

constexpr std::uint64_t stream_of_trials = 0x6365727469667900;  // apart from other uses of a seed

// A star in each cell, row by row, of those that fall into the image.
std::vector<ArtificialStar> fill_cells(const ArtificialStars& plan, Random& random) {
    std::vector<ArtificialStar> stars;
    const double left = -random.uniform(0, plan.cell), top = -random.uniform(0, plan.cell);
    const double brighter = std::log(plan.brightest / plan.faintest);
    for (double y = top; y < plan.height; y += plan.cell)
        for (double x = left; x < plan.width; x += plan.cell) {
            const double at_x = x + plan.cell * random.uniform(0.25, 0.75),
                         at_y = y + plan.cell * random.uniform(0.25, 0.75);
            const double flux = plan.faintest * std::exp(brighter * random.uniform());
            if (at_x >= 0 && at_y >= 0 && at_x < plan.width && at_y < plan.height) stars.push_back({at_x, at_y, flux});
        }
    return stars;
}

// Keeps `count` of them, drawn without preference.
void thin(std::vector<ArtificialStar>& stars, std::size_t count, Random& random) {
    for (std::size_t i = 0; i < count; ++i)
        std::swap(stars[i], stars[i + std::size_t(random.uniform() * double(stars.size() - i))]);
    stars.resize(count);
}

}  // namespace

std::vector<std::vector<ArtificialStar>> plan_artificial_stars(const ArtificialStars& plan, std::uint64_t seed) {
    if (plan.width < 1 || plan.height < 1 || !(plan.cell >= 1) || !(plan.faintest > 0) ||
        !(plan.brightest > plan.faintest) || !std::isfinite(plan.brightest) || plan.count < 1)
        fail(Fault::usage, "artificial stars: sizes, fluxes and their number must be positive");
    std::vector<std::vector<ArtificialStar>> trials;
    for (std::size_t placed = 0, trial = 0; placed < std::size_t(plan.count); ++trial) {
        Random random(seed, stream_of_trials + trial);
        std::vector<ArtificialStar> stars = fill_cells(plan, random);
        if (const std::size_t wanted = std::size_t(plan.count) - placed; stars.size() > wanted)
            thin(stars, wanted, random);
        placed += stars.size();
        if (!stars.empty()) trials.push_back(std::move(stars));
    }
    return trials;
}

}  // namespace star
