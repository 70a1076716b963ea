// Catalogues as VOTable 1.4, the Virtual Observatory's exchange format (IVOA recommendation of 2019-10-21).
#pragma once
#include <string>

#include "tools/catalogue_file.h"

namespace star {

/// One RESOURCE: the file's cards as INFO, a COOSYS where a table's RADESYS card tells the frame of its positions, and
/// a TABLE for each table with type, unit, UCD, width, precision and description of every column, the range of what has
/// one (probabilities, right ascension, declination); values as TABLEDATA.
std::string votable_text(const Catalogue& catalogue);

}  // namespace star
