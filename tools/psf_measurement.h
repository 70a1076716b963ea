// `psf --measure`: from an image file to its PSF.
#pragma once
#include <cmath>
#include <string>
#include <vector>

#include "io/fits_header.h"
#include "sim/psf_measure.h"
#include "tools/console.h"
#include "tools/planes.h"
#include "tools/psf_file.h"

namespace star {

struct PsfMeasurementOptions {
    std::string image;
    PlaneOptions planes;
    bool planes_said = false;      ///< what planes go with the image
    std::optional<Window> window;  ///< the part that is looked at; none: all
    double saturate = NAN;         ///< NAN: the header's SATURATE, or none
    PsfMeasure how;
};

struct MeasuredPsf {
    Psf psf;
    double pixel_scale;  ///< arcsec: of the WCS or PIXSCALE; 0: unknown
    std::vector<Card> cards;
};

/// Reads, measures, says on the console how it went. Every fault of the file or of its stars is Fault::input and names
/// it.
MeasuredPsf measure_psf_of(const PsfMeasurementOptions& options, Console& console);

/// The PSF in each of columns x rows equal zones of the image, 1...64 each, from the stars of the zone; where those are
/// too few, of a part twice and thrice as large, and in the end of the whole image. Nodes are the zones' middles.
/// Throws Error (Fault::usage) for more than 1 GB of PSFs.
struct MeasuredLibrary {
    PsfLibrary library;
    double pixel_scale;
    int widened = 0;  ///< zones that had too few stars of their own
    std::vector<Card> cards;
};
MeasuredLibrary measure_psf_library_of(const PsfMeasurementOptions& options, int columns, int rows, Console& console);

}  // namespace star
