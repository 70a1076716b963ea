// From the keys of [psf] to a PSF.
#include "tools/psf_setup.h"

#include <cmath>

#include "kernels/check.h"
#include "sim/optics.h"
#include "tools/psf_file.h"

namespace star {
namespace {

Optics read_optics(Config& c, double pixel_scale) {
    Optics o;
    o.pixel_arcsec = pixel_scale;
    o.diameter_m = c.number("psf.diameter", o.diameter_m, 0.01, 100);     // m
    o.obscuration = c.number("psf.obscuration", o.obscuration, 0, 0.95);  // of the diameter
    o.vane_width = c.number("psf.vane_width", o.vane_width, 0, 1);        // of the radius, full; four in a cross
    const auto pads = c.numbers("psf.pads", {}, -2, 2);                 // x, y, radius; x, y, radius ... of the radius
    o.angle_deg = c.number("psf.pupil_angle", o.angle_deg, -360, 360);  // from the image's x towards y
    o.aberrations_nm = c.numbers("psf.aberrations", {}, -1e5, 1e5);     // nm rms: Noll's 4 (focus), 5, 6 ...
    const auto polish = c.numbers("psf.polish", {0, 1, 1.5}, 0, 1000);  // nm rms, length in m, slope
    o.wavelengths_nm = c.numbers("psf.wavelengths", o.wavelengths_nm, 10, 1e6);
    o.weights = c.numbers("psf.weights", {}, 0, 1e12);                       // photons at each; []: equal
    o.jitter_arcsec = c.number("psf.jitter", o.jitter_arcsec, 0, 100);       // rms along each axis
    o.diffusion_px = c.number("psf.diffusion_sigma", o.diffusion_px, 0, 5);  // px, rms along each axis
    if (pads.size() % 3) c.refuse("psf.pads", "needs three numbers for each pad: x, y, radius");
    for (std::size_t i = 0; i < pads.size(); i += 3) o.pads.push_back({pads[i], pads[i + 1], pads[i + 2]});
    if (polish.size() != 3) c.refuse("psf.polish", "needs three numbers: rms, length, slope");
    o.polish = {polish[0], polish[1], polish[2]};
    return o;
}

PsfFileOptions read_file_options(Config& c) {
    PsfFileOptions f;
    f.oversampling = c.number("psf.oversampling", 0, 0, 64);  // 0: the file's OVERSAMP, or 1
    f.effective = c.boolean("psf.pixel_response", true);      // the file's values include it, unless PIXRESP = F
    f.energy = c.number("psf.energy", 0, 0, 1);               // of the light that the file holds; 0: its PSFENRGY, or 1
    const auto position = c.numbers("psf.position", {}, -1e6, 1e6);  // x, y on the detector, px, in a library
    if (position.size() == 2)
        f.x = position[0], f.y = position[1];
    else if (!position.empty())
        c.refuse("psf.position", "needs two numbers: x, y");
    return f;
}

Psf diffused(const Psf& psf, const std::vector<double>& kernel, Config& c) {
    if (kernel.empty()) return psf;
    const int side = int(std::lround(std::sqrt(double(kernel.size()))));
    if (side * side != int(kernel.size()) || side % 2 == 0) c.refuse("psf.diffusion", "must be a square of odd side");
    return psf.convolved(kernel, side, side);
}

}  // namespace

std::optional<VaryingPsf> read_varying_psf(Config& c, const Exposure& exposure) {
    if (!c.boolean("psf.varying", false)) return {};
    const std::string file = c.text("psf.file", "");
    if (c.text("psf.kind", "") != "file" || file.empty() || !c.numbers("psf.diffusion", {}, 0, 1e6).empty())
        c.refuse("psf.varying", "needs psf.kind = \"file\" and in psf.file a library, without psf.diffusion");
    PsfFileOptions how = read_file_options(c);
    how.drizzle_sigma = exposure.drizzle_sigma;
    const auto native = read_psf_library(file, how);
    if (!native) fail(Fault::input, file, ": psf.varying: one PSF, not a library of them: no NXPSFS");
    VaryingPsf v;
    v.x = std::isnan(how.x) ? native->middle_x() : how.x, v.y = std::isnan(how.y) ? native->middle_y() : how.y;
    v.over_detector =
        std::make_shared<PsfField>(native->mapped([exposure](const Psf& psf) { return image_psf(psf, exposure); }));
    return v;
}

Psf read_psf(Config& c, double pixel_scale, const Exposure& exposure) {
    const std::string kind = c.choice("psf.kind", "moffat", {"gaussian", "moffat", "airy", "optical", "file"});
    const double fwhm = c.number("psf.fwhm", 2, 0.1, 50);           // px, before the pixel
    const double beta = c.number("psf.beta", 3, 1.1, 20);           // Moffat's
    const double enclosed = c.number("psf.enclosed", 0, 0, 0.99);   // instead of fwhm: this fraction ...
    const double radius = c.number("psf.radius", 0.12, 1e-3, 100);  // ... within so many arcsec, pixel included
    const Optics optics = read_optics(c, pixel_scale);
    const std::string file = c.text("psf.file", "");
    PsfFileOptions how = read_file_options(c);
    how.drizzle_sigma = exposure.drizzle_sigma;
    const auto diffusion = c.numbers("psf.diffusion", {}, 0, 1e6);  // charge diffusion: square, odd, at pixel spacing
    if (kind == "gaussian") return Psf::gaussian(fwhm);
    if (kind == "moffat")
        return enclosed > 0 ? Psf::moffat_enclosing(enclosed, radius / pixel_scale, beta) : Psf::moffat(fwhm, beta);
    if (kind == "airy") return diffused(airy_psf(optics), diffusion, c);
    if (kind == "optical") return diffused(optical_psf(optics), diffusion, c);
    if (file.empty()) c.refuse("psf.kind", "\"file\" needs psf.file, a FITS image");
    try {
        return diffused(read_psf_file(file, how), diffusion, c);
    } catch (const Error& e) {
        if (e.fault == Fault::usage) throw;
        fail(e.fault, e.what(), " (psf.file of the configuration; --set psf.file=... names another)");
    }
}

}  // namespace star
