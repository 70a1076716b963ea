// A table packed for a page: the digits that are shown, and no more.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "io/fits_table.h"

namespace star {

/// As JSON: {"name", "rows", "of" (rows there were), "columns": [{"name", "unit", "about", "decimals", "low", "kind"}],
/// "data"}. data: base64 of a zlib stream; of each column 32-bit words, their lowest bytes first, then the next ones
/// ...; kind "fixed": value = (low + word) / 10^decimals, the largest word is NaN; kind "float": IEEE single. Columns
/// of text are left out. Where it doesn't fit into `most_bytes`: first only the columns that pictures and lists need,
/// then only the brightest rows.
nlohmann::json packed_table(const Table& table, std::size_t most_bytes);

}  // namespace star
