// PSFs from optics: Zernike polynomials, the Airy pattern's closed form, a direct Fourier sum, energies, blurs, HST.
#include <doctest/doctest.h>

#include <cmath>
#include <complex>
#include <numbers>

#include "kernels/random.h"
#include "sim/optics.h"
#include "sim/optics_diffraction.h"
#include "sim/optics_zernike.h"

using namespace star;

namespace {

constexpr double pi = std::numbers::pi;

// Intensity of the Airy pattern at radius r in lambda / D, over its peak; e: linear obscuration (Born and Wolf, 8.5).
double airy(double r, double e) {
    const auto jinc = [](double v) { return v < 1e-9 ? 1.0 : 2 * std::cyl_bessel_j(1.0, v) / v; };
    const double v = pi * r, amplitude = (jinc(v) - e * e * jinc(e * v)) / (1 - e * e);
    return amplitude * amplitude;
}

// The same in a pixel of side p lambda / D: 24 x 24 midpoints.
double airy_pixel(double x, double y, double e, double p) {
    double sum = 0;
    for (int i = 0; i < 24; ++i)
        for (int j = 0; j < 24; ++j)
            sum += airy(std::hypot(x + ((j + 0.5) / 24 - 0.5) * p, y + ((i + 0.5) / 24 - 0.5) * p), e);
    // The peak holds pi / 4 (1 - e^2) of the light per (lambda / D)^2.
    return sum / 576 * p * p * pi / 4 * (1 - e * e);
}

Optics plain(double pixel_in_lambda_over_d, double obscuration) {
    Optics o;
    o.diameter_m = 2, o.obscuration = obscuration, o.wavelengths_nm = {500};
    o.pixel_arcsec = pixel_in_lambda_over_d * 500e-9 / 2 * 648000 / pi;
    return o;
}

}  // namespace

TEST_CASE("Zernike polynomials are Noll's, and orthonormal over round and annular pupils") {
    const double x = 0.3, y = -0.5, r2 = x * x + y * y, a = std::atan2(y, x), r = std::sqrt(r2);
    const double table[11] = {1,
                              2 * x,
                              2 * y,
                              std::sqrt(3) * (2 * r2 - 1),
                              std::sqrt(6) * r2 * std::sin(2 * a),
                              std::sqrt(6) * r2 * std::cos(2 * a),
                              std::sqrt(8) * (3 * r2 - 2) * y,
                              std::sqrt(8) * (3 * r2 - 2) * x,
                              std::sqrt(8) * r * r2 * std::sin(3 * a),
                              std::sqrt(8) * r * r2 * std::cos(3 * a),
                              std::sqrt(5) * (6 * r2 * r2 - 6 * r2 + 1)};  // Noll 1976, Table I
    for (int j = 1; j <= 11; ++j) CHECK(Zernike(j).at(x, y) == doctest::Approx(table[j - 1]).epsilon(1e-12));
    for (double e : {0.0, 0.33}) {
        // Means by midpoints in r^2 and angle: the trapezoidal rule in angle is exact up to order 2 x 20 < 64, the
        // midpoint rule in r^2 errs by h^2 / 24 times the second derivative, below 4 n^4 for products of order n.
        const int rings = 1000, spokes = 64, last = 36;
        std::vector<Zernike> z;
        for (int j = 1; j <= last; ++j) z.emplace_back(j, e);
        std::vector<double> sum(last * last);
        for (int i = 0; i < rings; ++i)
            for (int k = 0; k < spokes; ++k) {
                const double s = std::sqrt(e * e + (1 - e * e) * (i + 0.5) / rings), t = 2 * pi * (k + 0.25) / spokes;
                double value[last];
                for (int j = 0; j < last; ++j) value[j] = z[std::size_t(j)].at(s * std::cos(t), s * std::sin(t));
                for (int j = 0; j < last; ++j)
                    for (int l = 0; l <= j; ++l) sum[std::size_t(j * last + l)] += value[j] * value[l];
            }
        for (int j = 0; j < last; ++j)
            for (int l = 0; l <= j; ++l) {
                const double mean = sum[std::size_t(j * last + l)] / (rings * spokes);
                CHECK(std::fabs(mean - (j == l)) < 4 * std::pow(7, 4) / 24 / (rings * rings));
            }
    }
    CHECK_THROWS_AS(Zernike(0), Error);
    CHECK_THROWS_AS(Zernike(4, 0.99), Error);
}

