// Files for measure_psf, and words for what it found.
#include "tools/psf_measurement.h"

#include <algorithm>
#include <array>
#include <map>

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

PsfMeasurement measured(const FitsImage& image, const PsfMeasurementOptions& o, Console& console) {
    const std::vector<std::uint8_t> mask = unusable(image, o, console);
    PsfMeasure how = o.how;
    if (!std::isnan(o.saturate))
        how.saturate = o.saturate;
    else if (const auto level = image.number_of("SATURATE"))
        how.saturate = *level;
    try {
        return measure_psf({image.pixels, mask, image.width, image.height}, how);
    } catch (const Error& e) {
        if (e.fault != Fault::input) throw;
        fail(e.fault, o.image, ": ", e.what());
    }
}

constexpr double most_bytes = 1e9;

// The zone [from, to) of `extent` px, grown on both sides and cut to the image.
struct Stretch {
    int from, to;
    Stretch grown(int by, int extent) const { return {std::max(0, from - by), std::min(extent, to + by)}; }
};

Stretch zone(int extent, int i, int count) {
    return {int(std::int64_t{extent} * i / count), int(std::int64_t{extent} * (i + 1) / count)};
}

}  // namespace

MeasuredPsf measure_psf_of(const PsfMeasurementOptions& o, Console& console) {
    const FitsImage image = o.window ? read_image(o.image, *o.window) : read_image(o.image);
    const PsfMeasurement m = measured(image, o, console);
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

MeasuredLibrary measure_psf_library_of(const PsfMeasurementOptions& options, int columns, int rows, Console& console) {
    const FitsPlane plane = describe_image(options.image, false);
    const auto [x0, y0] = origin_in_library(plane);
    PsfMeasurementOptions o = options;
    const double side = 2.0 * o.how.radius * o.how.oversampling + 1, bytes = 16 * side * side * columns * rows;
    if (bytes > most_bytes)
        fail(Fault::usage, "--grid: ", columns, "x", rows, " PSFs of ", side, "x", side, " samples take ",
             std::int64_t(bytes / 1e6), " MB; ", std::int64_t(most_bytes / 1e6), " can be had");
    MeasuredLibrary out;
    std::int64_t stars = 0;
    std::map<std::array<int, 4>, PsfMeasurement> known;  // parts that several zones fall back on
    const auto measure_part = [&](const Stretch& u, const Stretch& v) -> const PsfMeasurement& {
        const std::array<int, 4> key{u.from, u.to, v.from, v.to};
        if (const auto at = known.find(key); at != known.end()) return at->second;
        o.window = Window{u.from, v.from, u.to - u.from, v.to - v.from};
        const FitsImage image = read_image(o.image, *o.window);
        out.pixel_scale = scale_of(image);
        Console quiet(Console::Level::quiet);
        const PsfMeasurement m = measured(image, o, o.planes_said ? quiet : console);
        return known.emplace(key, m).first->second;
    };
    // Of one zone: from its own stars, whose stamps reach beyond it, or those of as small a part around it as has
    // enough.
    const auto measure_zone = [&](const Stretch& x, const Stretch& y) {
        const int own = o.how.radius + 1, half = std::max(x.to - x.from, y.to - y.from) / 2;
        for (const int by : {own, own + half, own + 2 * half, std::max(plane.width, plane.height)}) {
            const Stretch u = x.grown(by, plane.width), v = y.grown(by, plane.height);
            const bool all = u.to - u.from == plane.width && v.to - v.from == plane.height;
            try {
                const PsfMeasurement& m = measure_part(u, v);
                o.planes_said = true;
                out.widened += by > own;
                stars += m.used;
                console.say(
                    "columns {} to {}, rows {} to {}: {} stars{}; FWHM {:.3f} px; residuals {:.4f} of a peak, "
                    "of which noise {:.4f}",
                    x.from + 1, x.to, y.from + 1, y.to, m.used,
                    by > own ? fmt::format(" of columns {} to {}, rows {} to {}", u.from + 1, u.to, v.from + 1, v.to)
                             : "",
                    m.psf.fwhm(), m.residual, m.expected);
                return m.psf;
            } catch (const Error& e) {
                o.planes_said = true;
                if (e.fault != Fault::input || all) throw;
            }
        }
        fail(Fault::internal, "psf: no zone is larger than the image");
    };
    for (int i = 0; i < columns; ++i) {
        const Stretch x = zone(plane.width, i, columns);
        out.library.x.push_back(x0 + 0.5 * (x.from + x.to));
    }
    for (int j = 0; j < rows; ++j) {
        const Stretch y = zone(plane.height, j, rows);
        out.library.y.push_back(y0 + 0.5 * (y.from + y.to));
        for (int i = 0; i < columns; ++i) out.library.psfs.push_back(measure_zone(zone(plane.width, i, columns), y));
    }
    out.cards = {{"PSFIMAGE", o.image, "measured from this image"},
                 {"PSFSTARS", stars, "stars, those of two PSFs twice"},
                 {"PSFWIDE", std::int64_t(out.widened), "PSFs from a part larger than their zone"}};
    return out;
}

}  // namespace star
