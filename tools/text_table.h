// Catalogues that other programs write as text: SExtractor's ASCII_HEAD, ECSV, CSV.
#pragma once
#include <string>

#include "io/fits_table.h"

namespace star {

enum class TextFormat { ascii_head, ecsv, csv };

struct TextTable {
    /// Columns of numbers, where a cell that is empty or no number is NaN; of integers, where all cells are; of texts,
    /// where no cell is a number and one isn't empty. ECSV says itself which, and the unit, description and UCD.
    Table table;
    TextFormat format;
};

/// Reads a table.
///   ASCII_HEAD: lines "# 5 X_IMAGE description [unit]" name the columns (an array's later columns have no line and no
///     name), then rows separated by blanks.
///   ECSV: lines that begin with #, the first of them "# %ECSV 1.0" (ecsv_header.h); then as CSV, separated by blanks
///   or
///     commas.
///   CSV: a line of names, then rows; separated by commas, or by semicolons, tabs or blanks where the line of names has
///     no comma. Quotes may hold separators; a doubled quote is one. Lines that begin with # and blank ones are
///     skipped.
/// Throws Error (Fault::input) naming file and line: rows of another length, no column, two columns of one name, a file
/// of more than 1 GB, bytes that are no text.
TextTable read_text_table(const std::string& file);

}  // namespace star