TEST_CASE("the matrix transform is the direct Fourier sum") {
    const int cells = 12, half = 5;
    const double step = 0.37;
    Random r(1, 2);
    std::vector<std::complex<double>> field;
    for (int i = 0; i < cells * cells; ++i) field.emplace_back(r.uniform(-1, 1), r.uniform(-1, 1));
    const auto got = diffracted(field, cells, half, step);
    for (int v = -half; v <= half; ++v)
        for (int u = -half; u <= half; ++u) {
            std::complex<double> sum = 0;
            for (int y = 0; y < cells; ++y)
                for (int x = 0; x < cells; ++x)
                    sum += field[std::size_t(y * cells + x)] *
                           std::polar(1.0,
                                      -pi * step * (u * ((2 * x + 1.0) / cells - 1) + v * ((2 * y + 1.0) / cells - 1)));
            // 144 terms of modulus below sqrt 2, each product rounded a few times: 10 x 144 x 1.5 x 2^-53 in the
            // amplitude, twice that times the amplitude, at most 204, in the intensity.
            CHECK(std::fabs(got[std::size_t((v + half) * (2 * half + 1) + u + half)] - std::norm(sum)) <
                  2 * 204 * 10 * 144 * 1.5 * std::pow(2, -53));
        }
    CHECK_THROWS_AS(diffracted(field, 11, half, step), Error);
}

TEST_CASE("the Airy pattern, clear and obscured, has its closed form, rings, energy and centre") {
    for (double e : {0.0, 0.33}) {
        const double p = 0.8;  // pixel in lambda / D
        const Psf psf = airy_psf(plain(p, e), {0, 30});
        const double top = airy_pixel(0, 0, e, p);
        Random r(7, 1);
        double worst = 0, wings = 0;
        for (int i = 0; i < 400; ++i) {
            const double x = r.uniform(-6, 6), y = r.uniform(-6, 6);
            worst = std::fmax(worst, std::fabs(psf.at(x, y) - airy_pixel(x * p, y * p, e, p)));
        }
        for (int i = 0; i < 400; ++i) {
            const double x = r.uniform(10, 28), y = r.uniform(-28, 28), truth = airy_pixel(x * p, y * p, e, p);
            wings = std::fmax(wings, std::fabs(psf.at(x, y) - truth) / (truth + 1e-5 * top));
        }
        MESSAGE("obscuration ", e, ": worst error ", worst / top, " of the peak, ", wings, " of the wings");
        CHECK(worst < 1e-3 * top);
        CHECK(std::fabs(psf.at(0, 0) - top) < 1e-3 * top);
        if (e == 0) {  // enclosed energy of the point image: 1 - J0^2 - J1^2, here smoothed by the pixel's corners
            const double v = pi * 20 * p,
                         beyond = std::pow(std::cyl_bessel_j(0.0, v), 2) + std::pow(std::cyl_bessel_j(1.0, v), 2);
            CHECK(std::fabs(1 - psf.enclosed(20) - beyond) < 0.1 * beyond);
        }
        double x = 0, sum = 0;
        for (int i = -30; i <= 30; ++i)
            for (int j = -30; j <= 30; ++j) sum += psf.at(j - 0.3, i), x += psf.at(j - 0.3, i) * (j - 0.3);
        CHECK(std::fabs(x / sum) < 1e-3);
        CHECK(std::fabs(sum - psf.energy()) < 1e-4);
    }
}
