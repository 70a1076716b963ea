// PSFs: energies, moments and interpolation against the closed forms; images of PSFs, however sampled and centred.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/random.h"
#include "sim/psf.h"

using namespace star;

namespace {

constexpr double sigma_of(double fwhm) { return fwhm / 2.3548200450309493; }

// A Gaussian integrated over a pixel of the given width, along one axis.
double gauss_pixel(double x, double sigma, double width = 1) {
    const double s = 1 / (sigma * std::sqrt(2.0));
    return 0.5 * (std::erf((x + width / 2) * s) - std::erf((x - width / 2) * s));
}

double moffat_pixel(double x, double y, double fwhm,
                    double beta) {  // 32x32 midpoints: error below 1e-4 of the second difference
    const double a = fwhm / (2 * std::sqrt(std::pow(2, 1 / beta) - 1));
    double sum = 0;
    for (int i = 0; i < 32; ++i)
        for (int j = 0; j < 32; ++j) {
            const double u = x - 0.5 + (j + 0.5) / 32, v = y - 0.5 + (i + 0.5) / 32;
            sum += std::pow(1 + (u * u + v * v) / (a * a), -beta);
        }
    return sum / 1024 * (beta - 1) / (3.14159265358979 * a * a);
}

// Largest fourth derivative of f over its core.
template <class F>
double fourth_derivative(F f) {
    double most = 0;
    const double h = 0.02;
    for (double x = -4; x < 4; x += 0.05)
        most = std::fmax(
            most, std::fabs(f(x - 2 * h) - 4 * f(x - h) + 6 * f(x) - 4 * f(x + h) + f(x + 2 * h)) / (h * h * h * h));
    return most;
}

struct Moments {
    double sum = 0, x = 0, y = 0, xx = 0;
};
Moments moments(const Psf& psf, double ox,
                double oy) {  // over whole pixels, the star offset by (ox, oy) from one's centre
    Moments m;
    const int r = psf.reach();
    for (int y = -r; y <= r; ++y)
        for (int x = -r; x <= r; ++x) {
            const double v = psf.at(x - ox, y - oy);
            m.sum += v, m.x += v * x, m.y += v * y;
        }
    m.x /= m.sum, m.y /= m.sum;
    for (int y = -r; y <= r; ++y)
        for (int x = -r; x <= r; ++x) m.xx += psf.at(x - ox, y - oy) * (x - m.x) * (x - m.x) / m.sum;
    return m;
}

std::vector<float> sampled_gaussian(int w, int h, double cx, double cy, double sigma, double oversampling,
                                    double cell) {
    std::vector<float> v;
    for (int y = 0; y < h; ++y)
        for (int x = 0; x < w; ++x) {
            const double dx = (x - cx) / oversampling, dy = (y - cy) / oversampling;
            v.push_back(cell > 0 ? float(gauss_pixel(dx, sigma, cell) * gauss_pixel(dy, sigma, cell))
                                 : float(std::exp(-(dx * dx + dy * dy) / (2 * sigma * sigma))));
        }
    return v;
}

double worst_difference(const Psf& a, const Psf& b) {
    double worst = 0;
    Random r(1, 1);
    for (int i = 0; i < 2000; ++i) {
        const double x = r.uniform(-4, 4), y = r.uniform(-4, 4);
        worst = std::fmax(worst, std::fabs(double(a.at(x, y)) - b.at(x, y)));
    }
    return worst;
}

}  // namespace

TEST_CASE("a Gaussian is interpolated within the cubic spline's error bound") {
    for (double fwhm : {1.2, 1.6, 2.2, 5.0}) {
        const Psf psf = Psf::gaussian(fwhm);
        const double sigma = sigma_of(fwhm), h = 1.0 / psf.oversampling();
        const double top = gauss_pixel(0, sigma);
        // 5/384 h^4 |f''''| along each axis (Hall and Meyer 1976), the cross term below a tenth of it, and float
        // rounding.
        const double bound = 1.1 * 2 * 5.0 / 384 * std::pow(h, 4) * top *
                                 fourth_derivative([&](double x) { return gauss_pixel(x, sigma); }) +
                             1e-6;
        double worst = 0;
        Random r(3, 3);
        for (int i = 0; i < 3000; ++i) {
            const double x = r.uniform(-3 * fwhm, 3 * fwhm), y = r.uniform(-3 * fwhm, 3 * fwhm);
            worst = std::fmax(worst, std::fabs(psf.at(x, y) - gauss_pixel(x, sigma) * gauss_pixel(y, sigma)));
        }
        CAPTURE(fwhm);
        MESSAGE("FWHM ", fwhm, " px, ", psf.oversampling(), " samples/px: worst error ", worst / (top * top),
                " of the peak");
        CHECK(worst < bound);
        CHECK(bound < 2e-3 * top * top);
        CHECK(psf.energy() == doctest::Approx(1).epsilon(1e-9));
    }
}

