// Two lists: keywords that stand alone, and those that count columns or axes.
#include "io/fits_keys.h"

#include <algorithm>
#include <iterator>

#include "io/fits_header.h"

namespace star {

bool is_structural(const std::string& key) {
    std::string stem = key;
    while (!stem.empty() && stem.back() >= '0' && stem.back() <= '9') stem.pop_back();
    const bool numbered = stem.size() < key.size();
    static constexpr const char* single[] = {"SIMPLE", "XTENSION", "BITPIX",   "NAXIS",   "EXTEND",   "PCOUNT",
                                             "GCOUNT", "GROUPS",   "TFIELDS",  "THEAP",   "BSCALE",   "BZERO",
                                             "BLANK",  "EXTNAME",  "CHECKSUM", "DATASUM", "LONGSTRN", "END"};
    static constexpr const char* many[] = {"NAXIS", "TTYPE", "TFORM", "TUNIT", "TNULL", "TSCAL",
                                           "TZERO", "TDIM",  "TDISP", "TCOMM", "TUCD"};
    const auto is = [](const std::string& s) { return [&s](const char* k) { return s == k; }; };
    return numbered ? std::any_of(std::begin(many), std::end(many), is(stem))
                    : std::any_of(std::begin(single), std::end(single), is(key));
}

bool is_passed_on(const std::string& key) { return !is_structural(key) && is_keyword(key); }

}  // namespace star
