// The header of an ECSV file: what its columns are, and its cards.
#pragma once
#include <string>
#include <vector>

#include "io/fits_header.h"

namespace star {

struct EcsvColumn {
    std::string name, unit, type, comment, ucd;
};

struct EcsvHeader {
    std::vector<EcsvColumn> columns;
    std::vector<Card> cards;  ///< plain values under meta whose keys FITS allows; lists and maps are left out
};

/// Parses the lines after "# %ECSV", without their "# ": the part of YAML that ECSV's writers use, a map in braces for
/// each column and each item of meta. Throws Error (Fault::input) beginning with `where`: no column, a column without a
/// name, braces or quotes that don't close.
EcsvHeader parse_ecsv_header(const std::string& text, const std::string& where);

}  // namespace star
