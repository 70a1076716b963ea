// Cramér-Rao bounds against closed forms and plain elimination; the drop rule against one star at a time.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "kernels/random.h"
#include "sim/fisher.h"
#include "sim/truth_detect.h"

using namespace star;

namespace {

constexpr double fwhm = 1.8, sigma = fwhm / 2.3548200450309493, pi = 3.14159265358979;

// A Gaussian integrated over a pixel along one axis, and its derivative by the star's place.
double pixel(double x) {
    return 0.5 * (std::erf((x + 0.5) / (sigma * std::sqrt(2))) - std::erf((x - 0.5) / (sigma * std::sqrt(2))));
}
double gauss(double x) { return std::exp(-0.5 * x * x / (sigma * sigma)) / (sigma * std::sqrt(2 * pi)); }
double moved(double x) { return gauss(x - 0.5) - gauss(x + 0.5); }

// d/dx, d/dy, e of a star in a pixel.
std::array<double, 3> gradient(const PointSource& s, int column, int row) {
    const double x = column + 0.5 - s.x, y = row + 0.5 - s.y;
    return {moved(x) * pixel(y), pixel(x) * moved(y), pixel(x) * pixel(y)};
}

bool in_stamp(const PointSource& s, int column, int row, int radius) {
    return std::abs(column - int(std::floor(s.x))) <= radius && std::abs(row - int(std::floor(s.y))) <= radius;
}

struct Bound {
    double snr, error;
};

// The definition: residual of de/dflux of the last star after fitting all other gradients, weighted. The error of a
// gradient moves sqrt(pivot) by at most the weighted norm of the errors, each times its coefficient in that fit.
Bound reference(const std::vector<PointSource>& stars, const Weights& w, int radius, double error_e, double error_d) {
    const int n = 3 * int(stars.size());
    std::vector<std::vector<double>> a(std::size_t(n), std::vector<double>(std::size_t(n), 0.0));
    double weight = 0;
    for (int row = 0; row < w.height; ++row)
        for (int column = 0; column < w.width; ++column) {
            std::vector<double> g(static_cast<std::size_t>(n), 0.0);
            bool any = false;
            for (std::size_t s = 0; s < stars.size(); ++s)
                if (in_stamp(stars[s], column, row, radius)) {
                    const auto d = gradient(stars[s], column, row);
                    std::copy(d.begin(), d.end(), g.begin() + std::ptrdiff_t(3 * s));
                    any = true;
                }
            const double p = w.pixels[std::size_t(row * w.width + column)];
            if (any) weight += p;
            for (int i = 0; i < n; ++i)
                for (int j = 0; j < n; ++j)
                    a[std::size_t(i)][std::size_t(j)] += p * g[std::size_t(i)] * g[std::size_t(j)];
        }
    // Solve for the fit of the last column by all others, with pivoting.
    const int m = n - 1;
    std::vector<std::vector<double>> b(a.begin(), a.begin() + m);
    for (int k = 0; k < m; ++k) {
        int best = k;
        for (int i = k + 1; i < m; ++i)
            if (std::fabs(b[std::size_t(i)][std::size_t(k)]) > std::fabs(b[std::size_t(best)][std::size_t(k)]))
                best = i;
        std::swap(b[std::size_t(k)], b[std::size_t(best)]);
        for (int i = 0; i < m; ++i) {
            if (i == k) continue;
            const double f = b[std::size_t(i)][std::size_t(k)] / b[std::size_t(k)][std::size_t(k)];
            for (int j = k; j <= m; ++j) b[std::size_t(i)][std::size_t(j)] -= f * b[std::size_t(k)][std::size_t(j)];
        }
    }
    double pivot = a[std::size_t(m)][std::size_t(m)], moves = error_e;
    for (int k = 0; k < m; ++k) {
        const double c = b[std::size_t(k)][std::size_t(m)] / b[std::size_t(k)][std::size_t(k)];
        pivot -= c * a[std::size_t(k)][std::size_t(m)];
        moves += std::fabs(c) * (k % 3 == 2 ? error_e : error_d);
    }
    const double flux = stars.back().flux;
    return {flux * std::sqrt(pivot), flux * std::sqrt(weight) * moves};
}

std::vector<PointSource> in_order(std::vector<PointSource> s) {
    std::sort(s.begin(), s.end(), [](const PointSource& a, const PointSource& b) {
        return std::floor(a.y) != std::floor(b.y) ? a.y < b.y : a.x < b.x;
    });
    return s;
}

}  // namespace

