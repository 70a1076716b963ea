// Rows to shapes.
#include "tools/catalogue_regions.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "kernels/check.h"
#include "tools/catalogue.h"

namespace star {
namespace {

constexpr const char* colours[classes_in_catalogue] = {"green", "cyan", "yellow", "orange", "red"};

const Table* named(const Catalogue& c, const char* name) {
    for (const Table& t : c.tables)
        if (t.name == name) return &t;
    return nullptr;
}

// DS9's word for the frame of RA and DEC: the image's, or what the table says.
std::string frame_of(const Table& t, const Wcs* wcs) {
    std::string name = wcs ? wcs->frame() : "";
    for (const Card& c : t.cards)
        if (c.key == "RADESYS" && name.empty()) name = to_text(c.value);
    return name == "FK5" ? "fk5" : name == "FK4" ? "fk4" : "icrs";
}

struct Positions {
    std::vector<double> x, y;
    std::string words(std::size_t i, bool sky) const {
        return sky ? fmt::format("{:.8f},{:.8f}", x[i], y[i]) : fmt::format("{:.3f},{:.3f}", x[i], y[i]);
    }
    bool known(std::size_t i) const { return std::isfinite(x[i]) && std::isfinite(y[i]); }
};

Positions positions_of(const Table& t, bool sky) {
    const char *x = sky ? "RA" : "X_IMAGE", *y = sky ? "DEC" : "Y_IMAGE";
    if (!t.find(x) || !t.find(y))
        fail(Fault::usage, "regions in ", sky ? "sky" : "image", " coordinates: table ", t.name, " has no ", x, " and ",
             y);
    return {t.numbers(x), t.numbers(y)};
}

std::vector<int> classes_of(const Table& blends) {
    std::vector<int> k;
    for (const double n : blends.numbers("NSTARS")) k.push_back(int(std::clamp(n, 1.0, double(classes_in_catalogue))));
    return k;
}

// A box's four corners on the sky.
std::string polygon(const Wcs& wcs, double x0, double y0, double x1, double y1) {
    std::string text;
    for (const PixelPosition p : {PixelPosition{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}}) {
        const SkyPosition s = wcs.to_sky(p);
        if (!std::isfinite(s.ra) || !std::isfinite(s.dec)) return "";  // beyond the projection
        text += fmt::format("{}{:.8f},{:.8f}", text.empty() ? "polygon(" : ",", s.ra, s.dec);
    }
    return text + ")";
}

std::string boxes(const Table& t, bool sky, const Wcs* wcs) {
    if (sky && !wcs) fail(Fault::usage, "regions in sky coordinates: boxes need the image's WCS; --image names it");
    const auto x0 = t.numbers("XMIN_IMAGE"), y0 = t.numbers("YMIN_IMAGE"), x1 = t.numbers("XMAX_IMAGE"),
               y1 = t.numbers("YMAX_IMAGE");
    const std::vector<int> stars = classes_of(t);
    std::string text;
    for (std::size_t i = 0; i < x0.size(); ++i) {
        const std::string shape = sky ? polygon(*wcs, x0[i], y0[i], x1[i], y1[i])
                                      : fmt::format("box({:.3f},{:.3f},{:.3f},{:.3f},0)", (x0[i] + x1[i]) / 2,
                                                    (y0[i] + y1[i]) / 2, x1[i] - x0[i], y1[i] - y0[i]);
        if (!shape.empty())
            text += fmt::format("{} # color={} text={{{}{}}} tag={{units}}\n", shape, colours[stars[i] - 1], stars[i],
                                stars[i] == classes_in_catalogue ? "+" : "");
    }
    return text;
}

std::string crosses(const Table& t, bool sky, const Table* blends) {
    const Positions at = positions_of(t, sky);
    const auto unit = t.find("BLEND_ID") ? t.numbers("BLEND_ID") : std::vector<double>(at.x.size(), 0);
    const std::vector<int> stars = blends ? classes_of(*blends) : std::vector<int>();
    std::string text;
    for (std::size_t i = 0; i < at.x.size(); ++i) {
        if (!at.known(i)) continue;
        const bool in_unit = unit[i] >= 1 && unit[i] <= double(stars.size());
        text += fmt::format("point({}) # point=cross 6 color={} tag={{stars}}\n", at.words(i, sky),
                            in_unit ? colours[stars[std::size_t(unit[i]) - 1] - 1] : "white");
    }
    return text;
}

std::string circles(const Table& t, bool sky) {
    const Positions at = positions_of(t, sky);
    std::string text;
    for (std::size_t i = 0; i < at.x.size(); ++i)
        if (at.known(i)) text += fmt::format("point({}) # point=circle 8 color=green\n", at.words(i, sky));
    return text;
}

}  // namespace

std::string regions_text(const Catalogue& catalogue, bool sky, const Wcs* wcs) {
    const Table *blends = named(catalogue, "BLENDS"), *sources = named(catalogue, "SOURCES");
    if (catalogue.tables.empty()) fail(Fault::usage, "regions: there is no table");
    const Table& first = sources ? *sources : blends ? *blends : catalogue.tables.front();
    std::string text = "# Region file format: DS9 version 4.1\n" + (sky ? frame_of(first, wcs) : "image") + "\n";
    if (blends) text += boxes(*blends, sky, wcs);
    if (sources) text += crosses(*sources, sky, blends);
    if (!blends && !sources) text += circles(catalogue.tables.front(), sky);
    return text;
}

}  // namespace star
