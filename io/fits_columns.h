// How the rows of a FITS binary table are laid out, from its TFORMn cards. Internal to io.
#pragma once
#include <cstdint>
#include <vector>

#include "io/fits_hdu.h"

namespace star {

/// A column of a binary table as TFORMn declares it.
struct ColumnForm {
    std::int64_t repeat = 1;
    char code = 0;           // L X B I J K A E D C M, or P Q for variable length
    char element = 0;        // P and Q: the type of the elements
    std::int64_t bytes = 0;  // in a row
    std::int64_t offset = 0;
};

/// The columns' forms. Fault::input if a TFORMn is missing or invalid, or if together they don't make NAXIS1.
std::vector<ColumnForm> column_forms(const Hdu& hdu);

/// Bytes of one element of that type (L, B, I, ...); 0 if there is no such type. X counts as bits and isn't one.
std::int64_t element_bytes(char code);

}  // namespace star