TEST_CASE("flux, centroid and width hold at every sub-pixel phase") {
    for (double fwhm : {1.6, 2.5}) {
        const Psf psf = Psf::gaussian(fwhm);
        const double sigma = sigma_of(fwhm);
        Random r(5, 5);
        for (int i = 0; i < 30; ++i) {
            const double x = r.uniform(-0.5, 0.5), y = r.uniform(-0.5, 0.5);
            const Moments m = moments(psf, x, y);
            CHECK(std::fabs(m.sum - 1) < 1e-4);
            CHECK(std::fabs(m.x - x) < 1e-3);
            CHECK(std::fabs(m.y - y) < 1e-3);
            CHECK(std::fabs(m.xx - (sigma * sigma + 1.0 / 12)) < 2e-3);
        }
    }
}

TEST_CASE("a Moffat has its own values, energy and width") {
    for (double beta : {2.5, 3.0, 3.5}) {
        const double fwhm = 1.8;
        const Psf psf = Psf::moffat(fwhm, beta);
        const double a = fwhm / (2 * std::sqrt(std::pow(2, 1 / beta) - 1)), top = moffat_pixel(0, 0, fwhm, beta);
        Random r(7, 7);
        for (int i = 0; i < 300; ++i) {
            const double x = r.uniform(-8, 8), y = r.uniform(-8, 8);
            CHECK(std::fabs(psf.at(x, y) - moffat_pixel(x, y, fwhm, beta)) < 1e-3 * top);
        }
        // Beyond a square of half-width R = 50 lies what lies beyond a circle of R, less the corners: between
        // (1+R^2/a^2)^(1-beta) and that of R sqrt(2).
        const double circle = std::pow(1 + 2500 / (a * a), 1 - beta), outer = std::pow(1 + 5000 / (a * a), 1 - beta);
        CHECK(1 - psf.energy() < circle);
        CHECK(1 - psf.energy() > outer);
        // Far out pixels don't matter: enclosed flux is the closed form.
        CHECK(std::fabs(psf.enclosed(20) - (1 - std::pow(1 + 400 / (a * a), 1 - beta))) < 1e-4);
        CHECK(psf.fwhm() > fwhm);
        CHECK(psf.at(psf.radius_at(0.3), 0) == doctest::Approx(0.3 * psf.peak()).epsilon(0.05));
    }
}

TEST_CASE("80 % of the energy within 0.12 arcsec at 0.074 arcsec/px, pixel included") {
    const double radius = 0.12 / 0.074;
    for (double beta : {2.5, 3.0, 3.5}) {
        const Psf psf = Psf::moffat_enclosing(0.8, radius, beta);
        MESSAGE("beta ", beta, ": effective FWHM ", psf.fwhm(), " px, peak ", psf.peak(), ", energy in the table ",
                psf.energy());
        CHECK(std::fabs(psf.enclosed(radius) - 0.8) < 1e-3);
        double sum = 0;  // brute force: a 0.02 px grid, the circle's edge known to half a cell
        for (double y = -1.99; y < 2; y += 0.02)
            for (double x = -1.99; x < 2; x += 0.02)
                if (x * x + y * y < radius * radius) sum += psf.at(x, y) * 0.0004;
        CHECK(std::fabs(sum - 0.8) < 2e-3);
    }
    CHECK_THROWS_AS(Psf::moffat_enclosing(0.8, 0.3, 3), Error);
}

TEST_CASE("an image of a PSF becomes that PSF, however sampled, sized and centred") {
    const double sigma = sigma_of(2.0);
    const Psf truth = Psf::gaussian(2.0);
    struct Case {
        int w, h;
        double cx, cy, oversampling;
        PsfValues values;
    };
    const Case cases[] = {
        {101, 101, 50, 50, 4, PsfValues::effective},    {100, 100, 49.5, 49.5, 4, PsfValues::effective},
        {101, 97, 52.3, 46.8, 4, PsfValues::effective}, {101, 101, 50.2, 49.6, 4, PsfValues::points},
        {100, 101, 50.2, 49.6, 4, PsfValues::cells},    {101, 101, 50, 50, 5, PsfValues::cells},
        {75, 75, 37.4, 36.8, 2.5, PsfValues::points},   {33, 33, 16.2, 15.7, 1, PsfValues::effective}};
    for (const Case& c : cases) {
        const double cell = c.values == PsfValues::effective ? 1
                            : c.values == PsfValues::cells   ? 1 / c.oversampling
                                                             : 0;
        const auto pixels = sampled_gaussian(c.w, c.h, c.cx, c.cy, sigma, c.oversampling, cell);
        const Psf psf = Psf::from_image({pixels, c.w, c.h, c.oversampling, c.values, true, 1});
        CAPTURE(c.w);
        CAPTURE(c.oversampling);
        // Two splines, the image's and the table's, of 5/384 h^4 |f| along each axis; f = 3 f / sigma^4 at the peak of
        // the optical Gaussian, which the pixel only smooths. Float pixels add 1e-6.
        const double f4 = 3 / std::pow(sigma, 4) / (2 * 3.14159265358979 * sigma * sigma);
        CHECK(worst_difference(psf, truth) < 2 * 2 * 5.0 / 384 * std::pow(c.oversampling, -4) * f4 + 1e-6);
        CHECK(psf.energy() == doctest::Approx(1).epsilon(1e-9));
        const Moments m = moments(psf, 0.3, -0.2);
        CHECK(std::fabs(m.x - 0.3) < 1e-3);
        CHECK(std::fabs(m.y + 0.2) < 1e-3);
    }
    const auto pixels = sampled_gaussian(101, 101, 50, 50, sigma, 4, 1);
    CHECK(Psf::from_image({pixels, 101, 101, 4, PsfValues::effective, false, 0.9}).energy() == doctest::Approx(0.9));
    const auto off = sampled_gaussian(101, 101, 51, 50, sigma, 4, 1);
    CHECK(moments(Psf::from_image({off, 101, 101, 4, PsfValues::effective, false, 1}), 0, 0).x ==
          doctest::Approx(0.25).epsilon(1e-3));
}

