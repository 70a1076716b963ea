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

/// A field to be scored against.
struct TrialTruth {
    std::string name;  ///< for messages: file, and plane
    int width = 0, height = 0;
    double fwhm = 0;           ///< px; PSF_FWHM of the header; 0: not there
    std::vector<float> image;  ///< row-major; empty: not asked for
    std::vector<Wanted> units, stars;
};

/// Of what `starblend simulate` wrote: a field, or the planes of a cube one after the other. Magnitudes are those of
/// MAGZERO, GAIN or EXPTIME in its header; NaN without. Throws Error (Fault::input) naming file and row for values that
/// are out of range. images: wanted too, all at once.
std::vector<TrialTruth> read_trial_truths(const std::string& file, bool images);
int count_trial_truths(const std::string& file);  ///< by its header alone

/// catalogue: of ours (BLENDS), or of any program (foreign_catalogue.h). Throws Error (Fault::input) naming file and
/// row for values that are out of range.
TrialCatalogue read_trial(const std::string& catalogue, TrialTruth truth, const CatalogueColumns& columns);

}  // namespace star
