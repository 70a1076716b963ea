// Five numbers of the image beside five of the training.
#include "tools/domain.h"

#include <algorithm>

#include "kernels/check.h"
#include "sim/psf_measure.h"
#include "tools/setup.h"

namespace star {
namespace {

constexpr int most_measured = 1024;  // px a side: enough stars, in a second

bool apart(double a, double b, double ratio) { return std::fabs(std::log(a / b)) > std::log(ratio); }

// Width of the stars in the middle of the image; NaN where too few stand alone.
double measured_fwhm(const Observation& o) {
    const int w = std::min(o.image.width, most_measured), h = std::min(o.image.height, most_measured);
    const int x0 = (o.image.width - w) / 2, y0 = (o.image.height - h) / 2;
    std::vector<float> pixels;
    std::vector<std::uint8_t> mask;
    for (int y = y0; y < y0 + h; ++y)
        for (int x = x0; x < x0 + w; ++x) {
            const std::size_t i = std::size_t(y) * std::size_t(o.image.width) + std::size_t(x);
            pixels.push_back(o.image.pixels[i]);
            mask.push_back(o.state(i));
        }
    try {
        return measure_psf({pixels, mask, w, h}, {}).psf.fwhm();
    } catch (const Error&) {
        return NAN;  // crowded or empty: it doesn't tell
    }
}

}  // namespace

Domain domain_of(const Model& model, ThreadPool& pool) {
    Domain d;
    d.pixel_scale = model.pixel_scale, d.psf_fwhm = model.procedure.psf_fwhm;
    const double sigma = background_sigma(model.exposure);
    d.noise = native_sigma(model.exposure);
    if (sigma > 0) d.brightest = (saturation_level(model.exposure) - background_level(model.exposure)) / sigma;
    try {
        Config c;
        c.load_text(model.config, model.name);
        const Setup setup = read_setup(std::move(c));
        const FieldSpec spec{128, 128, setup.margin, 1, 0};
        const Field field = setup.simulator().plan(pool, spec);
        d.density = double(field.truth.units.size()) / (128.0 * 128.0);
    } catch (const Error&) {
        // A PSF or a list of stars that isn't here.
    }
    return d;
}

double pixel_scale_of(const FitsPlane& image) {
    if (const auto wcs = Wcs::from_header(image.header)) return wcs->pixel_scale();
    return image.number_of("PIXSCALE").value_or(NAN);
}

Domain domain_of(const Observation& o) {
    Domain d;
    d.pixel_scale = pixel_scale_of(o.image);
    d.psf_fwhm = measured_fwhm(o);
    return d;
}

void add_sky(Domain& d, const Observation& o, const WholeSky& sky, std::size_t units) {
    if (!sky.usable) return;
    d.density = double(units) / double(sky.usable);
    const double independent = sky.sigma / (sky.estimated ? 1 : o.noise.correlation);
    if (o.noise.electrons_per_unit > 0) d.noise = independent * o.noise.electrons_per_unit;
    if (std::isfinite(o.saturate.value)) d.brightest = (o.saturate.value - sky.background) / sky.sigma;
}

std::vector<std::string> departures(const Domain& image, const Domain& training) {
    std::vector<std::string> out;
    if (apart(image.pixel_scale, training.pixel_scale, other_pixels))
        out.push_back(fmt::format("pixels of {:.3g}\" ({:.3g}\")", image.pixel_scale, training.pixel_scale));
    if (apart(image.psf_fwhm, training.psf_fwhm, 1.25))
        out.push_back(fmt::format("stars of FWHM {:.2f} px ({:.2f})", image.psf_fwhm, training.psf_fwhm));
    if (apart(image.noise, training.noise, 3))
        out.push_back(fmt::format("noise of {:.3g} electrons ({:.3g})", image.noise, training.noise));
    if (image.density > 0 && (image.density > 2 * training.density || image.density < training.density / 50))
        out.push_back(fmt::format("{:.2g} units per pixel ({:.2g})", image.density, training.density));
    if (image.brightest > 3 * training.brightest)
        out.push_back(fmt::format("saturation {:.3g} times the noise ({:.3g})", image.brightest, training.brightest));
    return out;
}

}  // namespace star
