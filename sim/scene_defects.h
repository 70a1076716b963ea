// What a detector gets wrong: hot and dead pixels, and charge that runs over.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels/types.h"

namespace star {

struct Defects {
    double hot = 1e-3;      ///< share of pixels that are hot; the order of ACS/WFC's between anneals
    double hot_rate = 0.5;  ///< e/s of dark current of a hot pixel, on average (exponential); ours
    double dead = 1e-4;     ///< share of pixels that see nothing; ours
};

struct DefectList {
    struct Hot {
        std::int64_t pixel;  ///< row * width + column
        double rate;         ///< e/s
    };
    std::vector<Hot> hot;
    std::vector<std::int64_t> dead;
};

void check_defects(const Defects& d);  ///< Throws Error (Fault::usage) naming the first value out of range.

/// Each pixel is dead, or else hot, or neither, independently. A pure function of its arguments; a pixel's state
/// depends on its index alone.
DefectList make_defects(const Defects& d, int width, int height, std::uint64_t seed, std::uint64_t index);

/// Hot pixels of (1,H,W,1) expected electrons of an exposure of exptime_s gain their rate: before expose(), which adds
/// the noise. Throws Error for a list of another image.
void add_hot_pixels(const DefectList& list, double exptime_s, View<float> image);
/// Dead pixels of (1,H,W,1) become 0: after expose(), which adds the sky to all.
void blank_dead_pixels(const DefectList& list, View<float> image);

/// Blooming, on expected electrons before expose(): in each column (along y), charge above `full` runs half up, half
/// down, filling pixels to `full` until none is left or the image ends. Charge is conserved but for what leaves the
/// image. full > 0: the full well of all exposures less sky and dark, which the image doesn't hold yet.
void bleed(View<float> image, double full);

}  // namespace star
