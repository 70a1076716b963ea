// A catalogue and the truth it is to be scored against, paired up.
#pragma once
#include <string>

#include "tools/foreign_catalogue.h"
#include "tools/score_report.h"

namespace star {

struct TrialCatalogue {
    ScoredField field;         ///< units
    ScoredField stars;         ///< SOURCES, or another program's rows, against single stars
    bool has_stars = true;     ///< false: a catalogue of ours without SOURCES
    bool boxes = true;         ///< the catalogue has boxes; else only centres can be matched
    double fwhm = 0;           ///< px; PSF_FWHM of the truth's header; 0: not there
    std::string words;         ///< what was read, for the reader
    std::vector<float> image;  ///< of the truth, row-major
};

/// catalogue: of ours (BLENDS), or of any program (foreign_catalogue.h). truth_file: what `starblend simulate` wrote.
/// Magnitudes of the truth are those of MAGZERO, GAIN or EXPTIME in its header; NaN without. Throws Error
/// (Fault::input) naming file and row for values that are out of range.
TrialCatalogue read_trial(const std::string& catalogue, const std::string& truth_file, const CatalogueColumns& columns);

}  // namespace star
