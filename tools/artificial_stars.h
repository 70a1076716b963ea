// Artificial stars: where and how bright, a few at a time, so that they never crowd each other.
#pragma once
#include <cstdint>
#include <vector>

namespace star {

/// Coordinates in px of the whole image, pixel edges.
struct ArtificialStar {
    double x = 0, y = 0;
    double flux = 0;  ///< image units
};

struct ArtificialStars {
    int width = 0, height = 0;           ///< px, of the image
    double cell = 20;                    ///< px: at most one star in each cell of a square grid at a time
    double faintest = 0, brightest = 0;  ///< image units, 0 < faintest < brightest
    int count = 2000;                    ///< of stars, all trials together
};

/// The stars of each trial. Each lies anywhere in the inner half of its cell (of half the side), so that two are at
/// least half a cell apart; the grid lies anywhere, so that every place of the image is as likely as any other.
/// Magnitudes are uniform between the two fluxes'. In an image of more cells than there are stars to place, cells are
/// drawn. A pure function of plan and seed. Throws Error (Fault::usage) for values out of range.
std::vector<std::vector<ArtificialStar>> plan_artificial_stars(const ArtificialStars& plan, std::uint64_t seed);

}  // namespace star
