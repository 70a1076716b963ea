// Units of flux, by the first letters and the end.
#include "tools/flux_unit.h"

#include <utility>

#include "io/letter_case.h"

namespace star {
namespace {

std::string trimmed(const std::string& s) {
    const auto first = s.find_first_not_of(' ');
    return first == s.npos ? "" : s.substr(first, s.find_last_not_of(' ') - first + 1);
}

// "ELECTRONS/S", "electron s-1", "ADU s**-1", "counts/sec": the denominator as a word of its own, not the one of
// MJy/sr.
bool per_second(const std::string& upper_case) {
    for (const char* tail : {"/S", "/SEC", "/SECOND", " S-1", " S**-1", " S^-1", ".S-1", "*S-1", "*S**-1"})
        if (upper_case.ends_with(tail)) return true;
    return upper_case == "CPS";
}

}  // namespace

FluxUnit parse_flux_unit(const std::string& bunit) {
    using Kind = FluxUnit::Kind;
    const std::string text = upper(trimmed(bunit));
    if (text.empty()) return {};
    const bool rate = per_second(text);
    for (const auto& [start, unit] : {std::pair{"ELECTRON", "electron"},
                                      {"E-", "electron"},
                                      {"PHOTON", "photon"},
                                      {"ADU", "adu"},
                                      {"DN", "adu"},
                                      {"COUNT", "count"},
                                      {"CPS", "count"}})
        if (text.starts_with(start)) {
            const bool electrons = *unit == 'e' || *unit == 'p';
            return {electrons ? Kind::electrons : Kind::counts, rate, 0, std::string(unit) + (rate ? "/s" : "")};
        }
    struct Jansky {
        const char *name, *unit;
        double value;
    };
    for (const Jansky& j : {Jansky{"JY", "Jy", 1}, {"MJY", "mJy", 1e-3}, {"UJY", "uJy", 1e-6}, {"NJY", "nJy", 1e-9}})
        if (text == j.name) return {Kind::flux_density, false, j.value, j.unit};
    for (const char* name : {"MJY/SR", "MJY SR-1", "MJY SR**-1", "MJY.SR-1"})
        if (text == name) return {Kind::surface_brightness, false, 1e6, "MJy/sr"};
    return {Kind::other, rate, 0, text == "JY/BEAM" ? "Jy/beam" : ""};
}

}  // namespace star
