// Stars onto pixels: each the PSF at its true sub-pixel place.
#pragma once
#include <span>

#include "kernels/thread_pool.h"
#include "kernels/types.h"
#include "sim/psf.h"

namespace star {

struct PointSource {
    double x = 0, y = 0;  ///< px, pixel edges: an image of W columns spans 0...W
    double flux = 0;      ///< in any linear unit; the image gets the same
};

/// image(0, y, x, 0) += the sum over sources of flux * psf.at(x + 1/2 - source.x, y + 1/2 - source.y), each over a
/// square stamp: the whole table, or less where `cut` > 0 (in units of the image): what the stamps leave out is below
/// `cut` per star in every pixel, and below `cut` in all per pixel on average over the image. 0.01 of the sky's noise
/// is invisible. image (1,H,W,1). Sources may lie anywhere, also outside. Returns the flux that landed in the image:
/// less than what was sent by what fell outside the image, the stamps and the table (1 - psf.energy()). Throws Error
/// for a source that isn't finite. Deterministic: sums run in the order of `sources`, whatever the threads.
double render(ThreadPool& pool, std::span<const PointSource> sources, const Psf& psf, View<float> image,
              double cut = 0);

}  // namespace star
