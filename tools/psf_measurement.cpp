// Files for measure_psf, and words for what it found.
#include "tools/psf_measurement.h"

#include "io/fits_image.h"
#include "io/wcs.h"
#include "kernels/check.h"
#include "tools/noise_map.h"

namespace star {
namespace {

// What no star may touch: bad and saturated pixels, and those without weight.
std::vector<std::uint8_t> unusable(const FitsImage& image, const PsfMeasurementOptions& o, Console& console) {
    Console quiet(Console::Level::quiet);
    Planes planes = read_planes(o.image, o.window, o.planes, o.planes_said ? quiet : console);
    if (!planes.noise) return planes.states;
    const NoiseMap map = noise_map(*planes.noise, planes.weight, image, planes.states);
    planes.states.resize(image.pixels.size());
    for (std::size_t i = 0; i < planes.states.size(); ++i)
        if (!std::isfinite(map.variance[i])) planes.states[i] |= pixel_bad;
    return planes.states;
}

double scale_of(const FitsImage& image) {
    if (const auto wcs = Wcs::from_header(image.header)) return wcs->pixel_scale();
    return image.number_of("PIXSCALE").value_or(0);
}

}  // namespace

MeasuredPsf measure_psf_of(const PsfMeasurementOptions& o, Console& console) {
    const FitsImage image = o.window ? read_image(o.image, *o.window) : read_image(o.image);
    const std::vector<std::uint8_t> mask = unusable(image, o, console);
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
