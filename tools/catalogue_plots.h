// What a catalogue holds, at a glance: histograms, flags in words. HTML for a page with report_style.h.
#pragma once
#include <string>

#include "tools/catalogue_file.h"

namespace star {

/// Histograms of NSTARS, SCORE, MAG and SNR of BLENDS, of MAG_PSF of SOURCES and of its signal-to-noise; MAGERR_PSF by
/// MAG_PSF. Columns and tables that aren't there have none.
std::string histograms_html(const Catalogue& catalogue);

/// Completeness and purity by magnitude, of the whole image and of its thirds by surface brightness; empty without
/// COMPLETE.
std::string completeness_html(const Catalogue& catalogue);

/// How many rows of BLENDS and SOURCES have each flag.
std::string flags_html(const Catalogue& catalogue);

}  // namespace star
