// The PSF of an image, from whatever knows it.
#pragma once
#include <optional>
#include <string>

#include "sim/psf.h"
#include "tools/command.h"
#include "tools/model_file.h"
#include "tools/observation.h"

namespace star {

struct KnownPsf {
    Psf psf;             ///< of stars in the image, a drizzle's blur included
    std::string source;  ///< in words: "model hst", "preset csst-g", "file x.fits", "measured from x.fits"
};

/// `what`: "none"; "model", the PSF that the model was trained with; "measured", from the image's own stars
/// (sim/psf_measure.h); the name of a preset; a FITS file; or empty: the model's if `in_domain`, else measured.
/// nullopt for "none", and for an empty `what` where the model's doesn't fit and the image tells none: the console then
/// says why. Whatever was asked for by name and can't be had is an Error.
std::optional<KnownPsf> known_psf(const std::string& what, const Model& model, bool in_domain,
                                  const ObservationOptions& image, Console& console);

}  // namespace star
