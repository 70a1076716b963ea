// The oracle: its evidence against a sum over all possibilities, its answers where they are known.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/random.h"
#include "sim/oracle.h"

using namespace star;

namespace {

const Exposure exposure{};  // 46 e of sky and dark, 5 e read noise per pixel

// A field of given units, without the simulator's mock.
Field observe(const Psf& psf, std::vector<Star> stars, int side, std::uint64_t seed) {
    ThreadPool pool(1);
    TruthOptions truth;
    truth.labels = Labels::paper;
    const Shape shape{1, side, side, 1};
    Field f;
    f.width = f.height = side;
    f.image.resize(std::size_t(shape.size())), f.mask.resize(std::size_t(shape.size()));
    std::vector<PointSource> sources;
    for (const Star& s : stars) sources.push_back({s.x, s.y, s.flux});
    render(pool, sources, psf, {f.image.data(), shape}, 0.0);
    expose(pool, {f.image.data(), shape}, {f.mask.data(), shape}, exposure, seed, 0);
    f.truth = label_truth(pool, stars, psf, exposure, truth, side, side);
    return f;
}

int likeliest(const std::array<double, 5>& p) { return int(std::max_element(p.begin(), p.end()) - p.begin()) + 1; }

constexpr ClassMix equal{1, 1, 1, 1, 1};

}  // namespace

TEST_CASE("oracle: bright stars far enough apart are counted") {
    const Psf psf = Psf::moffat(2.0, 3, {8, 20});
    const double places[5][2] = {{0, 0}, {2.6, 0}, {-1.3, 2.3}, {-1.3, -2.3}, {1.4, 2.6}};
    std::vector<Star> stars;
    for (int k = 1; k <= 5; ++k)  // five units of 1 ... 5 stars, 30 px apart
        for (int s = 0; s < k; ++s)
            stars.push_back({30.0 * k + 0.3 + places[s][0], 20.2 + places[s][1], 0, 30000.0 - 4000 * s, k});
    ThreadPool pool(1), three(3);
    for (const std::uint64_t seed : {1, 2, 3}) {
        const Field f = observe(psf, stars, 180, seed);
        REQUIRE(f.truth.units.size() == 5);
        const auto verdicts = consult_oracle(pool, f, psf, exposure, {});
        const auto again = consult_oracle(three, f, psf, exposure, {});
        for (std::size_t i = 0; i < verdicts.size(); ++i) {
            CAPTURE(i);
            REQUIRE(verdicts[i].asked);
            CHECK(verdicts[i].evidence == again[i].evidence);  // bit for bit
            const auto p = oracle_posterior(verdicts[i], equal);
            CHECK(likeliest(p) == f.truth.units[i].count);
            double sum = 0;
            for (const double v : p) sum += v;
            CHECK(std::abs(sum - 1) < 1e-14);  // five roundings of at most 2^-53 each
        }
    }
}

