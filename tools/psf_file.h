// PSFs in FITS files: one image, or a library over the detector; and the file that `starblend psf` writes.
#pragma once
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <vector>

#include "io/fits_header.h"
#include "io/fits_image.h"
#include "sim/psf.h"
#include "sim/psf_grid.h"

namespace star {

/// What the user says about a file; the rest comes from its header.
struct PsfFileOptions {
    double oversampling = 0;   ///< 0: the header's OVERSAMP; else 4 for a library, 1 for an image
    bool effective = true;     ///< values include the pixel's response; false, or PIXRESP = F: they don't
    double energy = 0;         ///< of the star's light that the file holds; 0: the header's PSFENRGY, or 1
    double x = NAN, y = NAN;   ///< detector position in a library, px; NAN: the middle
    double drizzle_sigma = 0;  ///< px, of the blur that comes on top: refused if the file has one already
};

/// Reads "file.fits" or "file.fits[EXT]": a 2-D image, or a cube in the STDPSF layout (Anderson's libraries: NXPSFS x
/// NYPSFS planes, x fastest, at IPSFXnn, JPSFYnn; each with the star in its middle; an edge column or row of -0.1
/// throughout is a separator and counts as 0), interpolated to the position. Every fault of the file is Fault::input
/// and names it.
Psf read_psf_file(const std::string& name, const PsfFileOptions& options);

/// The same file's whole library, its nodes made when they are asked for; nullopt if it holds one PSF alone.
std::optional<PsfField> read_psf_library(const std::string& name, const PsfFileOptions& options);

/// Where the first pixel of an image begins in a library over its detector, px: what LTV1 and LTV2 take off a
/// detector's coordinates; 0, 0 without them.
std::array<double, 2> origin_in_library(const FitsPlane& image);

/// A library as read_psf_library reads it: PSFs on one grid and of one energy, rows of x.size(), at the nodes (x, y) of
/// the detector.
struct PsfLibrary {
    std::vector<double> x, y;
    std::vector<Psf> psfs;
};
/// The cube of its tables, and the cards that say so.
struct PsfCube {
    std::vector<float> pixels;
    int side = 0;
    std::vector<Card> cards;
};
PsfCube psf_cube(const PsfLibrary& library, double pixel_scale);

/// The table of a PSF as an image: float, odd, square, sum 1, with OVERSAMP, PIXSCALE and PSFENRGY; read_psf_file
/// gives the PSF back.
struct PsfPicture {
    std::vector<float> pixels;
    int side = 0;
    std::vector<Card> cards;
};
PsfPicture psf_picture(const Psf& psf, double pixel_scale);

}  // namespace star
