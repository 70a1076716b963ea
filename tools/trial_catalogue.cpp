// Rows checked on the way in, so that scoring meets no surprise.
#include "tools/trial_catalogue.h"

#include <algorithm>
#include <cmath>

#include "io/fits_hdu.h"
#include "io/fits_image.h"
#include "io/fits_table.h"
#include "kernels/check.h"
#include "tools/catalogue.h"
#include "tools/trial_fields.h"
#include "tools/truth.h"

namespace star {
namespace {

// Far outside any image is a mistake; and sums of such places would leave a float's range.
bool sensible(double v) { return std::abs(v) < 1e6; }
bool sensible(const Box& b, double x, double y) {
    return sensible(b.x0) && sensible(b.y0) && sensible(b.x1) && sensible(b.y1) && sensible(x) && sensible(y);
}

// The magnitude of one electron over all exposures, from MAGZERO, that of one unit of the image.
double electron_zeropoint(const FitsImage& image) {
    const double zero = image.number_of("MAGZERO").value_or(NAN);
    const bool rate = image.text_of("BUNIT").value_or("") == "electron/s";
    const double electrons = image.number_of(rate ? "EXPTIME" : "GAIN").value_or(NAN);  // in one unit
    return electrons > 0 ? zero + 2.5 * std::log10(electrons) : NAN;
}

std::vector<Wanted> checked(const std::string& file, std::vector<Wanted> rows) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const Wanted& w = rows[i];
        const bool chances = std::all_of(w.chances.begin(), w.chances.end(), [](double p) { return p >= 0 && p <= 1; });
        if (!sensible(w.box, w.x, w.y) || !chances || (w.label < 0 && w.label != label_ignored))
            fail(Fault::input, file, ": truth: row ", i + 1,
                 ": a place that isn't finite, a chance outside 0...1, or LABEL = -1");
    }
    return rows;
}

std::vector<Found> read_own(const std::string& file) {
    std::vector<Found> rows;
    const auto blends = read_blends(file);
    for (std::size_t i = 0; i < blends.size(); ++i) {
        const Blend& b = blends[i];
        Found f{b.box, b.x, b.y, b.score, b.stars - 1, b.expected_stars()};
        bool chances = true;
        for (std::size_t k = 0; k < f.chances.size(); ++k) {
            f.chances[k] = b.p[k];
            chances = chances && b.p[k] >= 0 && b.p[k] <= 1;
        }
        if (!sensible(b.box, b.x, b.y) || !(b.score >= 0 && b.score <= 1) || !chances)
            fail(Fault::input, file, ": BLENDS: row ", i + 1,
                 ": a place that isn't finite, or SCORE or P1...P5 outside 0...1");
        f.magnitude = b.magnitude;
        rows.push_back(f);
    }
    return rows;
}

// SOURCES in order of signal-to-noise.
std::vector<Found> read_own_stars(const std::string& file) {
    const Table t = read_table(file, "SOURCES");
    const auto x = t.numbers("X_IMAGE"), y = t.numbers("Y_IMAGE"), flux = t.numbers("FLUX_PSF"),
               error = t.numbers("FLUXERR_PSF"), mag = t.numbers("MAG_PSF");
    std::vector<Found> rows;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double px = x[i] - fits_minus_edge, py = y[i] - fits_minus_edge, snr = flux[i] / error[i];
        if (!sensible(px) || !sensible(py))
            fail(Fault::input, file, ": SOURCES: row ", i + 1, ": a place that isn't finite");
        const auto bx = float(px), by = float(py);
        rows.push_back({{bx, by, bx, by}, px, py, std::isfinite(snr) ? snr : 0});
        rows.back().magnitude = mag[i];
    }
    return rows;
}

bool has_sources(const std::string& file) {
    const auto hdus = list_hdus(file);
    return std::any_of(hdus.begin(), hdus.end(), [](const Hdu& h) { return h.matches("SOURCES"); });
}

// Another program's rows, each a star whatever it says of itself.
std::vector<Found> as_stars(std::vector<Found> rows) {
    for (Found& f : rows) f.label = 0, f.expected_stars = 1, f.chances = {};
    return rows;
}

}  // namespace

TrialCatalogue read_trial(const std::string& catalogue, const std::string& truth_file,
                          const CatalogueColumns& columns) {
    FitsImage image = read_image(truth_file);
    TrialCatalogue t;
    const Truth truth = read_truth(truth_file);
    const double zeropoint = electron_zeropoint(image);
    t.field = {image.width, image.height, {}, checked(truth_file, wanted(truth, zeropoint))};
    t.stars = {image.width, image.height, {}, checked(truth_file, wanted_stars(truth, zeropoint))};
    t.words = catalogue + ", truth " + truth_file;
    if (is_blends(catalogue)) {
        t.field.found = read_own(catalogue);
        t.has_stars = has_sources(catalogue);
        if (t.has_stars) t.stars.found = read_own_stars(catalogue);
    } else {
        FoundList list = read_foreign(catalogue, columns);
        t.field.found = std::move(list.rows), t.boxes = list.boxes;
        t.stars.found = as_stars(t.field.found);
        t.words += " (" + list.words + ")";
    }
    t.fwhm = image.number_of("PSF_FWHM").value_or(0);
    if (!(t.fwhm >= 0 && t.fwhm <= 1000)) fail(Fault::input, truth_file, ": PSF_FWHM = ", t.fwhm);
    t.image = std::move(image.pixels);
    return t;
}

}  // namespace star
