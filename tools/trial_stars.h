// Stars fitted on a simulated field, as `detect` would, paired with its truth.
#pragma once
#include "kernels/thread_pool.h"
#include "tools/trial_fields.h"

namespace star {

/// Fits stars to the units that a network found, with the simulator's own PSF and noise and `detect`'s own limits, and
/// sets how many each has (Found::fitted). Score of a star: its signal-to-noise.
ScoredField fitted_stars(Stream stream, TriedField& tried, const FieldSimulator& simulator);

}  // namespace star
