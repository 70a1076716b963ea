// Rows checked on the way in, so that scoring meets no surprise.
#include "tools/trial_catalogue.h"

#include <algorithm>
#include <cmath>

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
double electron_zeropoint(const FitsPlane& image) {
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
        f.magnitude = b.magnitude, f.fitted = b.fitted;
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

// Another program's rows, each a star whatever it says of itself.
std::vector<Found> as_stars(std::vector<Found> rows) {
    for (Found& f : rows) f.label = 0, f.expected_stars = 1, f.chances = {};
    return rows;
}

}  // namespace

int count_trial_truths(const std::string& file) { return describe_cube(file).planes; }

std::vector<TrialTruth> read_trial_truths(const std::string& file, bool images) {
    const FitsPlane header = describe_cube(file);
    const std::vector<Truth> truths = read_truths(file);
    if (truths.size() != std::size_t(header.planes))
        fail(Fault::input, file, ": NAXIS3: ", header.planes, " planes, but the truth of ", truths.size());
    const double zeropoint = electron_zeropoint(header), fwhm = header.number_of("PSF_FWHM").value_or(0);
    if (!(fwhm >= 0 && fwhm <= 1000)) fail(Fault::input, file, ": PSF_FWHM = ", fwhm);
    const std::vector<float> cube = images ? read_cube(file).pixels : std::vector<float>{};
    const std::ptrdiff_t pixels = std::ptrdiff_t(header.width) * header.height;
    std::vector<TrialTruth> all;
    for (std::size_t i = 0; i < truths.size(); ++i) {
        TrialTruth t{file, header.width, header.height, fwhm, {}, {}, {}};
        if (truths.size() > 1) t.name += ", plane " + std::to_string(i + 1);
        const auto first = cube.begin() + std::ptrdiff_t(i) * pixels;
        if (images) t.image.assign(first, first + pixels);
        t.units = checked(t.name, wanted(truths[i], zeropoint));
        t.stars = checked(t.name, wanted_stars(truths[i], zeropoint));
        all.push_back(std::move(t));
    }
    return all;
}

TrialCatalogue read_trial(const std::string& catalogue, TrialTruth truth, const CatalogueColumns& columns) {
    TrialCatalogue t;
    t.field = {truth.width, truth.height, {}, std::move(truth.units)};
    t.stars = {truth.width, truth.height, {}, std::move(truth.stars)};
    t.words = catalogue + ", truth " + truth.name;
    if (is_blends(catalogue)) {
        t.field.found = read_own(catalogue);
        t.has_stars = has_table(catalogue, "SOURCES");
        if (t.has_stars) t.stars.found = read_own_stars(catalogue);
    } else {
        FoundList list = read_foreign(catalogue, columns);
        t.field.found = std::move(list.rows), t.boxes = list.boxes;
        t.stars.found = as_stars(t.field.found);
        t.words += " (" + list.words + ")";
    }
    t.fwhm = truth.fwhm;
    t.image = std::move(truth.image);
    return t;
}

}  // namespace star
