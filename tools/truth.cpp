// Truth tables. 0.5 px between FITS and edge coordinates is added and taken away here and in catalogue.cpp alone.
#include "tools/truth.h"

#include <numbers>

#include "kernels/check.h"
#include "tools/catalogue.h"

namespace star {

Table truth_units(const Truth& truth) {
    std::vector<std::int32_t> id, stars, label, soft, percolated;
    std::vector<double> x, y, x0, y0, x1, y1, flux;
    std::array<std::vector<float>, 5> chance;
    for (std::size_t i = 0; i < truth.units.size(); ++i) {
        const TruthUnit& u = truth.units[i];
        id.push_back(std::int32_t(i));
        stars.push_back(u.count);
        label.push_back(u.label), soft.push_back(u.soft), percolated.push_back(u.percolated);
        x.push_back(u.x + fits_minus_edge), y.push_back(u.y + fits_minus_edge), flux.push_back(u.flux);
        x0.push_back(u.box.x0 + fits_minus_edge), y0.push_back(u.box.y0 + fits_minus_edge);
        x1.push_back(u.box.x1 + fits_minus_edge), y1.push_back(u.box.y1 + fits_minus_edge);
        for (std::size_t k = 0; k < chance.size(); ++k) chance[k].push_back(u.chance[k]);
    }
    Table t;
    t.name = "UNITS";
    t.columns = {{"UNIT_ID", "", "number of the unit", "meta.id", "", id},
                 {"X_IMAGE", "pix", "flux-weighted centroid, first pixel = 1", "pos.cartesian.x", "F10.3", x},
                 {"Y_IMAGE", "pix", "flux-weighted centroid, first pixel = 1", "pos.cartesian.y", "F10.3", y},
                 {"XMIN_IMAGE", "pix", "left edge of the box", "", "F10.3", x0},
                 {"YMIN_IMAGE", "pix", "lower edge of the box", "", "F10.3", y0},
                 {"XMAX_IMAGE", "pix", "right edge of the box", "", "F10.3", x1},
                 {"YMAX_IMAGE", "pix", "upper edge of the box", "", "F10.3", y1},
                 {"FLUX", "electron", "of its stars, over all exposures", "phot.count", "E13.6", flux},
                 {"NSTARS", "", "stars that count", "meta.number", "", stars},
                 {"LABEL", "", "class from 0; -2: neither asked for nor punished", "meta.code", "", label},
                 {"SOFT", "", "1: a star may or may not count", "meta.code", "", soft},
                 {"PERCOLATED", "", "1: split from a larger unit", "meta.code", "", percolated}};
    for (std::size_t k = 0; k < chance.size(); ++k)
        t.columns.push_back({"P" + std::to_string(k + 1), "",
                             k == 4 ? "chance of five stars or more" : "chance of that many stars", "stat.probability",
                             "F6.4", chance[k]});
    return t;
}

Table truth_stars(const Truth& truth, const Exposure& exposure) {
    std::vector<std::int32_t> unit, counts;
    std::vector<double> x, y, mag, flux;
    std::vector<float> snr;
    for (const TruthStar& s : truth.stars) {
        unit.push_back(s.unit), counts.push_back(s.counts);
        x.push_back(s.x + fits_minus_edge), y.push_back(s.y + fits_minus_edge);
        mag.push_back(magnitude(s.flux, exposure)), flux.push_back(s.flux), snr.push_back(float(s.snr));
    }
    Table t;
    t.name = "STARS";
    t.columns = {{"UNIT_ID", "", "its unit; -1: none", "meta.id.parent", "", unit},
                 {"X_IMAGE", "pix", "first pixel = 1", "pos.cartesian.x", "F10.3", x},
                 {"Y_IMAGE", "pix", "first pixel = 1", "pos.cartesian.y", "F10.3", y},
                 {"MAG", "mag", "magnitude", "phot.mag", "F8.4", mag},
                 {"FLUX", "electron", "over all exposures", "phot.count", "E13.6", flux},
                 {"SNR", "", "Cramer-Rao, neighbours free; NaN: not asked", "stat.snr", "F9.2", snr},
                 {"COUNTS", "", "1: one of the unit's NSTARS", "meta.code", "", counts}};
    return t;
}

Table truth_galaxies(const std::vector<Galaxy>& galaxies) {
    std::vector<double> x, y, mag, flux, radius, sersic, ratio, angle;
    for (const Galaxy& g : galaxies) {
        x.push_back(g.x + fits_minus_edge), y.push_back(g.y + fits_minus_edge);
        mag.push_back(g.mag), flux.push_back(g.flux), radius.push_back(g.half_light);
        sersic.push_back(g.sersic), ratio.push_back(g.axis_ratio), angle.push_back(g.angle * 180 / std::numbers::pi);
    }
    Table t;
    t.name = "GALAXIES";
    t.columns = {{"X_IMAGE", "pix", "first pixel = 1", "pos.cartesian.x", "F10.3", x},
                 {"Y_IMAGE", "pix", "first pixel = 1", "pos.cartesian.y", "F10.3", y},
                 {"MAG", "mag", "magnitude", "phot.mag", "F8.4", mag},
                 {"FLUX", "electron", "over all exposures", "phot.count", "E13.6", flux},
                 {"HALF_LIGHT", "pix", "radius of half the light, major axis", "phys.angSize", "F8.3", radius},
                 {"SERSIC", "", "Sersic index", "", "F5.2", sersic},
                 {"AXIS_RATIO", "", "minor over major axis", "", "F6.4", ratio},
                 {"THETA", "deg", "of the major axis, from x to y", "pos.posAng", "F8.3", angle}};
    return t;
}

Truth read_truth(const std::string& file) {
    const Table units = read_table(file, "UNITS"), stars = read_table(file, "STARS");
    Truth truth;
    const auto unit = stars.numbers("UNIT_ID"), x = stars.numbers("X_IMAGE"), y = stars.numbers("Y_IMAGE"),
               flux = stars.numbers("FLUX"), snr = stars.numbers("SNR"), counts = stars.numbers("COUNTS");
    for (std::size_t i = 0; i < x.size(); ++i) {
        if (!(unit[i] >= -1 && unit[i] < double(units.rows())))
            fail(Fault::input, file, ": STARS: row ", i + 1, ": UNIT_ID out of range");
        TruthStar s;
        s.x = x[i] - fits_minus_edge, s.y = y[i] - fits_minus_edge, s.flux = flux[i], s.snr = snr[i];
        s.counts = counts[i] == 1, s.unit = int(unit[i]), s.source = int(i);
        truth.stars.push_back(s);
    }
    const auto ux = units.numbers("X_IMAGE"), uy = units.numbers("Y_IMAGE"), x0 = units.numbers("XMIN_IMAGE"),
               y0 = units.numbers("YMIN_IMAGE"), x1 = units.numbers("XMAX_IMAGE"), y1 = units.numbers("YMAX_IMAGE"),
               sum = units.numbers("FLUX"), count = units.numbers("NSTARS"), label = units.numbers("LABEL"),
               soft = units.numbers("SOFT"), percolated = units.numbers("PERCOLATED");
    std::array<std::vector<double>, 5> chance;
    for (std::size_t k = 0; k < chance.size(); ++k) chance[k] = units.numbers("P" + std::to_string(k + 1));
    int first = 0;
    for (std::size_t i = 0; i < ux.size(); ++i) {
        if (!(count[i] >= 0 && count[i] <= 1e6 && label[i] >= -2 && label[i] <= 127) ||
            first + int(count[i]) > int(truth.stars.size()))
            fail(Fault::input, file, ": UNITS: row ", i + 1, ": NSTARS or LABEL out of range");
        TruthUnit u;
        u.first = first, u.count = int(count[i]), u.label = std::int8_t(label[i]);
        u.soft = soft[i] == 1, u.percolated = percolated[i] == 1;
        for (std::size_t k = 0; k < chance.size(); ++k) u.chance[k] = float(chance[k][i]);
        u.box = {float(x0[i] - fits_minus_edge), float(y0[i] - fits_minus_edge), float(x1[i] - fits_minus_edge),
                 float(y1[i] - fits_minus_edge)};
        u.x = ux[i] - fits_minus_edge, u.y = uy[i] - fits_minus_edge, u.flux = sum[i];
        first += u.count;
        truth.units.push_back(u);
    }
    return truth;
}

}  // namespace star
