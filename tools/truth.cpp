// Truth tables. 0.5 px between FITS and edge coordinates is added and taken away here and in catalogue.cpp alone.
#include "tools/truth.h"

#include "kernels/check.h"
#include "tools/catalogue.h"

namespace star {

Table truth_units(const MockField& field) {
    std::vector<std::int32_t> id, stars, label;
    std::vector<double> x, y, x0, y0, x1, y1;
    for (std::size_t i = 0; i < field.units.size(); ++i) {
        const Unit& u = field.units[i];
        id.push_back(std::int32_t(i));
        stars.push_back(u.count);
        label.push_back(u.label);
        x.push_back(u.x + fits_minus_edge), y.push_back(u.y + fits_minus_edge);
        x0.push_back(u.box.x0 + fits_minus_edge), y0.push_back(u.box.y0 + fits_minus_edge);
        x1.push_back(u.box.x1 + fits_minus_edge), y1.push_back(u.box.y1 + fits_minus_edge);
    }
    Table t;
    t.name = "TRUTH_UNITS";
    t.columns = {{"UNIT_ID", "", "number of the unit", "meta.id", "", id},
                 {"X_IMAGE", "pix", "flux-weighted centroid, first pixel = 1", "pos.cartesian.x", "F10.3", x},
                 {"Y_IMAGE", "pix", "flux-weighted centroid, first pixel = 1", "pos.cartesian.y", "F10.3", y},
                 {"XMIN_IMAGE", "pix", "left edge of the box", "", "F10.3", x0},
                 {"YMIN_IMAGE", "pix", "lower edge of the box", "", "F10.3", y0},
                 {"XMAX_IMAGE", "pix", "right edge of the box", "", "F10.3", x1},
                 {"YMAX_IMAGE", "pix", "upper edge of the box", "", "F10.3", y1},
                 {"NSTARS", "", "stars in the unit", "meta.number", "", stars},
                 {"LABEL", "", "class from 0; -2: neither asked for nor punished", "meta.code", "", label}};
    return t;
}

Table truth_stars(const MockField& field) {
    std::vector<std::int32_t> unit;
    std::vector<double> x, y, mag, flux;
    for (const Star& s : field.stars) {
        unit.push_back(s.unit);
        x.push_back(s.x + fits_minus_edge), y.push_back(s.y + fits_minus_edge);
        mag.push_back(s.mag), flux.push_back(s.flux);
    }
    Table t;
    t.name = "TRUTH_STARS";
    t.columns = {{"UNIT_ID", "", "its unit; -1: none", "meta.id.parent", "", unit},
                 {"X_IMAGE", "pix", "first pixel = 1", "pos.cartesian.x", "F10.3", x},
                 {"Y_IMAGE", "pix", "first pixel = 1", "pos.cartesian.y", "F10.3", y},
                 {"MAG", "mag", "magnitude", "phot.mag", "F8.4", mag},
                 {"FLUX", "electron", "over all exposures", "phot.count", "E13.6", flux}};
    return t;
}

MockField read_truth(const std::string& file) {
    const Table units = read_table(file, "TRUTH_UNITS"), stars = read_table(file, "TRUTH_STARS");
    MockField field;
    const auto unit = stars.numbers("UNIT_ID"), x = stars.numbers("X_IMAGE"), y = stars.numbers("Y_IMAGE"),
               mag = stars.numbers("MAG"), flux = stars.numbers("FLUX");
    for (std::size_t i = 0; i < x.size(); ++i) {
        if (!(unit[i] >= -1 && unit[i] <= 1e9))
            fail(Fault::input, file, ": TRUTH_STARS: row ", i + 1, ": UNIT_ID out of range");
        field.stars.push_back({x[i] - fits_minus_edge, y[i] - fits_minus_edge, mag[i], flux[i], int(unit[i])});
    }
    const auto ux = units.numbers("X_IMAGE"), uy = units.numbers("Y_IMAGE"), x0 = units.numbers("XMIN_IMAGE"),
               y0 = units.numbers("YMIN_IMAGE"), x1 = units.numbers("XMAX_IMAGE"), y1 = units.numbers("YMAX_IMAGE"),
               count = units.numbers("NSTARS"), label = units.numbers("LABEL");
    int first = 0;
    for (std::size_t i = 0; i < ux.size(); ++i) {
        if (!(count[i] >= 1 && count[i] <= 1e6 && label[i] >= -2 && label[i] <= 127) ||
            first + int(count[i]) > int(field.stars.size()))
            fail(Fault::input, file, ": TRUTH_UNITS: row ", i + 1, ": NSTARS or LABEL out of range");
        Unit u;
        u.first = first, u.count = int(count[i]), u.label = std::int8_t(label[i]);
        u.box = {float(x0[i] - fits_minus_edge), float(y0[i] - fits_minus_edge), float(x1[i] - fits_minus_edge),
                 float(y1[i] - fits_minus_edge)};
        u.x = ux[i] - fits_minus_edge, u.y = uy[i] - fits_minus_edge;
        first += u.count;
        field.units.push_back(u);
    }
    return field;
}

}  // namespace star
