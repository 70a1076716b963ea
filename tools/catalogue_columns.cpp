// Names to columns.
#include "tools/catalogue_columns.h"

#include <algorithm>
#include <cmath>
#include <fstream>

#include "io/fits_hdu.h"
#include "io/letter_case.h"
#include "kernels/check.h"
#include "tools/text_table.h"

namespace star {
namespace {

using Names = std::vector<const char*>;

const std::map<std::string, Names>& usual_names() {
    static const std::map<std::string, Names> names{
        {"x", {"X_IMAGE", "XWIN_IMAGE", "XPSF_IMAGE", "x_fit", "xcentroid", "x_centroid", "xcenter", "x_0", "x"}},
        {"y", {"Y_IMAGE", "YWIN_IMAGE", "YPSF_IMAGE", "y_fit", "ycentroid", "y_centroid", "ycenter", "y_0", "y"}},
        {"ra",
         {"RA", "ALPHAPSF_SKY", "ALPHAWIN_SKY", "ALPHA_SKY", "ALPHAPSF_J2000", "ALPHAWIN_J2000", "ALPHA_J2000",
          "RA_ICRS", "RAJ2000", "_RAJ2000"}},
        {"dec",
         {"DEC", "DELTAPSF_SKY", "DELTAWIN_SKY", "DELTA_SKY", "DELTAPSF_J2000", "DELTAWIN_J2000", "DELTA_J2000",
          "DE_ICRS", "DEJ2000", "_DEJ2000"}},
        {"score", {"score", "snr", "SNR_WIN", "FLUX_PSF", "FLUX_AUTO", "FLUX_ISO", "FLUX_APER", "flux_fit", "flux"}},
        {"mag", {"mag", "MAG_PSF", "MAG_AUTO", "MAG_BEST", "MAG_ISO", "MAG_APER", "mag_fit"}},
        {"magerr", {"magerr", "MAGERR_PSF", "MAGERR_AUTO", "MAGERR_BEST", "MAGERR_ISO", "MAGERR_APER", "mag_err"}},
        {"nstars", {"nstars", "n_stars"}},
        {"xmin", {"XMIN_IMAGE", "xmin"}},
        {"ymin", {"YMIN_IMAGE", "ymin"}},
        {"xmax", {"XMAX_IMAGE", "xmax"}},
        {"ymax", {"YMAX_IMAGE", "ymax"}}};
    return names;
}

std::string listed(const Table& table) {
    std::string names;
    for (std::size_t i = 0; i < table.columns.size() && i < 12; ++i)
        names += (i ? ", " : "") + table.columns[i].name.substr(0, 40);
    return names + (table.columns.size() > 12 ? ", ..." : "");
}

}  // namespace

std::map<std::string, std::string> parse_columns(const std::string& text) {
    std::map<std::string, std::string> named;
    if (text.empty()) return named;
    for (std::size_t at = 0; at <= text.size();) {
        const std::size_t end = std::min(text.find(',', at), text.size());
        const std::string word = text.substr(at, end - at);
        const std::size_t equals = word.find('=');
        const std::string part = word.substr(0, equals);
        if (equals == std::string::npos || equals + 1 == word.size() || !usual_names().count(part))
            fail(Fault::usage, "columns ", word.substr(0, 60),
                 ": want PART=NAME, PART one of x, y, ra, dec, score, mag, magerr, nstars, xmin, ymin, xmax, ymax");
        if (!named.emplace(part, word.substr(equals + 1)).second) fail(Fault::usage, "columns: ", part, " twice");
        at = end + 1;
    }
    return named;
}

bool is_fits(const std::string& file) {
    char start[6] = {};
    std::ifstream in(file, std::ios::binary);
    in.read(start, sizeof start);
    const bool gzip = in.gcount() > 1 && start[0] == '\x1f' && start[1] == '\x8b';
    return gzip || (in.gcount() == sizeof start && std::string(start, 6) == "SIMPLE");
}

bool has_table(const std::string& file, const std::string& name) {
    for (const Hdu& h : list_hdus(file))
        if (h.matches(name)) return true;
    return false;
}

AnyTable read_any_table(const std::string& name) {
    const ImageName parts = parse_image_name(name);
    if (is_fits(parts.file)) {
        std::string extension = parts.extension;
        for (const char* usual : {"LDAC_OBJECTS", "SOURCES"})
            if (extension.empty() && has_table(parts.file, usual)) extension = usual;
        return {name, read_table(parts.file, extension), false, extension == "LDAC_OBJECTS"};
    }
    TextTable text = read_text_table(name);
    const bool head = text.format == TextFormat::ascii_head;
    return {name, std::move(text.table), !head, head};
}

std::optional<ChosenColumn> choose_column(const AnyTable& from, const std::string& part,
                                          const CatalogueColumns& columns) {
    const Table& table = from.table;
    if (const auto named = columns.named.find(part); named != columns.named.end()) {
        const Column* c = table.find(named->second);
        if (!c) fail(Fault::input, from.file, ": no column ", named->second, " (for ", part, ")");
        return ChosenColumn{c->name, c->unit, table.numbers(c->name)};
    }
    for (const char* name : usual_names().at(part))
        if (const Column* c = table.find(name); c && !std::holds_alternative<std::vector<std::string>>(c->data))
            return ChosenColumn{c->name, c->unit, table.numbers(c->name)};
    return {};
}

ChosenColumn required_column(const AnyTable& from, const char* part, const CatalogueColumns& columns) {
    auto c = choose_column(from, part, columns);
    if (!c)
        fail(Fault::input, from.file, ": no column for ", part, " (such as ", usual_names().at(part).front(),
             "); there are ", listed(from.table), "; name it: columns ", part, "=NAME");
    return std::move(*c);
}

ChosenColumn place_column(const AnyTable& from, const char* part, const CatalogueColumns& columns) {
    ChosenColumn c = required_column(from, part, columns);
    for (std::size_t i = 0; i < c.values.size(); ++i)
        if (!(std::abs(c.values[i]) < 1e6))
            fail(Fault::input, from.file, ": row ", i + 1, ": ", c.name, " is ", c.values[i]);
    return c;
}

double first_pixel_of(const std::string& column, const AnyTable& from, const CatalogueColumns& columns) {
    if (!std::isnan(columns.first_pixel)) return columns.first_pixel;
    const std::string name = lower(column);
    if (name.size() > 6 && name.ends_with("_image")) return 1;
    for (const char* photutils : {"x_fit", "y_fit", "x_0", "y_0", "xcentroid", "ycentroid", "x_centroid", "y_centroid"})
        if (name == photutils) return 0;
    return from.from_zero ? 0 : 1;
}

}  // namespace star
