// What a catalogue holds, at a glance: histograms, flags in words, completeness. HTML for a page with report_style.h.
#pragma once
#include <string>

#include "tools/catalogue_file.h"

namespace star {

/// Histograms of NSTARS, SCORE, MAG and SNR of BLENDS, of MAG_PSF of SOURCES and of its signal-to-noise; MAGERR_PSF by
/// MAG_PSF. Columns and tables that aren't there have none.
std::string histograms_html(const Catalogue& catalogue);

/// How many rows of BLENDS and SOURCES have each flag.
std::string flags_html(const Catalogue& catalogue);

/// Table COMPLETE, if there is one: COMPLETENESS by MAG as a plot, and all of it as rows.
std::string completeness_html(const Catalogue& catalogue);

}  // namespace star
