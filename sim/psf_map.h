// The PSF of an image's stars, wherever on it they lie.
#pragma once
#include <array>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "kernels/thread_pool.h"
#include "kernels/types.h"
#include "sim/psf.h"
#include "sim/psf_grid.h"
#include "sim/render.h"

namespace star {

/// The PSF at one place: the weighted sum of up to four of a map's. Refers to the map.
class LocalPsf {
public:
    struct Part {
        const Psf* psf;
        double weight;  ///< above 0; those of all parts add up to 1
    };

    void add(const Psf& psf, double weight) { parts_[std::size_t(count_++)] = {&psf, weight}; }
    std::span<const Part> parts() const { return {parts_.data(), std::size_t(count_)}; }
    float at(double dx, double dy) const;  ///< Psf::at
    double peak() const { return at(0, 0); }

private:
    std::array<Part, 4> parts_{};
    int count_ = 0;
};

/// One PSF for a whole image, or one that changes over it. Immutable; copies share what they hold; safe to call from
/// several threads.
class PsfMap {
public:
    PsfMap(const Psf& psf);  // NOLINT: one PSF is a map too
    /// Of an image of width x height px whose first pixel's outer corner lies at (x0, y0) of the grid. Makes the nodes
    /// that stars whose light reaches the image need; stars beyond have the PSF of the nearest such place. Throws Error
    /// (Fault::input) for nodes of different sizes, or that together take more than 1 GB.
    PsfMap(const PsfField& field, double x0, double y0, int width, int height);

    /// Of the part of the image that begins at its pixel (column, row).
    PsfMap part(int column, int row) const;

    /// This map seen through a Gaussian (Psf::convolved_gaussian): 0, or from least_blur() on. Throws Error
    /// (Fault::input) for less: a narrow Gaussian wants finer tables, which together may take 1 GB.
    PsfMap blurred(double sigma_px) const;
    double least_blur() const;  ///< px; at least Psf::least_blur

    LocalPsf at(double x, double y) const;  ///< px, pixel edges of the image
    const Psf& middle() const { return nodes_->middle; }
    bool varies() const { return nodes_->psfs.size() > 1; }
    std::span<const Psf> nodes() const { return nodes_->psfs; }

private:
    struct Nodes {
        Psf middle;
        std::vector<Psf> psfs;                  // rows of `columns`
        std::optional<PsfField> field;          // none: one PSF is all
        double x0 = 0, y0 = 0, x1 = 0, y1 = 0;  // px of the field: where its PSF is known
        int first_column = 0, first_row = 0, columns = 1;
    };
    std::shared_ptr<const Nodes> nodes_;
    double x0_ = 0, y0_ = 0;  // px of the field
};

/// Where on a detector a field lies, over which the PSF of its stars changes.
struct VaryingPsf {
    std::shared_ptr<const PsfField> over_detector;
    double x = 0, y = 0;  ///< of the field's middle, px of the detector

    PsfMap over(int width, int height) const {
        return {*over_detector, x - 0.5 * width, y - 0.5 * height, width, height};
    }
};

/// Adds sources to an image as render() does, each through the PSF of its place: its light is shared out among the
/// nodes, which is the same. Places are those of the map's image; `image` shows the part of it that the stamps name.
/// cut: no pixel loses more of one source's light. Returns the light that landed. Equal bits for any number of threads.
double shine(ThreadPool& pool, std::span<const PointSource> sources, const PsfMap& psf, View<float> image,
             const Stamps& stamps);
double shine(ThreadPool& pool, std::span<const PointSource> sources, const PsfMap& psf, View<float> image, double cut);

}  // namespace star
