// Truth tables. 0.5 px between FITS and edge coordinates is added and taken away here and in catalogue.cpp alone.
#include "tools/truth.h"

#include <cmath>
#include <numbers>
#include <numeric>

#include "io/fits_image.h"
#include "kernels/check.h"
#include "tools/catalogue.h"

namespace star {

namespace {

/// A column's values: get(row) of each.
template <class Rows, class Get>
auto column(const Rows& rows, Get get) {
    std::vector<decltype(get(rows[0]))> values;
    for (const auto& row : rows) values.push_back(get(row));
    return values;
}

// FITS pixels of pixel edges.
double fits(double edge) { return edge + fits_minus_edge; }

}  // namespace

Table truth_units(const Truth& truth) {
    using U = TruthUnit;
    using Int = std::int32_t;
    const std::vector<U>& units = truth.units;
    const auto of = [&](auto get) { return column(units, get); };
    std::vector<Int> id(units.size());
    std::iota(id.begin(), id.end(), 0);
    Table t;
    t.name = "UNITS";
    t.columns = {
        {"UNIT_ID", "", "number of the unit", "meta.id", "", id},
        {"X_IMAGE", "pix", "flux-weighted centroid, first pixel = 1", "pos.cartesian.x", "F10.3",
         of([](const U& u) { return fits(u.x); })},
        {"Y_IMAGE", "pix", "flux-weighted centroid, first pixel = 1", "pos.cartesian.y", "F10.3",
         of([](const U& u) { return fits(u.y); })},
        {"XMIN_IMAGE", "pix", "left edge of the box", "", "F10.3", of([](const U& u) { return fits(u.box.x0); })},
        {"YMIN_IMAGE", "pix", "lower edge of the box", "", "F10.3", of([](const U& u) { return fits(u.box.y0); })},
        {"XMAX_IMAGE", "pix", "right edge of the box", "", "F10.3", of([](const U& u) { return fits(u.box.x1); })},
        {"YMAX_IMAGE", "pix", "upper edge of the box", "", "F10.3", of([](const U& u) { return fits(u.box.y1); })},
        {"FLUX", "electron", "of its stars, over all exposures", "phot.count", "E13.6",
         of([](const U& u) { return u.flux; })},
        {"NSTARS", "", "stars that count", "meta.number", "", of([](const U& u) { return Int(u.count); })},
        {"LABEL", "", "class from 0; -2: neither asked for nor punished", "meta.code", "",
         of([](const U& u) { return Int(u.label); })},
        {"SOFT", "", "1: a star may or may not count", "meta.code", "", of([](const U& u) { return Int(u.soft); })},
        {"PERCOLATED", "", "1: split from a larger unit", "meta.code", "",
         of([](const U& u) { return Int(u.percolated); })}};
    for (std::size_t k = 0; k < U{}.chance.size(); ++k)
        t.columns.push_back({"P" + std::to_string(k + 1), "",
                             k == 4 ? "chance of five stars or more" : "chance of that many stars", "stat.probability",
                             "F6.4", of([k](const U& u) { return u.chance[k]; })});
    return t;
}

Table truth_stars(const Truth& truth, const Exposure& exposure) {
    using S = TruthStar;
    const auto of = [&](auto get) { return column(truth.stars, get); };
    Table t;
    t.name = "STARS";
    t.columns = {
        {"UNIT_ID", "", "its unit; -1: none", "meta.id.parent", "",
         of([](const S& s) { return std::int32_t(s.unit); })},
        {"X_IMAGE", "pix", "first pixel = 1", "pos.cartesian.x", "F10.3", of([](const S& s) { return fits(s.x); })},
        {"Y_IMAGE", "pix", "first pixel = 1", "pos.cartesian.y", "F10.3", of([](const S& s) { return fits(s.y); })},
        {"MAG", "mag", "magnitude", "phot.mag", "F8.4", of([&](const S& s) { return magnitude(s.flux, exposure); })},
        {"FLUX", "electron", "over all exposures", "phot.count", "E13.6", of([](const S& s) { return s.flux; })},
        {"SNR", "", "Cramer-Rao, neighbours free; NaN: not asked", "stat.snr", "F9.2",
         of([](const S& s) { return float(s.snr); })},
        {"COUNTS", "", "1: one of the unit's NSTARS", "meta.code", "",
         of([](const S& s) { return std::int32_t(s.counts); })}};
    return t;
}

Table truth_galaxies(const std::vector<Galaxy>& galaxies) {
    using G = Galaxy;
    const auto of = [&](auto get) { return column(galaxies, get); };
    Table t;
    t.name = "GALAXIES";
    t.columns = {
        {"X_IMAGE", "pix", "first pixel = 1", "pos.cartesian.x", "F10.3", of([](const G& g) { return fits(g.x); })},
        {"Y_IMAGE", "pix", "first pixel = 1", "pos.cartesian.y", "F10.3", of([](const G& g) { return fits(g.y); })},
        {"MAG", "mag", "magnitude", "phot.mag", "F8.4", of([](const G& g) { return g.mag; })},
        {"FLUX", "electron", "over all exposures", "phot.count", "E13.6", of([](const G& g) { return g.flux; })},
        {"HALF_LIGHT", "pix", "radius of half the light, major axis", "phys.angSize", "F8.3",
         of([](const G& g) { return g.half_light; })},
        {"SERSIC", "", "Sersic index", "", "F5.2", of([](const G& g) { return g.sersic; })},
        {"AXIS_RATIO", "", "minor over major axis", "", "F6.4", of([](const G& g) { return g.axis_ratio; })},
        {"THETA", "deg", "of the major axis, from x to y", "pos.posAng", "F8.3",
         of([](const G& g) { return g.angle * 180 / std::numbers::pi; })}};
    return t;
}

Table with_field(Table table, std::int64_t field) {
    const std::vector<std::int64_t> number(table.rows(), field);
    table.columns.insert(table.columns.begin(), {"FIELD", "", "number of the field drawn from SEED", "", "", number});
    return table;
}

std::vector<Truth> read_truths(const std::string& file) {
    const Table units = read_table(file, "UNITS"), stars = read_table(file, "STARS");
    const bool cube = units.find("FIELD") != nullptr;
    std::int64_t first = 0;
    std::vector<Truth> truths(1);
    if (cube) {
        const FitsPlane image = describe_cube(file);
        const double field = image.number_of("FIELD").value_or(0);
        if (!(field >= 0 && field <= double(most_field) && field == std::floor(field)))
            fail(Fault::input, file, ": FIELD = ", field, ": isn't a field's number");
        if (image.planes > most_fields)
            fail(Fault::input, file, ": NAXIS3 = ", image.planes, ": more than ", most_fields, " fields");
        first = std::int64_t(field), truths.resize(std::size_t(image.planes));
    }
    const auto planes_of = [&](const Table& t) {  // which truth a row belongs to
        std::vector<std::size_t> planes(t.rows(), 0);
        if (!cube) return planes;
        const auto field = t.numbers("FIELD");
        for (std::size_t i = 0; i < planes.size(); ++i) {
            const double plane = field[i] - double(first);
            if (!(plane >= 0 && plane < double(truths.size())) || (i > 0 && double(planes[i - 1]) > plane))
                fail(Fault::input, file, ": ", t.name, ": row ", i + 1, ": FIELD out of range or out of order");
            planes[i] = std::size_t(plane);
        }
        return planes;
    };
    const auto unit_plane = planes_of(units), star_plane = planes_of(stars);
    const auto unit = stars.numbers("UNIT_ID"), x = stars.numbers("X_IMAGE"), y = stars.numbers("Y_IMAGE"),
               flux = stars.numbers("FLUX"), snr = stars.numbers("SNR"), counts = stars.numbers("COUNTS");
    std::vector<double> units_of(truths.size());
    for (std::size_t p : unit_plane) ++units_of[p];
    for (std::size_t i = 0; i < x.size(); ++i) {
        Truth& truth = truths[star_plane[i]];
        if (!(unit[i] >= -1 && unit[i] < units_of[star_plane[i]]))
            fail(Fault::input, file, ": STARS: row ", i + 1, ": UNIT_ID out of range");
        TruthStar s;
        s.x = x[i] - fits_minus_edge, s.y = y[i] - fits_minus_edge, s.flux = flux[i], s.snr = snr[i];
        s.counts = counts[i] == 1, s.unit = int(unit[i]), s.source = int(truth.stars.size());
        truth.stars.push_back(s);
    }
    const auto ux = units.numbers("X_IMAGE"), uy = units.numbers("Y_IMAGE"), x0 = units.numbers("XMIN_IMAGE"),
               y0 = units.numbers("YMIN_IMAGE"), x1 = units.numbers("XMAX_IMAGE"), y1 = units.numbers("YMAX_IMAGE"),
               sum = units.numbers("FLUX"), count = units.numbers("NSTARS"), label = units.numbers("LABEL"),
               soft = units.numbers("SOFT"), percolated = units.numbers("PERCOLATED");
    std::array<std::vector<double>, 5> chance;
    for (std::size_t k = 0; k < chance.size(); ++k) chance[k] = units.numbers("P" + std::to_string(k + 1));
    for (std::size_t i = 0; i < ux.size(); ++i) {
        Truth& truth = truths[unit_plane[i]];
        const int before = truth.units.empty() ? 0 : truth.units.back().first + truth.units.back().count;
        if (!(count[i] >= 0 && count[i] <= 1e6 && label[i] >= -2 && label[i] <= 127) ||
            before + int(count[i]) > int(truth.stars.size()))
            fail(Fault::input, file, ": UNITS: row ", i + 1, ": NSTARS or LABEL out of range");
        TruthUnit u;
        u.first = before, u.count = int(count[i]), u.label = std::int8_t(label[i]);
        u.soft = soft[i] == 1, u.percolated = percolated[i] == 1;
        for (std::size_t k = 0; k < chance.size(); ++k) u.chance[k] = float(chance[k][i]);
        u.box = {float(x0[i] - fits_minus_edge), float(y0[i] - fits_minus_edge), float(x1[i] - fits_minus_edge),
                 float(y1[i] - fits_minus_edge)};
        u.x = ux[i] - fits_minus_edge, u.y = uy[i] - fits_minus_edge, u.flux = sum[i];
        truth.units.push_back(u);
    }
    return truths;
}

Truth read_truth(const std::string& file) {
    std::vector<Truth> truths = read_truths(file);
    if (truths.size() != 1) fail(Fault::input, file, ": NAXIS3: holds ", truths.size(), " fields, where one is wanted");
    return std::move(truths.front());
}

}  // namespace star