TEST_CASE("truth: the stamp is the PSF and its derivatives") {
    const Psf psf = Psf::gaussian(fwhm, {8, 20});
    const FisherStamp stamp(psf);
    // Splines through samples h apart: 5/384 h^4 f'''' and 1/24 h^3 f'''' along each axis; float adds 2e-7.
    const double h = 1.0 / psf.oversampling(), f4 = 3 / std::pow(sigma, 4) / (sigma * std::sqrt(2 * pi));
    const double error_e = 2 * 5.0 / 384 * std::pow(h, 4) * f4 + 2e-7, error_d = 2.0 / 24 * std::pow(h, 3) * f4 + 2e-6;
    std::vector<double> out(3 * std::size_t(stamp.side()) * std::size_t(stamp.side()));
    Random r(1, 1);
    for (int k = 0; k < 50; ++k) {
        const PointSource s{r.uniform(9, 11), k == 0 ? 10.5 : r.uniform(9, 11), 1};
        stamp.fill(s.x, s.y, out.data());
        double e2 = 0;
        for (int row = 0; row < stamp.side(); ++row)
            for (int col = 0; col < stamp.side(); ++col) {
                const auto g = gradient(s, int(s.x) + col - stamp.radius(), int(s.y) + row - stamp.radius());
                for (int i = 0; i < 3; ++i) {
                    const double v = out[std::size_t((3 * row + i) * stamp.side() + col)];
                    CHECK(std::fabs(v - g[std::size_t(i)]) < (i == 2 ? error_e : error_d));
                    if (i == 2) e2 += v * v;
                }
            }
        CHECK(e2 <= stamp.sharpest() * 1.01);
        CHECK(e2 > (1 - 1e-3) / psf.noise_area() * 0.9);  // the average over phases is 1 / noise_area
    }
}

TEST_CASE("truth: weights are the variance's inverse") {
    const Psf psf = Psf::gaussian(fwhm);
    Exposure e;
    e.exposures = 2;
    ThreadPool pool(2);
    const std::vector<PointSource> s{{10.2, 8.7, 5e4}, {14, 9, 300}};
    const Weights w = pixel_weights(pool, s, psf, e, 0.01, 30, 20);
    const double cut = 0.01 * native_sigma(e) * double(s.size());  // of the light, per pixel
    for (int y = 0; y < 20; ++y)
        for (int x = 0; x < 30; ++x) {
            double m = 0;
            for (const PointSource& p : s) m += p.flux * psf.at(x + 0.5 - p.x, y + 0.5 - p.y);
            const double v = m + (0.29 + 0.02) * 150 + 2 * 5.2 * 5.2 + 1e-4 * m * m, error = cut + 1e-6 * m;
            CHECK(std::fabs(1 / w.pixels[std::size_t(30 * y + x)] - v) <
                  error + 2e-4 * m * error + 1e-8 * error * error);
        }
}

TEST_CASE("truth: signal-to-noise against plain elimination") {
    const Psf psf = Psf::gaussian(fwhm, {32, 20});
    const FisherStamp stamp(psf);
    const double h = 1.0 / psf.oversampling(), f4 = 3 / std::pow(sigma, 4) / (sigma * std::sqrt(2 * pi));
    const double error_e = 2 * 5.0 / 384 * std::pow(h, 4) * f4 + 2e-7, error_d = 2.0 / 24 * std::pow(h, 3) * f4 + 2e-6;
    const Exposure e;
    Random r(3, 1);
    ThreadPool pool(2);
    int tight = 0;
    for (int k = 0; k < 60; ++k) {
        const int n = 1 + k % 5;
        std::vector<PointSource> s;
        // Some reach over the image's edge, some lie in one row of pixels.
        const double x0 = k % 7 == 0 ? 0.5 : 12, y0 = k % 11 == 0 ? 22.5 : 12;
        for (int i = 0; i < n; ++i)
            s.push_back({x0 + r.uniform(-2.5, 2.5), y0 + r.uniform(-2.5, 2.5), std::pow(10, r.uniform(2.5, 5))});
        s = in_order(s);
        const Weights w = pixel_weights(pool, s, psf, e, 0.01, 25, 24);
        const Fisher fisher(pool, s, stamp, w);
        Fisher::Scratch scratch;
        for (int i = 0; i < n; ++i) {
            std::vector<PointSource> order;
            std::vector<int> others;
            for (int j = n - 1; j >= 0; --j)
                if (j != i) order.push_back(s[std::size_t(j)]), others.push_back(j);
            order.push_back(s[std::size_t(i)]);
            const Bound b = reference(order, w, stamp.radius(), error_e, error_d);
            const double snr = fisher.snr(i, others, scratch);
            // Rounding of n^3 sums, and the smallest pivot, are far below the spline's error.
            CHECK(std::fabs(snr - b.snr) <= b.error + 1e-6 * b.snr);
            tight += b.error < 0.01 * b.snr;
        }
        const auto alone = snr_alone(pool, s, stamp, w, native_sigma(e) * native_sigma(e), 0);
        for (int i = 0; i < n; ++i)
            CHECK(alone[std::size_t(i)] == doctest::Approx(fisher.snr(i, {}, scratch)).epsilon(1e-12));
    }
    MESSAGE(tight, " of 180 within 1 %");
    CHECK(tight > 60);
    // A lone faint star on empty sky, its place being symmetric: flux sqrt(sum e^2 / variance), less what its stamp
    // lost.
    const std::vector<PointSource> lone{{12.5, 12.5, 10}};
    const Weights w = pixel_weights(pool, lone, psf, e, 0, 25, 25);
    const double expected = 10 / native_sigma(e) * std::sqrt(stamp.sharpest());
    CHECK(snr_alone(pool, lone, stamp, w, 1, 0)[0] == doctest::Approx(expected).epsilon(0.02));
}

