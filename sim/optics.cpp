// The pupil, the band, and the PSF they make.
#include "sim/optics.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>

#include "kernels/types.h"
#include "sim/optics_diffraction.h"
#include "sim/optics_zernike.h"

namespace star {
namespace {

constexpr double radians_per_arcsec = std::numbers::pi / 648000;
constexpr int subcells = 4;  // along each axis of a pupil cell, to know the share of it that is open
constexpr int most_cells = 2048;

void within(const char* what, double value, double min, double max) {
    if (!(value >= min && value <= max))
        fail(Fault::usage, "PSF: ", what, " of ", value, " is outside ", min, "...", max);
}

void check(const Optics& o) {
    within("a diameter (m)", o.diameter_m, 0.01, 100);
    within("an obscuration", o.obscuration, 0, 0.95);
    within("a vane width", o.vane_width, 0, 1);
    within("an angle (deg)", o.angle_deg, -360, 360);
    within("a pixel (arcsec)", o.pixel_arcsec, 1e-4, 100);
    within("a jitter (arcsec)", o.jitter_arcsec, 0, 5 * o.pixel_arcsec);
    within("a charge diffusion (px)", o.diffusion_px, 0, 5);
    within("a polish rms (nm)", o.polish.rms_nm, 0, 200);
    within("a polish length (m)", o.polish.length_m, 1e-3, 10);
    within("a polish slope", o.polish.slope, 1.1, 10);
    within("the number of pads", double(o.pads.size()), 0, 100);
    for (const Pad& p : o.pads)
        within("a pad's x", p.x, -2, 2), within("a pad's y", p.y, -2, 2), within("a pad's radius", p.radius, 0, 2);
    within("the number of aberrations", double(o.aberrations_nm.size()), 0, 228);
    for (double a : o.aberrations_nm) within("an aberration (nm)", a, -1e5, 1e5);
    within("the number of wavelengths", double(o.wavelengths_nm.size()), 1, 32);
    for (double l : o.wavelengths_nm) within("a wavelength (nm)", l, 10, 1e6);
    if (o.weights.empty()) return;
    if (o.weights.size() != o.wavelengths_nm.size())
        fail(Fault::usage, "PSF: ", o.weights.size(), " weights for ", o.wavelengths_nm.size(), " wavelengths");
    double sum = 0;
    for (double w : o.weights) within("a weight", w, 0, 1e12), sum += w;
    if (!(sum > 0)) fail(Fault::usage, "PSF: the wavelengths' weights sum to ", sum);
}

bool open(const Optics& o, double x, double y) {
    const double r2 = x * x + y * y;
    if (r2 > 1 || r2 < o.obscuration * o.obscuration) return false;
    if (std::min(std::fabs(x), std::fabs(y)) < 0.5 * o.vane_width) return false;
    for (const Pad& p : o.pads)
        if ((x - p.x) * (x - p.x) + (y - p.y) * (y - p.y) < p.radius * p.radius) return false;
    return true;
}

struct Pupil {
    int cells;
    std::vector<double> share, wavefront_nm;  // of a cell that is open; at its centre
    double area = 0;                          // sum of the shares
};

Pupil make_pupil(const Optics& o, int cells) {
    Pupil p{cells, std::vector<double>(std::size_t(cells) * cells), {}, 0};
    p.wavefront_nm = p.share;
    const double c = std::cos(o.angle_deg * std::numbers::pi / 180), s = std::sin(o.angle_deg * std::numbers::pi / 180);
    std::vector<std::pair<double, Zernike>> terms;
    for (std::size_t i = 0; i < o.aberrations_nm.size(); ++i)
        if (o.aberrations_nm[i] != 0) terms.emplace_back(o.aberrations_nm[i], Zernike(int(i) + 4, o.obscuration));
    for (int row = 0; row < cells; ++row)
        for (int column = 0; column < cells; ++column) {
            int hits = 0;
            for (int k = 0; k < subcells * subcells; ++k) {
                const double x = 2 * (column + (k % subcells + 0.5) / subcells) / cells - 1;
                const double y = 2 * (row + (k / subcells + 0.5) / subcells) / cells - 1;
                hits += open(o, c * x + s * y, c * y - s * x);
            }
            if (!hits) continue;
            const std::size_t at = std::size_t(row) * cells + column;
            p.area += p.share[at] = double(hits) / (subcells * subcells);
            const double x = (2 * column + 1.0) / cells - 1, y = (2 * row + 1.0) / cells - 1;
            for (const auto& [nm, z] : terms) p.wavefront_nm[at] += nm * z.at(c * x + s * y, c * y - s * x);
        }
    if (!(p.area > 0)) fail(Fault::usage, "PSF: nothing of the pupil is open");
    return p;
}

// Where the light of one wavelength falls: fractions per square pixel at `per_pixel` samples per pixel, added to `sum`.
void add_wavelength(std::vector<double>& sum, const Optics& o, const Pupil& pupil, double nm, double weight, int half,
                    int per_pixel) {
    const double lambda_over_d_px = nm * 1e-9 / o.diameter_m / (o.pixel_arcsec * radians_per_arcsec);
    const double step = 1 / (per_pixel * lambda_over_d_px);  // in lambda / D
    std::vector<std::complex<double>> field(pupil.share.size());
    for (std::size_t i = 0; i < field.size(); ++i)
        if (pupil.share[i] > 0)
            field[i] = std::polar(pupil.share[i], 2 * std::numbers::pi * pupil.wavefront_nm[i] / nm);
    const std::vector<double> intensity = diffracted(field, pupil.cells, half, step);

    const double period_px = pupil.cells * lambda_over_d_px;  // after which the sampled pupil's image repeats
    const double scattered = -std::expm1(-std::pow(2 * std::numbers::pi * o.polish.rms_nm / nm, 2));
    const double direct = weight * (1 - scattered) / (period_px * period_px * pupil.area);
    const double a = nm * 1e-9 / o.polish.length_m / (o.pixel_arcsec * radians_per_arcsec), beta = o.polish.slope;
    const double halo = weight * scattered * (beta - 1) / (std::numbers::pi * a * a);
    // A cell that is one number instead of an open square loses this much amplitude towards large angles.
    std::vector<double> whole(std::size_t(half) + 1, 1.0);
    for (int i = 1; i <= half; ++i) {
        const double t = std::numbers::pi * i / per_pixel / period_px;
        whole[std::size_t(i)] = t / std::sin(t) * (t / std::sin(t));
    }
    for (int y = -half; y <= half; ++y)
        for (int x = -half; x <= half; ++x) {
            const std::size_t at = std::size_t(y + half) * (2 * half + 1) + x + half;
            sum[at] += direct * intensity[at] * whole[std::size_t(std::abs(x))] * whole[std::size_t(std::abs(y))];
            if (halo > 0) {
                const double r2 = (double(x) * x + double(y) * y) / (double(per_pixel) * per_pixel);
                sum[at] += halo * std::pow(1 + r2 / (a * a), -beta);
            }
        }
}

}  // namespace

Psf optical_psf(const Optics& o, PsfGrid grid) {
    check(o);
    within("a table radius (px)", grid.radius_px, 1, 200);
    const auto [shortest, longest] = std::minmax_element(o.wavelengths_nm.begin(), o.wavelengths_nm.end());
    // The intensity holds no structure finer than lambda / D: two samples of it per lambda / D know everything.
    const double band_limit = 2 * o.pixel_arcsec * radians_per_arcsec * o.diameter_m / (*shortest * 1e-9);
    if (band_limit > 32)
        fail(Fault::usage, "PSF: a pixel of ", o.pixel_arcsec, " arcsec is ", band_limit / 2,
             " times lambda / D; at most 16 can be done: take a Gaussian or a Moffat");
    const int k = grid.oversampling ? grid.oversampling : std::clamp(int(std::ceil(1.5 * band_limit)), 4, 32);
    if (k < band_limit || k > 32 || grid.radius_px * k > 1023)
        fail(Fault::usage, "PSF: an oversampling of ", k, " over ", grid.radius_px,
             " px: it must be between the band limit, ", band_limit, ", and 32, and the product at most 1023");
    const int half = int(std::ceil(grid.radius_px * k));
    // The sampled pupil's image repeats after `cells` lambda / D: no nearer to the table's edge than 1.5 times its
    // radius.
    const double reach = 2.5 * grid.radius_px * band_limit / 2;
    if (reach > most_cells)
        fail(Fault::usage, "PSF: a table of ", grid.radius_px, " px reaches too many times lambda / D");
    const Pupil pupil = make_pupil(o, std::max(256, int(std::ceil(reach / 2)) * 2));

    double total = 0;
    for (std::size_t i = 0; i < o.wavelengths_nm.size(); ++i) total += o.weights.empty() ? 1 : o.weights[i];
    std::vector<double> light(std::size_t(2 * half + 1) * (2 * half + 1));
    for (std::size_t i = 0; i < o.wavelengths_nm.size(); ++i)
        if (const double weight = (o.weights.empty() ? 1 : o.weights[i]) / total; weight > 0)
            add_wavelength(light, o, pupil, o.wavelengths_nm[i], weight, half, k);

    double held = 0;
    for (double v : light) held += v;
    held /= double(k) * k;
    const std::vector<float> pixels(light.begin(), light.end());
    PsfImage image;
    image.pixels = pixels;
    image.w = image.h = 2 * half + 1;
    image.oversampling = k;
    image.values = PsfValues::points;
    image.blur_px = std::hypot(o.jitter_arcsec / o.pixel_arcsec, o.diffusion_px);
    image.energy = std::min(1.0, held);
    return Psf::from_image(image);
}

Psf airy_psf(const Optics& optics, PsfGrid grid) {
    Optics perfect = optics;
    perfect.vane_width = 0;
    perfect.pads.clear();
    perfect.aberrations_nm.clear();
    perfect.polish = {};
    return optical_psf(perfect, grid);
}

}  // namespace star
