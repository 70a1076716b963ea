// Whole catalogues in: every table of a file.
#pragma once
#include <vector>

#include "tools/catalogue_file.h"

namespace star {

struct ReadCatalogue {
    Catalogue catalogue;
    std::vector<std::string> left_out;  ///< "table T: 2 columns of arrays", for the reader
};

/// FITS: the primary header's cards and every binary table, or that which "file.fits[EXT]" names, LDAC_IMHEAD apart;
/// text: its one table (text_table.h). Cards that belong to a file's structure are left out. Throws Error
/// (Fault::input).
ReadCatalogue read_catalogue(const std::string& name);

}  // namespace star