TEST_CASE("a PSF image that is none gives an Error") {
    std::vector<float> zero(81, 0.0f), bad(81, 1.0f), good = sampled_gaussian(9, 9, 4, 4, 1, 1, 1);
    bad[3] = std::nanf("");
    CHECK_THROWS_AS(Psf::from_image({zero, 9, 9}), Error);
    CHECK_THROWS_AS(Psf::from_image({bad, 9, 9}), Error);
    CHECK_THROWS_AS(Psf::from_image({good, 9, 9, 0.5}), Error);
    CHECK_THROWS_AS(Psf::from_image({good, 9, 9, std::nan("")}), Error);
    CHECK_THROWS_AS(Psf::from_image({good, 9, 9, 2.5, PsfValues::cells}), Error);
    CHECK_THROWS_AS(Psf::from_image({good, 9, 8}), Error);
    CHECK_THROWS_AS(Psf::from_image({{}, 0, 0}), Error);
    std::vector<float> corner(81, 0.0f);
    corner[0] = 1;
    CHECK_THROWS_AS(Psf::from_image({corner, 9, 9}), Error);
    CHECK_THROWS_AS(Psf::gaussian(std::nan("")), Error);
    CHECK_THROWS_AS(Psf::gaussian(0), Error);
    CHECK_THROWS_AS(Psf::moffat(2, 1), Error);
    CHECK_THROWS_AS(Psf::gaussian(2, {32, 200}), Error);
}

TEST_CASE("blurs add their variance") {
    const Psf psf = Psf::gaussian(1.6);
    const double before = moments(psf, 0, 0).xx;
    for (double sigma : {0.1, 0.4, 1.0}) {
        const Psf blurred = psf.convolved_gaussian(sigma);
        CAPTURE(sigma);
        CHECK(std::fabs(moments(blurred, 0.2, 0.1).xx - before - sigma * sigma) < 1e-3);
        CHECK(blurred.energy() == doctest::Approx(1).epsilon(1e-6));
    }
    CHECK(worst_difference(psf.convolved_gaussian(0.4), Psf::gaussian(std::hypot(1.6, 0.4 * 2.3548200450309493))) <
          3e-4);
    // HST's charge diffusion (Tiny Tim's kernel for ACS/WFC1 near 500 nm has this form): var = 2 * (side + 2 corner).
    const double kernel[9] = {0.02, 0.06, 0.02, 0.06, 0.68, 0.06, 0.02, 0.06, 0.02};
    const Psf diffused = psf.convolved(kernel, 3, 3);
    CHECK(std::fabs(moments(diffused, -0.3, 0.4).xx - before - 0.2) < 1e-3);
    CHECK(diffused.at(0.3, 0.2) ==
          doctest::Approx(0.68 * psf.at(0.3, 0.2) +
                          0.06 * (psf.at(1.3, 0.2) + psf.at(-0.7, 0.2) + psf.at(0.3, 1.2) + psf.at(0.3, -0.8)) +
                          0.02 * (psf.at(1.3, 1.2) + psf.at(1.3, -0.8) + psf.at(-0.7, 1.2) + psf.at(-0.7, -0.8)))
              .epsilon(1e-5));
    CHECK(psf.convolved_gaussian(0).at(0, 0) == psf.at(0, 0));
    CHECK_THROWS_AS(psf.convolved(kernel, 3, 2), Error);
}

TEST_CASE("what a stamp leaves out is within its bounds") {
    const Psf psf = Psf::moffat(1.8, 2.5);
    for (double pixel : {1e-3, 1e-5, 1e-7}) {
        const int r = psf.stamp_radius(pixel, 1);
        for (double d = r + 0.5; d < 50; d += 0.25) CHECK(psf.at(d, 0) <= pixel * 1.001);
        CHECK(psf.at(r - 0.5, 0) > pixel);
        const int s = psf.stamp_radius(1, std::sqrt(pixel));
        double inside = 0;
        for (int y = -s; y <= s; ++y)
            for (int x = -s; x <= s; ++x) inside += psf.at(x - 0.4, y - 0.4);
        CHECK(psf.energy() - inside < std::sqrt(pixel) + 1e-4);
    }
    CHECK(psf.stamp_radius(0, 1) == psf.reach());
}
