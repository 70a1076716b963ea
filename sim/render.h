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

/// Which square of pixels each star is drawn on, and which part of the sky the image shows.
struct Stamps {
    double cut = 0;  ///< in units of the image: no pixel loses more of one star's light; 0: the whole table is drawn
    double density = 0;  ///< stars/px^2: above 0, one star loses at most cut / density in all, so that what many
                         ///< stars lose adds up to less than the cut in the mean of the pixels
    int size = 0;        ///< px: above 0, every stamp has this many pixels a side, those nearest to the star, and the
                         ///< cut doesn't count; the paper's have 100
    int column = 0, row = 0;  ///< place of the image's first pixel: a tile of a larger image
};

/// image(0, y, x, 0) += the sum over sources of flux * psf.at(row + y + 1/2 - source.y, likewise x), each over its
/// stamp. 0.01 of the sky's noise is an invisible cut.
/// image (1,H,W,1); nothing else of it is read or written. Sources may lie anywhere, also outside.
/// Returns the flux that landed in the image: less than what was sent by what fell outside the image, the stamps and
/// the table (1 - psf.energy()). Throws Error for a source that isn't finite.
/// Deterministic: a star's stamp is a function of the star alone, and the order in which a pixel sums its stars is one
/// of where they lie from it and of their places in `sources`: the same bits for any threads and for any tiles of one
/// list of stars, on one instruction set (pool.isa()). Between instruction sets a pixel differs by rounding: a chain of
/// at most 17 sums per star.
double render(ThreadPool& pool, std::span<const PointSource> sources, const Psf& psf, View<float> image,
              const Stamps& stamps);

/// With the density of this list in this image.
double render(ThreadPool& pool, std::span<const PointSource> sources, const Psf& psf, View<float> image,
              double cut = 0);

}  // namespace star
