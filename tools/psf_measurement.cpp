// Files for measure_psf, and words for what it found.
#include "tools/psf_measurement.h"

#include "io/fits_image.h"
#include "io/wcs.h"
#include "kernels/check.h"

namespace star {
namespace {

std::vector<std::uint8_t> read_unusable(const std::string& name, const FitsImage& image) {
    if (name.empty()) return {};
    const FitsMask mask = read_mask(name);
    if (mask.width != image.width || mask.height != image.height)
        fail(Fault::input, name, ": ", mask.width, "x", mask.height, " pixels for an image of ", image.width, "x",
             image.height);
    std::vector<std::uint8_t> bad;
    for (auto bits : mask.pixels) bad.push_back(bits != 0);
    return bad;
}

double scale_of(const FitsImage& image) {
    if (const auto wcs = Wcs::from_header(image.header)) return wcs->pixel_scale();
    return image.number_of("PIXSCALE").value_or(0);
}

}  // namespace

MeasuredPsf measure_psf_of(const PsfMeasurementOptions& o, Console& console) {
    const FitsImage image = read_image(o.image);
    const std::vector<std::uint8_t> mask = read_unusable(o.mask, image);
    PsfMeasure how = o.how;
    if (!std::isnan(o.saturate))
        how.saturate = o.saturate;
    else if (const auto level = image.number_of("SATURATE"))
        how.saturate = *level;
    const PsfMeasurement m = [&] {
        try {
            return measure_psf({image.pixels, mask, image.width, image.height}, how);
        } catch (const Error& e) {
            if (e.fault != Fault::input) throw;
            fail(e.fault, o.image, ": ", e.what());
        }
    }();
    console.say(
        "{}: {} stars ({} peaks; {} saturated or masked, {} crowded or at the edge, {} of another shape); FWHM {:.3f} "
        "px; residuals {:.4f} of a star's peak, of which noise {:.4f}",
        o.image, m.used, m.peaks, m.saturated, m.crowded, m.rejected, m.psf.fwhm(), m.residual, m.expected);
    return {m.psf,
            scale_of(image),
            {{"PSFIMAGE", o.image, "measured from this image"},
             {"PSFSTARS", std::int64_t(m.used), "stars"},
             {"PSFRESID", m.residual, "rms residual over a star's peak"},
             {"PSFNOISE", m.expected, "the same from noise alone"}}};
}

}  // namespace star
