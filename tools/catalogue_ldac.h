// FITS_LDAC, the form of a catalogue that SCAMP and PSFEx read: the image's header in a table of its own, then the
// rows.
#pragma once
#include "tools/catalogue_file.h"

namespace star {

/// The catalogue's one table as LDAC_OBJECTS, after LDAC_IMHEAD: one row, a column "Field Header Card" with the image's
/// header, card by card of 80 characters to END.
Catalogue ldac(Catalogue catalogue, const CatalogueImage& image);

}  // namespace star
