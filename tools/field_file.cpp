// FITS and PNG of a field.
#include "tools/field_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "io/fits_writer.h"
#include "io/png.h"
#include "tools/truth.h"

namespace star {

void write_field(const std::string& path, bool overwrite, const Field& field, const Setup& setup,
                 const std::vector<Card>& cards) {
    const Exposure& e = setup.instrument.exposure;
    const int w = field.width, h = field.height;
    std::vector<Card> all = cards;
    const std::string unit = e.rate ? "electron/s" : "adu";
    all.insert(all.end(), {{"BUNIT", unit, ""},
                           {"EXPTIME", e.exptime_s, "[s] total"},
                           {"NCOMBINE", std::int64_t(e.exposures), "exposures added up"},
                           {"GAIN", e.gain, "[electron/adu]"},
                           {"RDNOISE", e.read_noise, "[electron] rms per exposure"},
                           {"SATURATE", saturation_level(e), "level at which pixels clip"},
                           {"MAGZERO", e.zeropoint + (e.rate ? 0 : 2.5 * std::log10(e.exptime_s / e.gain)),
                            "[mag] of one unit of the image"},
                           {"MAGSYS", std::string("AB"), ""},
                           {"PIXSCALE", setup.instrument.pixel_scale, "[arcsec/pix]"},
                           {"PSF_FWHM", image_psf(setup.instrument.psf, e).fwhm(), "[pix] azimuthal average"}});
    FitsWriter out(path, overwrite);
    out.image("", field.image, w, h, all);
    out.image("VARIANCE", field.variance, w, h,
              {{"BUNIT", e.rate ? std::string("electron2/s2") : std::string("adu2"), "of the noise, expected"}});
    out.mask("MASK", field.mask, w, h, {{"SATURAT", std::int64_t(mask_saturated), "value where a pixel clipped"}});
    out.table(truth_units(field.truth));
    out.table(truth_stars(field.truth, e));
    if (setup.scene.galaxies) out.table(truth_galaxies(field.scene.galaxies));
    out.commit();
}

std::string field_png(const Field& field, const Exposure& exposure) {
    const double sky = background_level(exposure), sigma = background_sigma(exposure);
    const auto stretched = [&](double v) { return std::asinh((v - sky) / (5 * sigma)); };
    std::vector<float> sorted = field.image;
    const auto top = sorted.begin() + std::ptrdiff_t(0.999 * double(sorted.size() - 1));
    std::nth_element(sorted.begin(), top, sorted.end());
    const double low = stretched(sky - sigma), high = std::max(stretched(*top), stretched(sky + 5 * sigma));
    std::vector<std::uint8_t> grey;
    grey.reserve(field.image.size());
    for (int y = field.height - 1; y >= 0; --y)  // FITS counts rows from below
        for (int x = 0; x < field.width; ++x) {
            const double v = stretched(field.image[std::size_t(y) * std::size_t(field.width) + std::size_t(x)]);
            grey.push_back(std::uint8_t(std::lround(255 * std::clamp((v - low) / (high - low), 0.0, 1.0))));
        }
    return encode_png(grey, field.width, field.height);
}

std::string field_summary(const Field& field, const Exposure& e, double fwhm) {
    int ignored = 0, soft = 0, percolated = 0;
    std::size_t counting = 0;
    for (const TruthUnit& u : field.truth.units) ignored += u.label < 0, soft += u.soft, percolated += u.percolated;
    for (const TruthStar& s : field.truth.stars) counting += s.counts && s.unit >= 0;
    std::string sizes;
    for (int k = 1; k <= 5; ++k) {
        const auto of_size = [k](const TruthUnit& u) { return u.label == k - 1; };
        sizes += fmt::format("{}{}", k > 1 ? " / " : "",
                             std::count_if(field.truth.units.begin(), field.truth.units.end(), of_size));
    }
    return fmt::format(
        "{}x{} px, {} units: {} of 1 / 2 / 3 / 4 / 5+ stars, {} too faint to ask for ({} with a star that may or may "
        "not count, {} split from larger ones); {} stars of which {} count; PSF FWHM {:.2f} px, sky {:.4g}, noise "
        "{:.4g} {} per pixel",
        field.width, field.height, field.truth.units.size(), sizes, ignored, soft, percolated, field.scene.stars.size(),
        counting, fwhm, background_level(e), background_sigma(e), e.rate ? "e/s" : "ADU");
}

}  // namespace star
