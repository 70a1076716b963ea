// Reading PSF images and libraries.
#include "tools/psf_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "kernels/check.h"
#include "sim/psf_grid.h"

namespace star {
namespace {

double header_number(const FitsImage& image, const char* key, double standard, double min, double max) {
    const double v = image.number_of(key).value_or(standard);
    if (!(v >= min && v <= max)) fail(Fault::input, key, " = ", v, " is outside ", min, "...", max);
    return v;
}

PsfImage described(const FitsImage& image, const PsfFileOptions& o, double usual_oversampling) {
    PsfImage p;
    p.w = image.width, p.h = image.height;
    p.oversampling = o.oversampling > 0 ? o.oversampling : header_number(image, "OVERSAMP", usual_oversampling, 1, 64);
    p.values = o.effective && image.header.boolean("PIXRESP").value_or(true) ? PsfValues::effective : PsfValues::cells;
    p.recentre = !image.header.boolean("CENTRED").value_or(false);
    p.energy = o.energy > 0 ? o.energy : header_number(image, "PSFENRGY", 1, 1e-3, 1);
    return p;
}

// STDPSF libraries of ACS/WFC set one edge column of some planes to -0.1, a line between planes shown side by side.
void clear_separators(std::span<float> plane, int w, int h) {
    const auto clear = [&](std::size_t first, std::size_t step, int n) {
        for (int i = 0; i < n; ++i)
            if (plane[first + std::size_t(i) * step] != -0.1f) return;
        for (int i = 0; i < n; ++i) plane[first + std::size_t(i) * step] = 0;
    };
    const auto width = std::size_t(w);
    clear(0, width, h), clear(width - 1, width, h);
    clear(0, 1, w), clear(width * std::size_t(h - 1), 1, w);
}

std::vector<double> nodes(const FitsImage& image, const char* stem, int count) {
    std::vector<double> at;
    for (int i = 1; i <= count; ++i) {
        const std::string key = stem + std::string(i < 10 ? "0" : "") + std::to_string(i);
        const auto v = image.number_of(key);
        if (!v) fail(Fault::input, "a PSF library without ", key);
        at.push_back(*v);
    }
    return at;
}

// The libraries' own spelling ends in a small s, which FITS doesn't know.
const char* count_key(const FitsImage& image, bool x) {
    if (x) return image.number_of("NXPSFs") ? "NXPSFs" : "NXPSFS";
    return image.number_of("NYPSFs") ? "NYPSFs" : "NYPSFS";
}

// Anderson's libraries. The field keeps the image alive; a fault of a node is found when it is made.
PsfField library_of(const std::string& name, std::shared_ptr<FitsImage> image, const PsfFileOptions& o) {
    const int nx = int(header_number(*image, count_key(*image, true), 0, 1, 64)),
              ny = int(header_number(*image, count_key(*image, false), 0, 1, 64));
    if (std::int64_t(nx) * ny != image->planes)
        fail(Fault::input, "NXPSFS x NYPSFS = ", nx, " x ", ny, " PSFs, but NAXIS3 = ", image->planes);
    auto x = nodes(*image, "IPSFX", nx), y = nodes(*image, "JPSFY", ny);
    PsfImage p = described(*image, o, 4);
    p.recentre = false;  // where the star is relative to a node is part of the library's meaning
    const std::size_t size = std::size_t(image->width) * image->height;
    for (int i = 0; i < nx * ny; ++i)
        clear_separators(std::span(image->pixels.data() + std::size_t(i) * size, size), p.w, p.h);
    return {std::move(x), std::move(y), [name, image, p, nx, size](int ix, int iy) {
                PsfImage node = p;
                node.pixels = std::span<const float>(image->pixels.data() + std::size_t(iy * nx + ix) * size, size);
                try {
                    return Psf::from_image(node);
                } catch (const Error& e) {
                    fail(e.fault, name, ": PSF ", ix + 1, ", ", iy + 1, " of its library: ", e.what());
                }
            }};
}

bool is_library(const FitsImage& image) { return image.number_of(count_key(image, true)).has_value(); }

// What a file says of its PSFs, read with its name in every complaint.
template <class Read>
auto reading(const std::string& name, const PsfFileOptions& o, Read&& read) {
    const auto image = std::make_shared<FitsImage>(read_cube(name));
    try {
        if (o.drizzle_sigma > 0 && image->number_of("DRZSIGMA").value_or(0) > 0)
            fail(Fault::input,
                 "this PSF includes the drizzle's blur already (DRZSIGMA): write it with --native, or set "
                 "exposure.drizzle_sigma to 0");
        return read(image);
    } catch (const Error& e) {
        if (std::string(e.what()).rfind(image->file, 0) == 0) throw;
        fail(e.fault == Fault::internal ? Fault::input : e.fault, name, ": ", e.what());
    }
}

}  // namespace

Psf read_psf_file(const std::string& name, const PsfFileOptions& o) {
    return reading(name, o, [&](const std::shared_ptr<FitsImage>& image) {
        if (is_library(*image)) {
            const PsfField field = library_of(name, image, o);
            return field.at(std::isnan(o.x) ? field.middle_x() : o.x, std::isnan(o.y) ? field.middle_y() : o.y);
        }
        if (image->planes != 1)
            fail(Fault::input, "NAXIS3 = ", image->planes, ", but no NXPSFS: neither a PSF nor a library of them");
        PsfImage p = described(*image, o, 1);
        p.pixels = image->pixels;
        return Psf::from_image(p);
    });
}

std::optional<PsfField> read_psf_library(const std::string& name, const PsfFileOptions& o) {
    return reading(name, o, [&](const std::shared_ptr<FitsImage>& image) -> std::optional<PsfField> {
        if (!is_library(*image)) return std::nullopt;
        return library_of(name, image, o);
    });
}

std::array<double, 2> origin_in_library(const FitsPlane& image) {
    const auto shift = [&](const char* key) {
        const double v = image.number_of(key).value_or(0);
        if (!(std::fabs(v) <= 1e6)) fail(Fault::input, image.header.where, ": ", key, " = ", v, " is outside +-1e6");
        return 0 - v;
    };
    for (const char* key : {"LTM1_1", "LTM2_2"})
        if (const double v = image.number_of(key).value_or(1); v != 1)
            fail(Fault::input, image.header.where, ": ", key, " = ", v,
                 ": pixels that are binned or turned have no place in a library over the detector");
    return {shift("LTV1"), shift("LTV2")};
}

PsfCube psf_cube(const PsfLibrary& l, double pixel_scale) {
    require(!l.psfs.empty() && l.psfs.size() == l.x.size() * l.y.size() && std::max(l.x.size(), l.y.size()) <= 64,
            "PSF library: ", l.psfs.size(), " PSFs on ", l.x.size(), "x", l.y.size(), " nodes");
    PsfCube c;
    const Psf& first = l.psfs[0];
    c.side = 2 * first.half() + 1;
    for (const Psf& psf : l.psfs) {
        require(psf.half() == first.half() && psf.oversampling() == first.oversampling(),
                "PSF library: PSFs of different sizes");
        require(std::fabs(psf.energy() - first.energy()) < 1e-6, "PSF library: energies of ", psf.energy(), " and ",
                first.energy());
        c.pixels.insert(c.pixels.end(), psf.samples().begin(), psf.samples().end());
    }
    c.cards = {{"NXPSFS", std::int64_t(l.x.size()), "PSFs along x"},
               {"NYPSFS", std::int64_t(l.y.size()), "PSFs along y"}};
    const auto nodes = [&](const char* stem, const std::vector<double>& at, const char* words) {
        for (std::size_t i = 0; i < at.size(); ++i)
            c.cards.push_back({fmt::format("{}{:02d}", stem, i + 1), at[i], words});
    };
    nodes("IPSFX", l.x, "[pix] of the detector");
    nodes("JPSFY", l.y, "[pix] of the detector");
    c.cards.push_back({"OVERSAMP", std::int64_t(first.oversampling()), "samples per detector pixel"});
    c.cards.push_back({"PIXSCALE", pixel_scale, "[arcsec/pix] of the detector"});
    c.cards.push_back({"PIXRESP", true, "pixel response included: effective PSFs"});
    c.cards.push_back({"PSFENRGY", std::min(1.0, first.energy()), "fraction of a star's light in each plane"});
    return c;
}

PsfPicture psf_picture(const Psf& psf, double pixel_scale) {
    PsfPicture p;
    p.side = 2 * psf.half() + 1;
    double sum = 0;
    for (double v : psf.samples()) sum += v;
    for (double v : psf.samples()) p.pixels.push_back(float(v / sum));
    p.cards = {{"OVERSAMP", std::int64_t(psf.oversampling()), "samples per detector pixel"},
               {"PIXSCALE", pixel_scale, "[arcsec/pix] of the detector"},
               {"CENTRED", true, "the star is in the middle"},
               {"PIXRESP", true, "pixel response included: an effective PSF"},
               {"PSFENRGY", std::min(1.0, psf.energy()), "fraction of a star's light in this image"},
               {"PSF_FWHM", psf.fwhm(), "[pix] azimuthal average"}};
    return p;
}

}  // namespace star
