// A simulated observation, from nothing but numbers and a seed: pixels, mask and truth.
#pragma once
#include <cstdint>
#include <vector>

#include "sim/mock.h"
#include "sim/render.h"
#include "sim/truth.h"

namespace star {

struct Field {
    int width = 0, height = 0;
    std::vector<float> image;        ///< row-major, e/s or ADU (Exposure::rate)
    std::vector<std::uint8_t> mask;  ///< mask_saturated or 0
    std::vector<Star> stars;  ///< all that shine
    Truth truth;
};

/// The instrument and the sky that fields are drawn from.
class FieldSimulator {
public:
    /// psf: on native pixels, before any drizzle. Throws Error (Fault::usage) for options out of range.
    FieldSimulator(const Psf& psf, const Exposure& exposure, const Mock& mock, const TruthOptions& truth);

    /// Field `index` of `seed`: a pure function of the arguments, whatever the pool's threads; safe to call at once
    /// from several. Light comes from up to `margin` px outside. Wings are cut at `wing_cut` of the empty sky's noise
    /// (render.h).
    Field make(ThreadPool& pool, int width, int height, double margin, std::uint64_t seed, std::uint64_t index) const;

    /// The image and the truth of a star list of the caller's instead of a mock's.
    Field observe(ThreadPool& pool, std::vector<Star> stars, int width, int height, std::uint64_t seed,
                  std::uint64_t index) const;

    const Psf& psf() const { return psf_; }  ///< of stars in the image: drizzle included
    const Exposure& exposure() const { return exposure_; }
    const Mock& mock() const { return mock_; }

    static constexpr double wing_cut = 0.01;

private:
    Exposure exposure_;
    Mock mock_;
    TruthOptions truth_;
    Psf native_, psf_;
};

}  // namespace star
