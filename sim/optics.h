// A telescope's point-spread function from its optics: the pupil, its wavefront, the band, and what blurs the image.
#pragma once
#include <vector>

#include "sim/psf.h"

namespace star {

/// A round obstruction in the pupil (HST's mirror pads): centre and radius in units of the pupil's radius.
struct Pad {
    double x = 0, y = 0, radius = 0;
};

/// Mid-frequency errors of the polish, too many to list as aberrations: they take light from the core and scatter it
/// into a halo. Their power spectrum over the mirror is Church's ABC model, (1 + (length f)^2)^-slope, whose halo in
/// angle theta is a Moffat (1 + (theta length / lambda)^2)^-slope that holds 1 - exp(-(2 pi rms / lambda)^2) of the
/// light (Church and Takacs 1993; weak-scatter limit).
struct Polish {
    double rms_nm = 0;    ///< 0...200, of the wavefront; 0: none
    double length_m = 1;  ///< 0.001...10
    double slope = 1.5;   ///< 1.1...10
};

struct Optics {
    double diameter_m = 2;   ///< 0.01...100
    double obscuration = 0;  ///< central, a fraction of the diameter, 0...0.95
    double vane_width = 0;   ///< of four vanes in a cross, full, in units of the pupil's radius, 0...1; 0: none
    std::vector<Pad> pads;   ///< at most 100
    double angle_deg = 0;    ///< vanes, pads and aberrations are turned by it, from the image's x towards y
    std::vector<double> aberrations_nm;  ///< rms of the wavefront, from Noll's 4 (focus) on; see optics_zernike.h
    Polish polish;
    std::vector<double> wavelengths_nm{500};  ///< 1...32 of them, 10...1e6
    std::vector<double> weights;              ///< photons at each; as many, >= 0, with a positive sum; empty: equal
    double pixel_arcsec = 0.1;                ///< 1e-4...100
    double jitter_arcsec = 0;                 ///< rms of the pointing along each axis, a Gaussian
    double diffusion_px = 0;                  ///< rms of the charge diffusion along each axis, a Gaussian
};

/// The effective PSF e of these optics, pixel response included. For each wavelength the Fraunhofer integral
///   I(theta) = |integral over the pupil of exp(2 pi i (W(p) + p . theta) / lambda)|^2 / (lambda^2 x pupil's area),
/// whose integral over all angles is 1, is computed on the table's grid as a matrix Fourier transform, exact there up
/// to the sampling of the pupil (256 cells or more across, by area at the edges). Wavelengths are averaged with their
/// weights; jitter, diffusion and the square pixel act on the average. The centroid is at (0, 0). energy() is the
/// fraction of all the star's light that the table holds: 1 - energy() lies beyond it. `grid.oversampling` 0 means 1.5
/// times the band limit of the shortest wavelength, at least 4; a given one must reach the band limit. Throws Error
/// (Fault::usage) for values out of range, and where the pixel is so small or so large beside lambda / D that the table
/// would be useless (band limit above 32 samples per pixel) or the pupil would need more than 2,048 cells.
/// Deterministic, single-threaded: a few hundredths of a second per wavelength for the presets.
Psf optical_psf(const Optics& optics, PsfGrid grid = {});

/// The Airy pattern, and its obscured form, of a perfect pupil: 2.44 lambda / D is the diameter of the first dark ring.
Psf airy_psf(const Optics& optics, PsfGrid grid = {});

}  // namespace star
