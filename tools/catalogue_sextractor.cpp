// New names, and the few values that SExtractor writes in another way.
#include "tools/catalogue_sextractor.h"

#include <algorithm>
#include <cmath>

namespace star {
namespace {

struct NewName {
    const char *table, *ours, *theirs;
};
constexpr NewName names[] = {
    {"SOURCES", "SOURCE_ID", "NUMBER"}, {"SOURCES", "X_IMAGE", "XPSF_IMAGE"}, {"SOURCES", "Y_IMAGE", "YPSF_IMAGE"},
    {"SOURCES", "RA", "ALPHAPSF_SKY"},  {"SOURCES", "DEC", "DELTAPSF_SKY"},   {"SOURCES", "CHI2", "CHI2_PSF"},
    {"BLENDS", "BLEND_ID", "NUMBER"},   {"BLENDS", "RA", "ALPHA_SKY"},        {"BLENDS", "DEC", "DELTA_SKY"}};

using Reals = std::vector<double>;

Column column(const char* name, const char* unit, const char* comment, const char* ucd, Reals values) {
    return {name, unit, comment, ucd, "F8.4", std::vector<float>(values.begin(), values.end())};
}

void use_error_ellipse(Table& t) {
    const auto at = std::find_if(t.columns.begin(), t.columns.end(), [](auto& c) { return c.name == "ERRX_IMAGE"; });
    if (at == t.columns.end() || !t.find("ERRY_IMAGE")) return;
    const Reals x = t.numbers("ERRX_IMAGE"), y = t.numbers("ERRY_IMAGE");
    Reals a(x.size()), b(x.size()), angle(x.size());
    for (std::size_t i = 0; i < x.size(); ++i)
        a[i] = std::max(x[i], y[i]), b[i] = std::min(x[i], y[i]), angle[i] = y[i] > x[i] ? 90 : 0;
    const auto where = t.columns.erase(at);
    t.columns.insert(
        where,
        {column("ERRAPSF_IMAGE", "pixel", "larger error of XPSF_IMAGE and YPSF_IMAGE", "stat.error;pos.cartesian", a),
         column("ERRBPSF_IMAGE", "pixel", "the smaller one", "stat.error;pos.cartesian", b),
         column("ERRTHETAPSF_IMAGE", "deg", "0: the larger one is along x; 90: along y", "pos.posAng", angle)});
    std::erase_if(t.columns, [](const Column& c) { return c.name == "ERRY_IMAGE"; });
}

void use_whole_pixels(Table& t) {
    for (Column& c : t.columns) {
        const bool first = c.name == "XMIN_IMAGE" || c.name == "YMIN_IMAGE";
        if (!first && c.name != "XMAX_IMAGE" && c.name != "YMAX_IMAGE") continue;
        std::vector<std::int32_t> pixels;
        for (const double v : t.numbers(c.name))
            pixels.push_back(std::int32_t(std::clamp(first ? std::ceil(v) : std::floor(v), -1e9, 1e9)));
        c.data = std::move(pixels), c.format = "I8";
        c.comment = first ? "first pixel of the box" : "last pixel of the box";
    }
}

}  // namespace

Table with_sextractor_names(Table t) {
    if (t.name == "SOURCES") use_error_ellipse(t);
    if (t.name == "BLENDS") use_whole_pixels(t);
    if (t.name != "SOURCES" && t.name != "BLENDS") return t;
    for (Column& c : t.columns) {
        const auto at = std::find_if(std::begin(names), std::end(names),
                                     [&](const NewName& n) { return t.name == n.table && c.name == n.ours; });
        if (at != std::end(names)) c.name = at->theirs;
        if (c.unit == "pix") c.unit = "pixel";
    }
    return t;
}

}  // namespace star
