// A simulated observation, from nothing but numbers and a seed: pixels, mask and truth.
#pragma once
#include <cstdint>
#include <vector>

#include "sim/scene.h"
#include "sim/truth.h"

namespace star {

struct Field {
    int width = 0, height = 0;
    std::vector<float> image;        ///< row-major, e/s or ADU (Exposure::rate)
    std::vector<std::uint8_t> mask;  ///< mask_saturated or 0
    std::vector<float> variance;     ///< of each pixel, in units of the image squared; empty unless asked for
    Scene scene;                     ///< what there is
    Truth truth;                     ///< what of its stars the image can show
};

/// The instrument and the sky that fields are drawn from.
class FieldSimulator {
public:
    /// psf: on native pixels, before any drizzle. Throws Error (Fault::usage) for options out of range.
    FieldSimulator(const Psf& psf, const Exposure& exposure, SceneOptions scene, const TruthOptions& truth);

    /// A pure function of the arguments, whatever the pool's threads; safe to call at once from several.
    Field make(ThreadPool& pool, const FieldSpec& field, bool with_variance = false) const;

    /// The same without image and mask: what there is, and what can be seen of it.
    Field plan(ThreadPool& pool, const FieldSpec& field) const;

    /// Its parts, one after the other: what there is, what can be seen of it, what it looks like.
    Scene scene(const FieldSpec& field) const;
    Truth truth(ThreadPool& pool, const Scene& scene) const;
    SceneImage image(ThreadPool& pool, const Scene& scene, const Look& look) const;

    /// Whether stars and noise are all there is, which DeviceSky can draw.
    bool stars_alone() const;

    const Psf& psf() const { return psf_; }            ///< of stars in the image: drizzle included
    const Psf& native_psf() const { return native_; }  ///< before any drizzle
    const TruthOptions& truth_options() const { return truth_; }
    const Exposure& exposure() const { return exposure_; }

private:
    Exposure exposure_;
    SceneOptions scene_;
    TruthOptions truth_;
    Psf native_, psf_;
};

}  // namespace star
