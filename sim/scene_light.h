// The light of a scene through one PSF, or through one that changes over the field.
#pragma once
#include <memory>

#include "kernels/thread_pool.h"
#include "kernels/types.h"
#include "sim/psf.h"
#include "sim/psf_grid.h"
#include "sim/render.h"

namespace star {

/// A PSF that changes over a field: PSFs of the output image on a grid over the detector.
struct VaryingPsf {
    std::shared_ptr<const PsfField> over_detector;
    double x = 0, y = 0;  ///< where on the detector the field's middle lies, px
};

/// Adds sources to an image, as render() does. psf is that of every source, or, where `varying` isn't null, not looked
/// at: each source has its own PSF, interpolated between the grid's nodes (its light is shared out among them, which is
/// the same). The image's middle is the field's.
/// cut: no pixel loses more of one source's light. Returns the light that landed. Equal bits for any number of threads.
double shine(ThreadPool& pool, std::span<const PointSource> sources, const Psf& psf, const VaryingPsf* varying,
             View<float> image, double cut);

}  // namespace star
