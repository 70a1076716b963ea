// Our tables under SExtractor's column names, for programs that know those.
#pragma once
#include "io/fits_table.h"

namespace star {

/// Renames what is the same quantity by SExtractor's own description (2.25, `-dp`), with its spelling of units; the
/// rest keeps its name.
///   SOURCES: NUMBER, XPSF_IMAGE, YPSF_IMAGE, ALPHAPSF_SKY, DELTAPSF_SKY, CHI2_PSF; FLUX_PSF, FLUXERR_PSF, MAG_PSF,
///     MAGERR_PSF, BACKGROUND and FLAGS are called so already. ERRAPSF_IMAGE, ERRBPSF_IMAGE and ERRTHETAPSF_IMAGE stand
///     for ERRX_IMAGE and ERRY_IMAGE: an ellipse along the axes, whose covariance the table doesn't have.
///   BLENDS: NUMBER, ALPHA_SKY, DELTA_SKY; XMIN_IMAGE ... YMAX_IMAGE become the first and the last pixel whose centre
///   is
///     in the box, as SExtractor counts them.
Table with_sextractor_names(Table table);

}  // namespace star
