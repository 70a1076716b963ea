// Which stars of an image can tell its PSF: bright, whole, alone.
#pragma once
#include <vector>

#include "sim/psf_measure.h"

namespace star {

/// A star of psf_measure: its place (px, pixel centres: 0 is the first pixel's), flux and the sky under it.
struct IsolatedStar {
    int column, row;  ///< of its brightest pixel
    double x, y, flux, sky;
};

struct StarSelection {
    std::vector<IsolatedStar> stars;  ///< brightest peak first, at most max_stars
    int peaks = 0, saturated = 0, crowded = 0;
    double sigma = 0;
};

/// Step 1 of measure_psf. x, y: the centroid in a window of 5 x 5 px around it; flux: of the pixels within 3 px, above
/// the sky. Stamps of 2 radius + 1 pixels lie inside the image.
StarSelection select_stars(const MeasuredImage& image, const PsfMeasure& how);

/// Finite and not masked.
bool usable(const MeasuredImage& image, int column, int row);

/// The middle of the values, which are reordered; NaN for none.
double median(std::vector<double>& values);

}  // namespace star
