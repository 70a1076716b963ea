// Light put into an observation, with its photon noise: artificial stars; and a twin of the observation, made of the
// stars that were found in it.
#pragma once
#include <cstdint>
#include <span>

#include "kernels/thread_pool.h"
#include "nn/sky.h"
#include "sim/psf_map.h"
#include "tools/observation.h"

namespace star {

/// What is the same for all that is added; the caller's.
struct Light {
    ThreadPool& pool;
    PsfMap psf;            ///< of stars in the whole image
    double drizzle_sigma;  ///< px: how the model's exposures were resampled (Exposure)
};

/// Adds stars, their photons' noise where it is known how many electrons a unit is (through the drizzle, where the
/// image is one), and that noise to a map that holds stars' photons; then marks saturated pixels anew.
/// stars: px of the whole image, of which the observation shows the part that begins at (column, row); x and y are
/// pixel edges. A pure function of stars, part and seed.
void add_stars(const Light& light, std::span<const PointSource> stars, int column, int row, std::uint64_t seed,
               Observation& o);

/// Replaces the pixels, but for unusable ones, by what the model of an image has there: a smooth sky (the mesh of what
/// is left once the stars are taken away, found as `how` says), the stars, and noise as the observation's.
void make_twin(Stream stream, const Light& light, const Procedure& how, std::span<const PointSource> stars, int column,
               int row, std::uint64_t seed, Observation& o);

}  // namespace star
