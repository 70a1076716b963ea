// Tables as text: ECSV, which keeps types, units and header, and CSV, which any program reads.
#pragma once
#include <string>
#include <vector>

#include "io/fits_table.h"

namespace star {

/// ECSV 1.0, as astropy.table reads and writes it: a header in YAML with each column's type, unit, format, description
/// and UCD, the cards under meta (HISTORY and COMMENT as lists); then values separated by blanks. Numbers read back
/// equal; what isn't defined is nan.
std::string ecsv_text(const Table& table, const std::vector<Card>& cards);

/// A line of names, then rows, separated by commas (RFC 4180, lines ended by LF). Numbers read back equal; what isn't
/// defined is empty.
std::string csv_text(const Table& table);

/// A text as a cell of CSV: in quotes where it holds what would end it.
std::string csv_cell(const std::string& text);

/// Appends the value of a row: numbers in the shortest form that reads back equal, `undefined` for NaN.
void append_value(std::string& to, const ColumnData& data, std::size_t row, const char* undefined);

}  // namespace star