TEST_CASE("oracle: the evidence is the integral it stands for") {
    // One star, all of whose probability lies within 6 sigma of its place and flux: a sum over a fine grid there is the
    // integral, but for the tails (1e-8). Laplace's method leaves out the third and fourth derivatives of ln L, which
    // change ln Z by terms of the order of 1/SNR^2 with coefficients of order one; ten of them are allowed.
    const Psf psf = Psf::moffat(2.2, 3, {16, 20});
    const double flux = 2500;
    const Field f = observe(psf, {{20.3, 20.6, 0, flux, 0}}, 41, 5);
    REQUIRE(f.truth.units.size() == 1);
    ThreadPool pool(1);
    const OraclePrior prior{2.5, 2};
    const auto verdict = consult_oracle(pool, f, psf, exposure, prior).at(0);
    REQUIRE(verdict.asked);

    // The oracle's pixels and variances, from their definitions.
    const Box box = f.truth.units[0].box;
    const double rim = psf.fwhm(), sky = exposure.exptime_s * (exposure.sky + exposure.dark);
    const double empty = sky + exposure.read_noise * exposure.read_noise;
    const int x0 = int(std::floor(box.x0 - rim)), x1 = int(std::ceil(box.x1 + rim)), y0 = int(std::floor(box.y0 - rim)),
              y1 = int(std::ceil(box.y1 + rim));
    std::vector<double> weight, seen;
    for (int j = y0; j < y1; ++j)
        for (int i = x0; i < x1; ++i) {
            weight.push_back(1 / (empty + flux * psf.at(i + 0.5 - 20.3, j + 0.5 - 20.6)));
            seen.push_back(double(f.image[std::size_t(j) * 41 + std::size_t(i)]) - sky);
        }
    const auto log_likelihood = [&](double x, double y, double log_flux) {
        double chi2 = 0;
        std::size_t at = 0;
        for (int j = y0; j < y1; ++j)
            for (int i = x0; i < x1; ++i, ++at) {
                const double r = seen[at] - std::exp(log_flux) * psf.at(i + 0.5 - x, j + 0.5 - y);
                chi2 += weight[at] * r * r;
            }
        return -0.5 * chi2;
    };
    const double noise = std::sqrt(empty * psf.noise_area() + flux), snr = flux / noise;
    // Steps of 0.8 sigma or so, out to 8: for a Gaussian the sum is the integral to 2 exp(-2 pi^2 / 0.8^2) = 1e-13.
    const double step_flux = 0.8 / snr, step_place = 0.8 * 1.2 / snr;
    constexpr int n = 10;
    double best = -INFINITY, bx = 20.3, by = 20.6, bl = std::log(flux);
    for (int round = 0; round < 6; ++round)  // climb to the middle of the integral
        for (int axis = 0; axis < 3; ++axis)
            for (int k = -20; k <= 20; ++k) {
                const double s = k * 0.1 / snr;
                const double x = bx + (axis == 0) * s, y = by + (axis == 1) * s, l = bl + (axis == 2) * s;
                if (const double v = log_likelihood(x, y, l); v > best) best = v, bx = x, by = y, bl = l;
            }
    double sum = 0;
    for (int i = -n; i <= n; ++i)
        for (int j = -n; j <= n; ++j)
            for (int k = -n; k <= n; ++k)
                sum += std::exp(log_likelihood(bx + i * step_place, by + j * step_place, bl + k * step_flux) - best);
    const double integral = std::log(sum * step_place * step_place * step_flux) + best;

    // The priors' own information adds a little to the determinant: 12 / width^2 against 1 / sigma^2.
    const double share = 12 / (std::numbers::pi * 4 * 2.2 * 2.2) * 2 * 1.44 / (snr * snr) + 12 / 5.3 / (snr * snr);
    CHECK(snr > 30);
    CHECK(std::abs(verdict.evidence[0] - integral) < 10 / (snr * snr) + share);
}

TEST_CASE("oracle: a star too many costs, one too few costs more") {
    const Psf psf = Psf::moffat(2.0, 3, {8, 20});
    const Field f = observe(psf, {{20.4, 20.1, 0, 20000, 0}, {22.6, 20.4, 0, 15000, 0}}, 41, 9);
    ThreadPool pool(1);
    const auto v = consult_oracle(pool, f, psf, exposure, {}).at(0);
    CHECK(v.evidence[1] > v.evidence[0] + 100);  // the residuals of one star are far above the noise
    CHECK(v.evidence[1] > v.evidence[2]);
    // A mix without pairs rules them out.
    const auto p = oracle_posterior(v, {1, 0, 1, 1, 1});
    CHECK(p[1] == 0);
    CHECK(likeliest(oracle_posterior(v, equal)) == 2);
}

TEST_CASE("oracle: who isn't asked, and what is refused") {
    const Psf psf = Psf::moffat(2.0, 3, {8, 20});
    Field f = observe(psf, {{20.4, 20.1, 0, 20000, 0}, {40.4, 20.1, 0, 20000, 1}}, 61, 1);
    ThreadPool pool(1);
    f.truth.units[0].label = -2;
    auto v = consult_oracle(pool, f, psf, exposure, {});
    CHECK(!v[0].asked);
    CHECK(v[1].asked);
    CHECK(oracle_posterior(v[0], equal) == std::array<double, 5>{});
    std::fill(f.mask.begin(), f.mask.end(), std::uint8_t{4});
    CHECK(!consult_oracle(pool, f, psf, exposure, {})[1].asked);
    Exposure drizzled = exposure;
    drizzled.drizzle_sigma = 0.4;
    CHECK_THROWS_AS(consult_oracle(pool, f, psf, drizzled, {}), Error);
}
