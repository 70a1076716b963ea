// Which stars of a list an image can show at all: each against its neighbours, the weakest dropped first.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "kernels/thread_pool.h"
#include "sim/detector_noise.h"
#include "sim/psf.h"
#include "sim/render.h"

namespace star {

struct DetectLimits {
    double min_snr = 3;       ///< Cramér-Rao signal-to-noise of the flux that a star must have
    double hopeless_snr = 2;  ///< a star below it with all others known is dropped at the start
    double reach_fwhm = 3;    ///< stars nearer than this have free fluxes and places
    double psf_error = 0.01;  ///< of the model, per pixel
};

/// The stars that count. All stars shine in the variance, dropped or not (sim/fisher.h: pixel_weights); the rule:
///   1. A star's SNR is Fisher::snr() with all stars that still count within reach_fwhm FWHM free.
///   2. The star of lowest SNR of all, if that is below min_snr, is dropped: its light becomes known. Repeat.
/// Dropping a star can only raise the SNR of others, and only within the reach, so stars that are the lowest among
/// their neighbours are dropped at once, in any order: the result is that of one at a time. Equal SNRs: the star
/// nearest to the end of the list sorted by rows goes first.
/// A star that is hopeless even alone can neither count nor come near it; dropping such stars first differs from the
/// rule only where two of them would have kept a third one down, and keeps the work bounded in fields of unresolved
/// stars. At most 60 neighbours, the nearest, are free at once.
/// A pure function of its arguments; equal bits for any number of threads. Only pixels of the image have information.
class Detectability {
public:
    /// psf: on native pixels, before any drizzle: correlated noise hides no information. reach is in FWHM of `image`'s.
    /// Throws Error (Fault::input) for a star that isn't finite, whose flux is below 0, or for too dense a list.
    Detectability(ThreadPool& pool, std::span<const PointSource> stars, const Psf& psf, const Exposure& exposure,
                  const DetectLimits& limits, int width, int height);
    ~Detectability();
    Detectability(Detectability&&) noexcept;

    bool counts(int star) const;
    /// Of a star that counts: with all that count free. Of one that was dropped: when it was; 0 if that was below
    /// hopeless_snr.
    double snr(int star) const;
    /// Of a star that counts, with `known` no longer free. Not for two threads at once.
    double snr_without(int star, std::span<const int> known) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace star
