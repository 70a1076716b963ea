// PSFs measured from simulated fields: width, shape, noise, blends left out, refusals.
#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

#include "kernels/random.h"
#include "sim/optics.h"
#include "sim/psf_measure.h"
#include "sim/render.h"

using namespace star;

namespace {

struct Sky {
    int w, h;
    std::vector<float> pixels;
    std::vector<PointSource> stars;
};

// Stars about 40 px apart, each at a random sub-pixel place, of 1e4 to 1e5 electrons; sky 100, noise of all of it.
Sky sky(const Psf& psf, int columns, int rows, std::uint64_t seed) {
    Sky s{40 * columns, 40 * rows, {}, {}};
    Random r(seed, 1);
    for (int i = 0; i < columns * rows; ++i)
        s.stars.push_back({40 * (i % columns) + 20 + r.uniform(-3, 3), 40 * (i / columns) + 20.0 + r.uniform(-3, 3),
                           1e4 * std::pow(10, r.uniform(0, 1))});
    s.pixels.assign(std::size_t(s.w) * s.h, 100);
    ThreadPool pool(1);
    render(pool, s.stars, psf, {s.pixels.data(), {1, s.h, s.w, 1}});
    for (float& v : s.pixels) v += float(std::sqrt(v) * r.normal());
    return s;
}

PsfMeasurement measured(const Sky& s, PsfMeasure how = {}) { return measure_psf({s.pixels, {}, s.w, s.h}, how); }

// rms of the difference within 4 px, over the peak; the truth over what lies in the measured square.
double difference(const Psf& got, const Psf& truth, int radius) {
    double inside = 0;
    const int steps = 8;
    for (int i = -radius * steps; i <= radius * steps; ++i)
        for (int j = -radius * steps; j <= radius * steps; ++j)
            inside += truth.at(double(j) / steps, double(i) / steps) / (steps * steps);
    double sum = 0;
    int n = 0;
    for (double y = -4; y <= 4; y += 0.125)
        for (double x = -4; x <= 4; x += 0.125, ++n) {
            const double d = got.at(x, y) - truth.at(x, y) / inside;
            sum += d * d;
        }
    return std::sqrt(sum / n) / (truth.peak() / inside);
}

}  // namespace

TEST_CASE("a PSF is measured from a noisy field within 2 % of its width") {
    Optics hst;
    hst.diameter_m = 2.4, hst.obscuration = 0.33, hst.wavelengths_nm = {440, 475, 510}, hst.pixel_arcsec = 0.05;
    hst.diffusion_px = 0.5;
    for (const Psf& psf : {Psf::gaussian(2.2), Psf::moffat(1.6, 3), optical_psf(hst, {0, 20})}) {
        const Sky s = sky(psf, 8, 7, 11);
        const PsfMeasurement m = measured(s);
        CAPTURE(psf.fwhm());
        MESSAGE("FWHM ", m.psf.fwhm(), " for ", psf.fwhm(), "; rms difference ", difference(m.psf, psf, 12),
                " of the peak; residual ", m.residual, ", noise alone ", m.expected, "; ", m.used, " stars");
        CHECK(m.used >= 50);
        CHECK(m.saturated == 0);
        CHECK(std::fabs(m.psf.fwhm() / psf.fwhm() - 1) < 0.02);
        // Photon noise of the stars: a node sees the pixels within 0.19 px, a seventh of all, so that its share of the
        // stars' light is known to sqrt(7 / (e x all their electrons)) of itself, at the peak; twice that for the sky's
        // noise and for what smoothing leaves of a sharp core.
        double light = 0;
        for (const PointSource& star : s.stars) light += star.flux;
        CHECK(difference(m.psf, psf, 12) < 2 * std::sqrt(7 / (psf.peak() * light)));
        CHECK(std::fabs(m.sigma - 10) < 0.5);
        // Photon noise of the stars themselves is in the residuals, not in `expected`.
        CHECK(m.residual > 0.9 * m.expected);
        CHECK(m.residual < 3 * m.expected);
    }
}

TEST_CASE("saturated, masked, blended and crowded stars don't serve") {
    const Psf psf = Psf::moffat(2, 3);
    Sky s = sky(psf, 8, 6, 5);
    std::vector<PointSource> more;
    Random r(3, 3);
    for (int i = 0; i < 8; ++i)
        more.push_back({s.stars[std::size_t(i)].x + 1.2, s.stars[std::size_t(i)].y, s.stars[std::size_t(i)].flux});
    for (int i = 8; i < 16; ++i)
        more.push_back({s.stars[std::size_t(i)].x, s.stars[std::size_t(i)].y + 8, 0.5 * s.stars[std::size_t(i)].flux});
    ThreadPool pool(1);
    render(pool, more, psf, {s.pixels.data(), {1, s.h, s.w, 1}});
    for (int i = 16; i < 20; ++i)
        s.pixels[std::size_t(s.stars[std::size_t(i)].y) * s.w + std::size_t(s.stars[std::size_t(i)].x)] = std::nanf("");
    const double clip = 12000;  // a few of the brightest reach it
    int clipped = 0;
    for (float& v : s.pixels)
        if (v > clip) v = float(clip), ++clipped;
    PsfMeasure how;
    how.saturate = clip;
    const PsfMeasurement m = measured(s, how);
    MESSAGE(m.used, " used, ", m.saturated, " saturated, ", m.crowded, " crowded, ", m.rejected, " rejected");
    REQUIRE(clipped > 0);
    CHECK(m.saturated >= 1);
    CHECK(m.crowded >= 12);  // the pairs 8 px apart, both of each, but for what is saturated
    CHECK(m.rejected >= 6);  // the pairs 1.2 px apart
    CHECK(m.used <= 48 - 16);
    CHECK(std::fabs(m.psf.fwhm() / psf.fwhm() - 1) < 0.02);

    std::vector<std::uint8_t> mask(s.pixels.size());
    for (std::size_t i = 0; i < mask.size() / 2; ++i) mask[i] = 1;
    const PsfMeasurement upper = measure_psf({s.pixels, mask, s.w, s.h}, how);
    CHECK(upper.used < m.used);
    const PsfMeasurement again = measured(s, how);
    CHECK(again.psf.at(0.3, 0.2) == m.psf.at(0.3, 0.2));
}

TEST_CASE("too few stars is an Error that says why") {
    const Psf psf = Psf::gaussian(2);
    const auto why = [](const Sky& s, PsfMeasure how = {}) -> std::string {
        try {
            measured(s, how);
        } catch (const Error& e) {
            CHECK(e.fault == Fault::input);
            return e.what();
        }
        return "";
    };
    CHECK(why(sky(psf, 3, 3, 1)).find("only 9 of 9 peaks") == 0);
    Sky blank{64, 64, std::vector<float>(64 * 64, 5.0f), {}};
    CHECK(why(blank).find("only 0 of 0 peaks") == 0);
    for (float& v : blank.pixels) v = std::nanf("");
    CHECK(why(blank).find("only 0 of 0 peaks") == 0);
    CHECK(why({1, 1, {3.0f}, {}}).find("only 0") == 0);
    PsfMeasure saturated;
    saturated.saturate = 200;
    CHECK(why(sky(psf, 4, 4, 1), saturated).find("16 saturated") != std::string::npos);
    PsfMeasure bad;
    bad.oversampling = 1;
    CHECK_THROWS_AS(measured(sky(psf, 3, 3, 1), bad), Error);
    bad = {}, bad.saturate = std::nan("");
    CHECK_THROWS_AS(measured(sky(psf, 3, 3, 1), bad), Error);
}
