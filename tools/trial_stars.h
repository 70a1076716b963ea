// Stars fitted on a simulated field, as `detect` would, paired with its truth.
#pragma once
#include "kernels/thread_pool.h"
#include "nn/detector.h"
#include "sim/field.h"
#include "tools/score.h"

namespace star {

/// Fits stars to the units that a network found, with the simulator's own PSF and noise and `detect`'s own limits;
/// score of a star: its signal-to-noise.
ScoredField fitted_stars(Stream stream, const Field& field, const Detections& detections,
                         const FieldSimulator& simulator);

}  // namespace star
