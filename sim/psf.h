// The point-spread function as a detector sees it: which fraction of a star's flux falls into each pixel.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "kernels/check.h"

namespace star {

/// What the values of a PSF image mean (FITS key PIXRESP tells the first from the others).
enum class PsfValues {
    effective,  ///< pixel response included: proportional to the flux in a whole detector pixel centred at the sample
    points,     ///< optical PSF, its surface brightness at the sample's centre
    cells,      ///< optical PSF, integrated over the sample's own small cell (Tiny Tim); needs a whole oversampling
};

struct PsfImage {
    std::span<const float>
        pixels;  ///< row-major, h rows of w; finite, with a positive sum; any size from 3 x 3, odd or even
    int w = 0, h = 0;
    double oversampling = 1;  ///< samples per detector pixel, 1...64, whole or not
    PsfValues values = PsfValues::effective;
    bool recentre =
        true;  ///< the star is at the flux centroid (of the largest window around it); else at the array's centre
    double energy = 1;   ///< fraction of the star's flux that the image holds, in (0, 1]
    double blur_px = 0;  ///< rms along each axis of a Gaussian that the image is yet to be blurred with, 0...20 px
};

struct PsfGrid {
    int oversampling = 0;   ///< table samples per pixel, 1...32; 0 = eight per FWHM, 2...16
    double radius_px = 50;  ///< half-width of the table, 1...200; the paper's stamps are 100 px wide
};

/// An effective PSF e(dx, dy): the fraction of a star's flux that falls into the pixel whose centre lies (dx, dy) px
/// from the star. Held as an oversampled table, interpolated by a bicubic spline (fourth order in the table's spacing).
/// The samples at pixel spacing sum to energy(), the fraction of the flux inside the table, whatever the sub-pixel
/// phase. Immutable; copies share the table. Zero outside the table. All functions are safe to call from several
/// threads.
class Psf {
public:
    /// Gaussian and Moffat (1 + (r/a)^2)^-beta profiles of the given FWHM *before* they are integrated over pixels.
    /// The energy beyond the table is lost, and known: energy(). Throws Error (Fault::usage) for values out of range:
    /// fwhm_px in [0.1, 50], beta in [1.1, 20].
    static Psf gaussian(double fwhm_px, PsfGrid grid = {});
    static Psf moffat(double fwhm_px, double beta, PsfGrid grid = {});
    /// The Moffat of which `fraction` of the flux, pixel response included, lies within radius_px.
    /// Throws Error (Fault::usage) if the pixel alone spreads it further.
    static Psf moffat_enclosing(double fraction, double radius_px, double beta, PsfGrid grid = {});
    /// Throws Error (Fault::input) for pixels that are no PSF; the message doesn't know the file.
    static Psf from_image(const PsfImage& image);

    static constexpr double least_blur = 1.0 / 32, most_blur = 20;
    /// This PSF seen through a further blur: a Gaussian (sigma_px = 0 or least_blur...most_blur), or a kernel at pixel
    /// spacing (h rows of w, both odd, normalised here), such as HST's charge diffusion. The table grows by the
    /// kernel's extent.
    Psf convolved_gaussian(double sigma_px) const;
    Psf convolved(std::span<const double> kernel, int w, int h) const;

    /// The weighted sum of PSFs that share one grid (as images of one size, not recentred, do): e = sum w_i e_i.
    /// The weights sum to 1; Error otherwise, and for different grids; Fault::input if nothing is left at the centre.
    static Psf mixed(std::span<const Psf> parts, std::span<const double> weights);

    float at(double dx, double dy) const;
    /// e(0, 0): the largest share one pixel can hold, if e peaks there.
    double peak() const { return table_->profile[0]; }
    double energy() const { return table_->energy; }
    double fwhm() const { return 2 * radius_at(0.5); }  ///< of the azimuthal average, pixel included
    /// Where the azimuthal average first falls to this fraction of the peak, in px; the table's edge if it never does.
    double radius_at(double fraction_of_peak) const;
    /// Fraction of the star's flux within a circle; the table's inscribed one at most.
    double enclosed(double radius_px) const;
    /// 1 / sum e^2, px: what a matched filter's noise sums over.
    double noise_area() const { return table_->noise_area; }
    int oversampling() const { return table_->oversampling; }
    /// e on the table's grid, row-major, 2 half() + 1 a side, oversampling() samples per pixel, the star in the middle.
    std::span<const double> samples() const { return table_->samples; }
    int half() const { return table_->half; }
    int reach() const { return table_->reach; }  ///< pixels |n| > reach from the star's own get nothing
    /// The smallest stamp radius (a square of 2r + 1 pixels) that leaves at most `pixel` of the flux to any pixel
    /// outside, and at most `total` to all of them; reach() if either is 0.
    int stamp_radius(double pixel, double total) const;

    /// For the renderer. A star lies `offset` in [-0.5, 0.5] px from the centre of its own pixel; then, for |m|, |n| <=
    /// reach(), e in the pixel m rows up and n columns right is the sum over i, j of y.weight[i] x.weight[j]
    /// coefficients()[y.at[i] + x.at[j] + m stride() + n].
    struct Phase {
        int at[4];
        float weight[4];
    };
    Phase phase_x(double offset) const;
    Phase phase_y(double offset) const;
    const float* coefficients() const { return table_->coefficients.data(); }
    int stride() const { return table_->extent; }
    /// Of a row or column of a plane: where the star's own pixel is.
    int middle() const { return table_->reach + padding; }
    /// Numbers in all planes.
    std::size_t table_size() const { return table_->coefficients.size(); }

private:
    // A plane is stored with this many pixels of zeros beyond `reach`, so that no tap needs a bounds check.
    static constexpr int padding = 2;
    struct Table {
        int oversampling, half;               // samples per px; the table has 2 half + 1 of them along each axis
        int reach, extent;                    // in px; of one phase's plane
        std::vector<double> samples;          // e at the nodes, row-major
        std::vector<float> coefficients;      // [phase y][phase x][row][column]: samples a pixel apart lie side by side
        std::vector<double> beyond, missing;  // [r]: largest |e| and sum of |e| outside a stamp of radius r
        std::vector<double> profile, cumulative;  // azimuthal average and enclosed flux, at radius i * profile_step
        double profile_step, energy, noise_area;
    };
    explicit Psf(std::shared_ptr<const Table> table) : table_(std::move(table)) {}
    static Psf from_samples(std::vector<double> samples, int half, int oversampling);
    static Psf from_moffat(double fwhm_px, double beta, int oversampling, double radius_px);
    Psf resampled(int oversampling) const;
    Phase phase(double offset, int plane, int line) const;

    std::shared_ptr<const Table> table_;
};

}  // namespace star