TEST_CASE("truth: dropping in rounds is dropping the weakest, one at a time") {
    const Psf psf = Psf::moffat(1.66, 3);
    const Exposure e;
    const FisherStamp stamp(psf);
    const DetectLimits limits;
    ThreadPool pool(2);
    int differ = 0, dropped = 0, total = 0;
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        Random r(seed, 7);
        const int side = 48;
        std::vector<PointSource> s;
        for (int i = 0; i < 260; ++i)
            s.push_back({r.uniform(0, side), r.uniform(0, side), electrons(r.uniform(21, 28.5), e)});
        s = in_order(s);
        const Weights w = pixel_weights(pool, s, psf, e, limits.psf_error, side, side);
        const Fisher fisher(pool, s, stamp, w);
        const auto alone = snr_alone(pool, s, stamp, w, 1, 0);
        Fisher::Scratch scratch;
        const auto literal = [&](double hopeless) {
            std::vector<double> snr(s.size(), 0);
            std::vector<char> alive(s.size());
            for (std::size_t i = 0; i < s.size(); ++i) alive[i] = alone[i] >= hopeless;
            for (;;) {
                int weakest = -1;
                for (std::size_t i = 0; i < s.size(); ++i) {
                    if (!alive[i]) continue;
                    std::vector<int> others;
                    for (std::size_t j = 0; j < s.size(); ++j)
                        if (j != i && alive[j] && std::hypot(s[i].x - s[j].x, s[i].y - s[j].y) < 3 * psf.fwhm())
                            others.push_back(int(j));
                    snr[i] = fisher.snr(int(i), others, scratch);
                    if (weakest < 0 || snr[i] <= snr[std::size_t(weakest)]) weakest = int(i);
                }
                if (weakest < 0 || snr[std::size_t(weakest)] >= limits.min_snr) break;
                alive[std::size_t(weakest)] = 0;
            }
            return std::pair{alive, snr};
        };
        const Detectability d(pool, s, psf, e, limits, side, side);
        const auto [alive, snr] = literal(limits.hopeless_snr);
        for (std::size_t i = 0; i < s.size(); ++i) {
            CHECK(bool(alive[i]) == d.counts(int(i)));
            // The order of the others in the matrix differs, and with it the rounding: of the pivot, some 100 products
            // of 2^-53 of what the star has alone.
            if (alone[i] >= limits.hopeless_snr)
                CHECK(std::fabs(snr[i] - d.snr(int(i))) <=
                      100 * 0x1p-53 * alone[i] * alone[i] / snr[i] + 1e-12 * snr[i]);
            if (alone[i] < limits.hopeless_snr) CHECK(d.snr(int(i)) == 0);
            dropped += !alive[i];
        }
        if (seed > 2) continue;  // the whole rule is slow
        const auto whole = literal(0).first;
        for (std::size_t i = 0; i < s.size(); ++i) differ += whole[i] != alive[i], ++total;
    }
    MESSAGE(dropped, " of ", 6 * 260, " dropped; without dropping hopeless stars first, ", differ, " of ", total,
            " differ");
    CHECK(dropped > 300);
    CHECK(differ <= total / 50);
}
