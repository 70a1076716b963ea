// What an image can know about its stars: the Fisher information of their fluxes and places, and the Cramér-Rao
// signal-to-noise of a flux when others are unknown too.
#pragma once
#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/thread_pool.h"
#include "sim/detector_noise.h"
#include "sim/fisher_stamp.h"
#include "sim/render.h"

namespace star {

/// 1 / variance of every pixel of an image, row-major. Pixels outside know nothing.
struct Weights {
    int width = 0, height = 0;
    std::vector<double> pixels;
};

/// variance = model + sky + dark + exposures read_noise^2 + (psf_error model)^2 in e^2, model = the light of all stars.
/// `psf`: on native pixels. Saturation isn't looked at. Deterministic for any number of threads.
Weights pixel_weights(ThreadPool& pool, std::span<const PointSource> stars, const Psf& psf, const Exposure& exposure,
                      double psf_error, int width, int height);

/// The signal-to-noise of each flux if all other stars were known and only the star's own flux and place are not:
/// flux sqrt(I_ff - I_fp I_pp^-1 I_pf), I = sum of weight * (gradient of e) (gradient of e)^T. Stars fainter than
/// flux sqrt(sharpest() / empty_variance) < floor aren't looked at and get 0.
std::vector<double> snr_alone(ThreadPool& pool, std::span<const PointSource> stars, const FisherStamp& stamp,
                              const Weights& weights, double empty_variance, double floor);

/// Information shared by pairs of stars, computed once. Parameters are (x, y, flux) of each star, in this order, scaled
/// by the flux for x and y, which changes no bound.
class Fisher {
public:
    /// stars: sorted by floor(y), then x, their stamps reaching the image. Throws Error (Fault::input) if more than
    /// 2^25 pairs overlap: at such a density no star can be told from the next. Deterministic for any number of
    /// threads.
    Fisher(ThreadPool& pool, std::span<const PointSource> stars, const FisherStamp& stamp, const Weights& weights);

    /// Scratch memory of one thread.
    struct Scratch {
        std::vector<double> matrix, diagonal;
        std::vector<int> slot;  // of each star: where it stands in the matrix, or -1
    };
    /// Cramér-Rao: flux / sqrt((I^-1)_ff) of a star, the fluxes and places of itself and of `others` being free and all
    /// else known. others: distinct, without `star`. Stars in one place leave each other a pivot of 1e-10 instead of 0.
    double snr(int star, std::span<const int> others, Scratch& scratch) const;

private:
    using Block = std::array<double, 9>;  // of two stars: rows of the first, columns of the second
    std::vector<double> flux_;
    std::vector<std::int64_t> first_;  // of each star's pairs with itself and with later ones
    std::vector<int> other_;
    std::vector<Block> block_;
};

}  // namespace star
