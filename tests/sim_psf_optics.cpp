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
        // What the pupil's cells leave: the area of an edge is known to a quarter of a cell of 256, at random along the
        // rim, some 1e-3 of the field there; wings, which the rim makes, show it as a few percent of an intensity. The
        // table's spline adds (Hall and Meyer 1976) 2 x 5/384 h^4 |f''''|: (2 pi / 2.4)^4 h^4 / 77 of the peak for the
        // highest frequency, lambda / D, at six samples of it, damped by the pixel: below 1e-3.
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

TEST_CASE("what each part of the optics does to the light") {
    Optics o = plain(0.8, 0.33);
    const Psf perfect = optical_psf(o, {0, 20});
    // Marechal: a wavefront of rms s leaves 1 - (2 pi s / lambda)^2 of the peak, to fourth order; the pixel also holds
    // some of what it moved.
    const double loss = std::pow(2 * pi * 20 / 500, 2);
    o.aberrations_nm = {0, 20};
    const Psf astigmatic = optical_psf(o, {0, 20});
    CHECK(astigmatic.peak() < perfect.peak() * (1 - loss / 4));
    CHECK(astigmatic.peak() > perfect.peak() * (1 - loss));
    o.aberrations_nm = {0, 0, 0, 0, 20};
    const Psf comatic = optical_psf(o, {0, 20});
    double cx = 0, cy = 0, sum = 0;  // coma displaces the peak; the centroid is what stays at 0
    for (int i = -19; i <= 19; ++i)
        for (int j = -19; j <= 19; ++j) {
            const double v = comatic.at(j, i);
            sum += v, cx += v * j, cy += v * i;
        }
    CHECK(std::fabs(cx / sum) < 1e-3);
    CHECK(std::fabs(cy / sum) < 1e-3);

    // Polish takes exactly its share from the core, and spreads it: half of a Moffat of slope 1.5 lies within a sqrt 3.
    Optics rough = plain(0.8, 0.33);
    rough.polish = {20, 0.5, 1.5};
    const Psf halo = optical_psf(rough, {0, 20});
    const double share = 1 - std::exp(-loss), a = 2 / 0.5 / 0.8;  // the halo's scale in px: lambda / length
    for (double r : {a * std::sqrt(3.0), 15.0})
        CHECK(std::fabs(halo.enclosed(r) -
                        ((1 - share) * perfect.enclosed(r) + share * (1 - 1 / std::sqrt(1 + r * r / (a * a))))) < 1e-3);

    // Jitter and charge diffusion are Gaussians; wavelengths add up by weight; a turned pupil makes a turned PSF.
    Optics shaken = plain(0.8, 0.33);
    shaken.jitter_arcsec = 0.5 * shaken.pixel_arcsec, shaken.diffusion_px = 0.3;
    const Psf both = optical_psf(shaken, {0, 20}), same = perfect.convolved_gaussian(std::hypot(0.5, 0.3));
    Random r(4, 4);
    for (int i = 0; i < 200; ++i) {
        const double x = r.uniform(-5, 5), y = r.uniform(-5, 5);
        CHECK(std::fabs(both.at(x, y) - same.at(x, y)) < 1e-4 * perfect.peak());
    }
    Optics red = plain(0.8, 0.33), mixed = red;
    red.wavelengths_nm = {700};
    mixed.wavelengths_nm = {500, 700}, mixed.weights = {3, 1};
    const Psf at_700 = optical_psf(red, {6, 20}), at_500 = optical_psf(plain(0.8, 0.33), {6, 20});
    const Psf average = optical_psf(mixed, {6, 20});
    CHECK(average.at(0.3, 1) == doctest::Approx(0.75 * at_500.at(0.3, 1) + 0.25 * at_700.at(0.3, 1)).epsilon(1e-5));
    Optics crossed = plain(0.8, 0.33);
    crossed.vane_width = 0.05, crossed.pads = {{0.89, 0, 0.065}}, crossed.aberrations_nm = {10, 0, 20, 0, 30};
    Optics turned = crossed;
    turned.angle_deg = 90;
    const Psf before = optical_psf(crossed, {0, 20}), after = optical_psf(turned, {0, 20});
    for (int i = 0; i < 200; ++i) {
        const double x = r.uniform(-8, 8), y = r.uniform(-8, 8);
        CHECK(std::fabs(after.at(-y, x) - before.at(x, y)) < 1e-6 * before.peak());
    }
    CHECK(std::fabs(before.at(0, 6) - before.at(4.2426, 4.2426)) > 1e-4 * before.peak());  // the vanes' spikes
}

TEST_CASE("optics that can't be give an Error") {
    const auto refused = [](auto change) {
        Optics o = plain(0.8, 0.33);
        change(o);
        try {
            optical_psf(o, {0, 5});
        } catch (const Error& e) {
            return e.fault == Fault::usage;
        }
        return false;
    };
    CHECK(refused([](Optics& o) { o.diameter_m = std::nan(""); }));
    CHECK(refused([](Optics& o) { o.obscuration = 1; }));
    CHECK(refused([](Optics& o) { o.wavelengths_nm = {}; }));
    CHECK(refused([](Optics& o) { o.wavelengths_nm = {-500}; }));
    CHECK(refused([](Optics& o) { o.weights = {1, 1}; }));
    CHECK(refused([](Optics& o) { o.weights = {0}; }));
    CHECK(refused([](Optics& o) { o.pads = {{0, 0, 2}}; }));
    CHECK(refused([](Optics& o) { o.aberrations_nm = {std::nan("")}; }));
    CHECK(refused([](Optics& o) { o.pixel_arcsec = 100; }));
    CHECK(refused([](Optics& o) { o.jitter_arcsec = -1; }));
    CHECK(refused([](Optics& o) { o.polish.rms_nm = 1e4; }));
    CHECK_THROWS_AS(optical_psf(plain(0.8, 0), {1, 20}), Error);  // below the band limit
    CHECK_THROWS_AS(optical_psf(plain(0.8, 0), {0, 1000}), Error);
}
