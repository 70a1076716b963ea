// An image, the stars that are thought to be on it, and what is left of it without them.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/thread_pool.h"
#include "sim/fit_group.h"
#include "sim/psf_map.h"

namespace star {

/// What stars are fitted to; row-major, height rows of width, in image units. The spans are the caller's.
struct FitImage {
    int width = 0, height = 0;
    std::span<const float> pixels;             ///< not finite: unusable
    std::span<const float> sky;                ///< what stars stand on, to begin with: fits solve for a local rest
    std::span<const float> variance;           ///< of an empty pixel before any drizzle; not above 0: unusable
    std::span<const std::uint8_t> unusable{};  ///< non-zero; empty: none
    double electrons_per_unit = 0;             ///< for the stars' own photon noise; 0: they are given none
    double drizzle_sigma = 0;                  ///< px, Exposure's: which pixels share their noise
    double psf_error = 0;                      ///< (psf_error * model)^2 is added to the variance
};

/// Model and weights of the moment. Reads of one scene from several threads are safe between calls of show().
class FitScene {
public:
    /// psf: of stars in the image (image_psf()). Throws Error for spans of another size.
    FitScene(ThreadPool& pool, const FitImage& image, const PsfMap& psf);

    /// Draws these stars as the model, in place of the last. Wings are cut where a pixel loses less than a hundredth
    /// of the least noisy pixel's sigma. Equal bits for any number of threads.
    void show(std::span<const FitStar> stars);

    /// [x0, x1) x [y0, y1) grown by half the drizzle's kernel and cut to the image.
    FitRectangle rectangle(int x0, int y0, int x1, int y1) const;
    /// A rectangle's pixels, weights 0: light is what the model leaves, variance = empty + model / electrons_per_unit +
    /// (psf_error model)^2.
    void cut_out(const FitRectangle& rectangle, FitPixels& out) const;

    bool usable(std::size_t i) const { return usable_[i] != 0; }
    double model(std::size_t i) const { return model_[i]; }
    double residual(std::size_t i) const { return planes().residual(std::int64_t(i)); }
    double variance(std::size_t i) const { return planes().noise(std::int64_t(i)); }

    FitPlanes planes() const;
    std::span<const std::uint8_t> usable_pixels() const { return usable_; }
    std::int64_t times_drawn() const { return times_drawn_; }  ///< how often show() has changed the model

    const FitImage& image() const { return image_; }
    const PsfMap& psf() const { return psf_; }
    double fwhm() const { return fwhm_; }                       ///< px, in the image's middle
    std::span<const double> kernel() const { return kernel_; }  ///< of the noise, along each axis
    double pixel_variance() const { return pixel_variance_; }   ///< of a drizzled pixel / of an independent one
    std::span<const float> drawn() const { return model_; }
    ThreadPool& pool() const { return pool_; }

private:
    ThreadPool& pool_;
    FitImage image_;
    PsfMap psf_;
    double fwhm_, pixel_variance_, wing_cut_;
    std::vector<double> kernel_;
    std::vector<std::uint8_t> usable_;
    std::vector<float> model_;
    std::int64_t times_drawn_ = 0;
};

}  // namespace star
