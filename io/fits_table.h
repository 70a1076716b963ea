// Catalogues as plain tables: columns of equal length, read from and written to FITS binary tables.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "io/fits_header.h"

namespace star {

using ColumnData = std::variant<std::vector<double>, std::vector<float>, std::vector<std::int32_t>,
                                std::vector<std::int64_t>, std::vector<std::string>>;

struct Column {
    std::string name;     // TTYPE: letters, digits, underscore
    std::string unit;     // TUNIT, FITS spelling: "pix", "deg", "mag"; empty: none
    std::string comment;  // TCOMM
    std::string ucd;      // TUCD
    std::string format;   // TDISP, for example "F10.3"; empty: none
    ColumnData data;

    std::size_t rows() const;
};

struct Table {
    std::string name;  // EXTNAME
    std::vector<Column> columns;
    std::vector<Card> cards;  // the extension's other cards
    std::string file{};       // it was read from, for messages; else empty

    std::size_t rows() const;  // 0 without columns
    /// The column of that name, compared without case, or null.
    const Column* find(const std::string& column) const;
    /// A numeric column as double. Fault::input, naming file and table, if it is missing or holds strings.
    std::vector<double> numbers(const std::string& column) const;

private:
    std::string named() const;
};

/// Reads a binary table: that named by `extension` ("BLENDS", "1", "BLENDS,2"), or the first one if it is empty. Scalar
/// columns and strings are kept: D to double, E to float, B I J to int32, K to int64 (scaled ones to double, unsigned
/// ones to the next wider), L to int32 0/1, A to string; arrays, bits and complex numbers are left out. A TNULL in an
/// integer column makes it double with NaN. Fault::input for bad files.
Table read_table(const std::string& file, const std::string& extension = "");

}  // namespace star
