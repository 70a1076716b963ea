// Where PSFs come from: Gaussians, Moffats and images.
#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/types.h"
#include "sim/psf.h"
#include "sim/spline.h"

namespace star {
namespace {

// Checks the numbers and returns the table's samples per pixel.
int oversampling_for(double fwhm, PsfGrid grid) {
    if (!(fwhm >= 0.1 && fwhm <= 50)) fail(Fault::usage, "PSF: a FWHM of ", fwhm, " px is outside 0.1...50");
    if (!(grid.radius_px >= 1 && grid.radius_px <= 200))
        fail(Fault::usage, "PSF: a table radius of ", grid.radius_px, " px is outside 1...200");
    if (grid.oversampling < 0 || grid.oversampling > 32)
        fail(Fault::usage, "PSF: an oversampling of ", grid.oversampling, " is outside 0...32");
    const int k = grid.oversampling ? grid.oversampling : std::clamp(int(std::ceil(8 / fwhm)), 2, 16);
    if (grid.radius_px * k > 2000)
        fail(Fault::usage, "PSF: a table radius of ", grid.radius_px, " px at ", k,
             " samples per pixel; the product may be 2000");
    return k;
}

void check_beta(double beta) {
    if (!(beta >= 1.1 && beta <= 20)) fail(Fault::usage, "PSF: a Moffat beta of ", beta, " is outside 1.1...20");
}

// The flux centroid within the largest square window around it that the image holds: wings cut on one side don't pull.
struct Point {
    double x, y;
};

Point centroid(const PsfImage& image) {
    const auto brightest = std::max_element(image.pixels.begin(), image.pixels.end()) - image.pixels.begin();
    Point at{double(brightest % image.w), double(brightest / image.w)};
    for (int round = 0; round < 100; ++round) {
        const double half = 0.5 + std::min({at.x, at.y, image.w - 1 - at.x, image.h - 1 - at.y});
        const auto inside = [half](double i, double centre) {
            return std::clamp(std::min(i + 0.5, centre + half) - std::max(i - 0.5, centre - half), 0.0, 1.0);
        };
        double sum = 0, x = 0, y = 0;
        for (int i = 0; i < image.h; ++i) {
            const double wy = inside(i, at.y);
            for (int j = 0; wy > 0 && j < image.w; ++j) {
                const double v = wy * inside(j, at.x) * image.pixels[std::size_t(i) * image.w + j];
                sum += v, x += v * j, y += v * i;
            }
        }
        const Point next{x / sum, y / sum};
        if (!(sum > 0 && next.x >= 0 && next.y >= 0 && next.x <= image.w - 1 && next.y <= image.h - 1))
            fail(Fault::input, "PSF image: its flux has no centroid inside it");
        const double step = std::max(std::fabs(next.x - at.x), std::fabs(next.y - at.y));
        at = next;
        if (step < 1e-9) break;
    }
    return at;
}

// The flux in a whole pixel centred t samples from the centre of one spline.
double pixel_weight(double t, double oversampling, PsfValues values) {
    if (values == PsfValues::effective) return spline(t);
    if (values == PsfValues::points)
        return spline_integral(t + oversampling / 2) - spline_integral(t - oversampling / 2);
    double weight = 0;  // the pixel is this many cells side by side
    for (int k = 0; k < int(oversampling); ++k) weight += spline(t - (k - (oversampling - 1) / 2));
    return weight;
}

// A Gaussian of this sigma as weighted shifts: the trapezoidal rule at half a sigma, exact to 1e-8 on smooth functions.
struct Shift {
    double by, weight;
};

std::vector<Shift> gaussian_shifts(double sigma) {
    if (!(sigma > 0)) return {{0, 1}};
    std::vector<Shift> shifts;
    for (int q = -12; q <= 12; ++q)
        shifts.push_back({0.5 * q * sigma, 0.5 * std::exp(-0.125 * q * q) / std::sqrt(2 * std::numbers::pi)});
    return shifts;
}

// Weights on spline coefficients that give the blurred flux in a whole pixel centred at sample coordinate u.
Filter pixel_filter(double u, double oversampling, PsfValues values, std::span<const Shift> blur) {
    const double reach = blur.back().by + (values == PsfValues::effective ? 2 : 2 + oversampling / 2);
    Filter f{int(std::floor(u - reach)), {}};
    for (int i = f.first; i <= u + reach; ++i) {
        double weight = 0;
        for (const Shift& s : blur) weight += s.weight * pixel_weight(u - i - s.by, oversampling, values);
        f.weights.push_back(weight);
    }
    return f;
}

}  // namespace

Psf Psf::gaussian(double fwhm, PsfGrid grid) {
    const int k = oversampling_for(fwhm, grid);
    const double sigma = fwhm / std::sqrt(8 * std::log(2.0)), scale = 1 / (sigma * std::sqrt(2.0));
    const int half = int(std::ceil(std::min(grid.radius_px, 7 * sigma + 1) * k)), size = 2 * half + 1;
    std::vector<double> line, samples;
    for (int i = -half; i <= half; ++i) {
        const double x = double(i) / k;
        line.push_back(0.5 * (std::erf((x + 0.5) * scale) - std::erf((x - 0.5) * scale)));
    }
    samples.reserve(std::size_t(size) * size);
    for (double y : line)
        for (double x : line) samples.push_back(y * x);
    return from_samples(std::move(samples), half, k);
}

Psf Psf::from_moffat(double fwhm, double beta, int k, double radius) {
    const double a = fwhm / (2 * std::sqrt(std::pow(2.0, 1 / beta) - 1));
    const double norm = (beta - 1) / (std::numbers::pi * a * a);
    // Flux in cells of half a table spacing over one quadrant, by 2x2 Gauss-Legendre points; a pixel is 2k x 2k cells.
    const int half = int(std::ceil(radius * k)), cells = 2 * half + k;
    const double h = 0.5 / k, g = h / (2 * std::sqrt(3.0));
    std::vector<double> sums(std::size_t(cells + 1) * (cells + 1));  // sums[y][x]: flux in the first y rows, x columns
    const auto sum = [&](int y, int x) -> double& { return sums[std::size_t(y) * (cells + 1) + x]; };
    for (int y = 0; y < cells; ++y)
        for (int x = 0; x < cells; ++x) {
            double flux = 0;
            for (double v : {(y + 0.5) * h - g, (y + 0.5) * h + g})
                for (double u : {(x + 0.5) * h - g, (x + 0.5) * h + g})
                    flux += std::exp(-beta * std::log1p((u * u + v * v) / (a * a)));
            sum(y + 1, x + 1) = sum(y, x + 1) + sum(y + 1, x) - sum(y, x) + flux * norm * h * h / 4;
        }
    // From -y cells to y cells a quadrant's sum counts with the signs of y and x.
    const auto corner = [&](int y, int x) {
        return (y < 0) == (x < 0) ? sum(std::abs(y), std::abs(x)) : -sum(std::abs(y), std::abs(x));
    };
    std::vector<double> samples;
    samples.reserve(std::size_t(2 * half + 1) * (2 * half + 1));
    for (int y = -half; y <= half; ++y)
        for (int x = -half; x <= half; ++x)
            samples.push_back(corner(2 * y + k, 2 * x + k) - corner(2 * y - k, 2 * x + k) -
                              corner(2 * y + k, 2 * x - k) + corner(2 * y - k, 2 * x - k));
    return from_samples(std::move(samples), half, k);
}

Psf Psf::moffat(double fwhm, double beta, PsfGrid grid) {
    check_beta(beta);
    return from_moffat(fwhm, beta, oversampling_for(fwhm, grid), grid.radius_px);
}

Psf Psf::moffat_enclosing(double fraction, double radius, double beta, PsfGrid grid) {
    check_beta(beta);
    if (!(fraction > 0 && fraction < 1 && radius > 0.1 && radius <= 20))
        fail(Fault::usage, "PSF: can't put ", fraction, " of the energy within ", radius, " px");
    // Enclosed energy falls as the FWHM grows. A small, fine table is enough to know it.
    const auto enclosed = [&](double fwhm) {
        return from_moffat(fwhm, beta, 12, std::ceil(radius) + 1).enclosed(radius);
    };
    double narrow = 0.1, wide = std::min(50.0, 8 * radius);
    if (!(enclosed(narrow) > fraction && enclosed(wide) < fraction))
        fail(Fault::usage, "PSF: no Moffat of beta ", beta, " has ", fraction, " of its energy within ", radius,
             " px: the pixel alone leaves ", enclosed(narrow));
    while (wide - narrow > 1e-5) {
        const double middle = 0.5 * (narrow + wide);
        (enclosed(middle) > fraction ? narrow : wide) = middle;
    }
    return moffat(0.5 * (narrow + wide), beta, grid);
}

Psf Psf::from_image(const PsfImage& image) {
    const auto& [pixels, w, h, oversampling, values, recentre, energy, blur] = image;
    require(w >= 0 && h >= 0 && pixels.size() == std::size_t(w) * std::size_t(h), "PSF image: ", pixels.size(),
            " pixels for ", w, "x", h);
    if (w < 3 || h < 3 || w > 2048 || h > 2048)
        fail(Fault::input, "PSF image: ", w, "x", h, " pixels; 3x3...2048x2048 can be used");
    if (!(oversampling >= 1 && oversampling <= 64))
        fail(Fault::input, "PSF image: an oversampling of ", oversampling, " is outside 1...64");
    if (values == PsfValues::cells && oversampling != std::floor(oversampling))
        fail(Fault::input, "PSF image: cells need a whole oversampling, not ", oversampling);
    if (!(energy > 0 && energy <= 1)) fail(Fault::input, "PSF image: an energy of ", energy, " is outside (0, 1]");
    if (!(blur >= 0 && blur <= 20)) fail(Fault::input, "PSF image: a blur of ", blur, " px is outside 0...20");
    double sum = 0;
    for (float v : pixels) sum += v;
    if (!(std::isfinite(sum) && sum > 0)) fail(Fault::input, "PSF image: its pixels sum to ", sum);

    const Point centre = recentre ? centroid(image) : Point{0.5 * (w - 1), 0.5 * (h - 1)};
    // Four nodes per pixel at least, so that the table's own spline adds no error to that through a coarse image.
    const int coarse = int(std::ceil(oversampling)), k = std::min(32, coarse * ceil_div(4, coarse));
    const double step = oversampling / k;  // source samples from node to node
    const double room = std::min({centre.x, centre.y, w - 1 - centre.x, h - 1 - centre.y});
    const int half = int(std::floor(room / step + 1e-9));
    if (2 * half < k) fail(Fault::input, "PSF image: its centre is too near its edge");
    std::vector<double> c(pixels.begin(), pixels.end());
    spline_coefficients(c, w, h);
    const auto shifts = gaussian_shifts(blur * oversampling);
    std::vector<Filter> rows, columns;
    for (int i = -half; i <= half; ++i) {
        rows.push_back(pixel_filter(centre.y + i * step, oversampling, values, shifts));
        columns.push_back(pixel_filter(centre.x + i * step, oversampling, values, shifts));
    }
    std::vector<double> samples = filtered(c, w, h, rows, columns);
    double total = 0;
    for (double v : samples) total += v;
    if (!(std::isfinite(total) && total > 0)) fail(Fault::input, "PSF image: no flux around its centre");
    for (double& v : samples) v *= energy * k * k / total;
    Psf psf = from_samples(std::move(samples), half, k);
    if (!(psf.peak() > 0)) fail(Fault::input, "PSF image: nothing at its centre");
    return psf;
}

}  // namespace star
