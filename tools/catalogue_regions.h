// Regions for DS9: boxes of units, coloured by how many stars they hold, and a point for each star.
#pragma once
#include <string>

#include "tools/catalogue_file.h"

namespace star {

/// BLENDS: boxes in the class's colour, the number of stars as text, tag "units". SOURCES: crosses, tag "stars", in the
/// colour of their unit's class, white in no unit. Other tables: circles at X_IMAGE, Y_IMAGE or RA, DEC.
/// sky: points at RA and DEC, boxes as polygons through `wcs`, so that they fit any image of the field; in the frame
/// that the table's RADESYS card names. Throws Error (Fault::usage) if the table has no positions of the wanted kind,
/// or boxes need a WCS and there is none.
std::string regions_text(const Catalogue& catalogue, bool sky, const Wcs* wcs);

}  // namespace star
