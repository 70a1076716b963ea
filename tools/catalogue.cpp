// BLENDS out and in. The half pixel between our boxes and FITS is added here (and for truth in truth.cpp) alone.
#include "tools/catalogue.h"

#include <fmt/core.h>

#include <cmath>

#include "kernels/check.h"

namespace star {

const std::vector<FlagMeaning>& flag_meanings() {
    static const std::vector<FlagMeaning> meanings{
        {flag_biased, "flux biased by a neighbour"},
        {flag_blended, "more than one star"},
        {flag_saturated, "saturated pixels in the box"},
        {flag_truncated, "box reaches over the image's edge"},
        {flag_masked_pixels, "masked pixels in the box"},
        {flag_cosmic_ray, "cosmic-ray suspect"},
        {flag_near_bright, "near a bright star"},
        {flag_out_of_domain, "outside what the model was trained on"},
        {flag_low_margin, "the two likeliest star numbers differ by less than 0.1"},
        {flag_not_finite, "pixels that aren't finite in the box"},
        {flag_no_convergence, "fit not converged"},
        {flag_percolated, "percolated field"},
        {flag_extended, "extended source"}};
    return meanings;
}

double Blend::expected_stars() const {
    double sum = 0;
    for (int k = 0; k < classes_in_catalogue; ++k) sum += (k + 1) * p[k];
    return sum;
}

Table blends_table(const std::vector<Blend>& blends, const CatalogueInfo& info) {
    const std::size_t n = blends.size();
    const auto doubles = [&](auto&& value) {
        std::vector<double> v(n);
        for (std::size_t i = 0; i < n; ++i) v[i] = value(blends[i]);
        return v;
    };
    const auto floats = [&](auto&& value) {
        std::vector<float> v(n);
        for (std::size_t i = 0; i < n; ++i) v[i] = float(value(blends[i]));
        return v;
    };
    const auto ints = [&](auto&& value) {
        std::vector<std::int32_t> v(n);
        for (std::size_t i = 0; i < n; ++i) v[i] = std::int32_t(value(blends[i]));
        return v;
    };
    constexpr double half = fits_minus_edge;
    Table t;
    t.name = "BLENDS";
    auto& c = t.columns;
    std::vector<std::int32_t> id(n);
    for (std::size_t i = 0; i < n; ++i) id[i] = std::int32_t(i + 1);
    c.push_back(
        {"BLEND_ID", "", "number of the blending unit, from 1 in order of SCORE", "meta.id;meta.main", "I8", id});
    c.push_back({"X_IMAGE", "pix", "centre of the unit's box; centre of the first pixel = 1", "pos.cartesian.x",
                 "F10.3", doubles([](auto& b) { return b.x + half; })});
    c.push_back({"Y_IMAGE", "pix", "centre of the unit's box; centre of the first pixel = 1", "pos.cartesian.y",
                 "F10.3", doubles([](auto& b) { return b.y + half; })});
    c.push_back({"XMIN_IMAGE", "pix", "left edge of the box", "pos.cartesian.x;stat.min", "F10.3",
                 doubles([](auto& b) { return b.box.x0 + half; })});
    c.push_back({"YMIN_IMAGE", "pix", "lower edge of the box", "pos.cartesian.y;stat.min", "F10.3",
                 doubles([](auto& b) { return b.box.y0 + half; })});
    c.push_back({"XMAX_IMAGE", "pix", "right edge of the box", "pos.cartesian.x;stat.max", "F10.3",
                 doubles([](auto& b) { return b.box.x1 + half; })});
    c.push_back({"YMAX_IMAGE", "pix", "upper edge of the box", "pos.cartesian.y;stat.max", "F10.3",
                 doubles([](auto& b) { return b.box.y1 + half; })});
    if (info.wcs) {
        t.cards.push_back({"RADESYS", info.wcs->frame(), "of RA and DEC"});
        std::vector<double> ra(n), dec(n);
        for (std::size_t i = 0; i < n; ++i) {
            const SkyPosition s = info.wcs->to_sky({blends[i].x + half, blends[i].y + half});
            ra[i] = s.ra, dec[i] = s.dec;
        }
        c.push_back({"RA", "deg", "right ascension, " + info.wcs->frame(), "pos.eq.ra;meta.main", "F13.8", ra});
        c.push_back({"DEC", "deg", "declination, " + info.wcs->frame(), "pos.eq.dec;meta.main", "F13.8", dec});
    }
    c.push_back({"NSTARS", "", "likeliest number of stars; 5: five or more", "meta.number", "I4",
                 ints([](auto& b) { return b.stars; })});
    c.push_back({"NSTARS_EXP", "", "expected number of stars: sum of k Pk", "meta.number;stat.mean", "F6.3",
                 floats([](auto& b) { return b.expected_stars(); })});
    c.push_back({"P_BKG", "", "probability that nothing is there: 1 - SCORE", "stat.probability", "F6.4",
                 floats([](auto& b) { return 1 - b.score; })});
    if (info.fitted)
        c.push_back({"NSTARS_FIT", "", "number of its stars in SOURCES", "meta.number", "I4",
                     ints([](auto& b) { return b.fitted; })});
    for (int k = 0; k < classes_in_catalogue; ++k)
        c.push_back({fmt::format("P{}", k + 1), "",
                     fmt::format("probability of {}{} stars, given a unit", k + 1,
                                 k + 1 == classes_in_catalogue ? " or more" : ""),
                     "stat.probability", "F6.4", floats([k](auto& b) { return b.p[k]; })});
    c.push_back({"SCORE", "", "detection score: that there is a unit", "stat.likelihood", "F6.4",
                 floats([](auto& b) { return b.score; })});
    c.push_back({"FLUX", info.flux_unit, "sum over the box above the background", "phot.flux", "E13.6",
                 doubles([](auto& b) { return b.flux; })});
    c.push_back({"FLUXERR", info.flux_unit, "its error", "stat.error;phot.flux", "E13.6",
                 doubles([](auto& b) { return b.flux_error; })});
    const std::string system = info.magnitude_system.empty() ? "" : ", " + info.magnitude_system;
    c.push_back(
        {"MAG", "mag", "magnitude of FLUX" + system, "phot.mag", "F8.4", floats([](auto& b) { return b.magnitude; })});
    c.push_back({"MAGERR", "mag", "its error", "stat.error;phot.mag", "F8.4",
                 floats([](auto& b) { return b.magnitude_error; })});
    c.push_back({"BACKGROUND", info.flux_unit, "background per pixel at the centre", "instr.background", "E13.6",
                 floats([](auto& b) { return b.background; })});
    c.push_back({"SNR", "", "FLUX / FLUXERR", "stat.snr", "F9.2",
                 floats([](auto& b) { return b.flux_error > 0 ? b.flux / b.flux_error : std::nan(""); })});
    c.push_back({"FLAGS", "", "bits; starblend info --flags N says what they mean", "meta.code.qual", "I6",
                 ints([](auto& b) { return b.flags; })});
    c.push_back({"EXT_NUMBER", "", "number of the image's HDU", "meta.id;instr", "I4",
                 std::vector<std::int32_t>(n, info.extension)});
    return t;
}

std::vector<Blend> read_blends(const std::string& file) {
    const Table t = read_table(file, "BLENDS");
    const auto x = t.numbers("X_IMAGE"), y = t.numbers("Y_IMAGE"), x0 = t.numbers("XMIN_IMAGE"),
               y0 = t.numbers("YMIN_IMAGE"), x1 = t.numbers("XMAX_IMAGE"), y1 = t.numbers("YMAX_IMAGE"),
               stars = t.numbers("NSTARS"), score = t.numbers("SCORE");
    std::vector<std::vector<double>> p;
    for (int k = 0; k < classes_in_catalogue; ++k) p.push_back(t.numbers(fmt::format("P{}", k + 1)));
    const auto optional = [&](const char* column) {
        return t.find(column) ? t.numbers(column) : std::vector<double>(x.size(), std::nan(""));
    };
    const auto flux = optional("FLUX"), flux_error = optional("FLUXERR"), mag = optional("MAG"),
               mag_error = optional("MAGERR"), background = optional("BACKGROUND"), flags = optional("FLAGS"),
               fitted = optional("NSTARS_FIT");
    constexpr double half = fits_minus_edge;
    std::vector<Blend> blends(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
        Blend& b = blends[i];
        b.box = {float(x0[i] - half), float(y0[i] - half), float(x1[i] - half), float(y1[i] - half)};
        b.x = x[i] - half, b.y = y[i] - half;
        if (!(stars[i] >= 1 && stars[i] <= classes_in_catalogue))
            fail(Fault::input, file, ": BLENDS: NSTARS of row ", i + 1, " is ", stars[i]);
        b.stars = int(stars[i]);
        b.score = score[i];
        for (int k = 0; k < classes_in_catalogue; ++k) b.p[k] = p[std::size_t(k)][i];
        b.fitted = fitted[i] >= 0 && fitted[i] <= 0x7fffffff ? int(fitted[i]) : -1;
        b.flux = flux[i], b.flux_error = flux_error[i], b.magnitude = mag[i], b.magnitude_error = mag_error[i],
        b.background = background[i];
        b.flags = flags[i] >= 0 && flags[i] <= 0x7fffffff ? std::int32_t(flags[i]) : 0;
    }
    return blends;
}

}  // namespace star
