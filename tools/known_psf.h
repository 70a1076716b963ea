// The PSF of an image, from whatever knows it.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "sim/psf_map.h"
#include "tools/command.h"
#include "tools/model_file.h"
#include "tools/observation.h"

namespace star {

struct KnownPsf {
    PsfMap psf;                  ///< of stars in the image, a drizzle's blur included
    std::string source;          ///< in words: "model hst", "preset csst-g", "file x.fits", "measured from x.fits"
    std::vector<double> origin;  ///< PsfChoice's, of a library
    double blur = 0;             ///< px: sigma of the Gaussian that its stars were found broader by, part of `psf`
};

/// What the user says about it.
struct PsfChoice {
    std::string what;
    std::vector<double> origin;  ///< x, y: where in a library the image begins, px; empty: as its header's LTV1, LTV2
};

/// choice.what: "none"; "model", the PSF that the model was trained with; "measured", from the image's own stars
/// (sim/psf_measure.h); the name of a preset; a FITS file, where of a library each star has the PSF of its place; or
/// empty: the model's if `in_domain`, else measured.
/// nullopt for "none", and for an empty `what` where the model's doesn't fit and the image tells none: the console then
/// says why. Whatever was asked for by name and can't be had is an Error.
std::optional<KnownPsf> known_psf(const PsfChoice& choice, const Model& model, bool in_domain,
                                  const ObservationOptions& image, Console& console);

}  // namespace star
