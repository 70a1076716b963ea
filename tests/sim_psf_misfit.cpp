// How wrong a PSF is, told from an image's stars: against the misfit computed from the two PSFs; and blends, which fit
// worse.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "sim/field.h"
#include "sim/psf_misfit.h"

using namespace star;

namespace {

constexpr int side = 360;

// Stars 30 px apart, every one with a companion at `separation` px if that is above 0, but for the first `single` ones.
Field field(ThreadPool& pool, const Psf& psf, double flux, double separation, int single) {
    SceneOptions scene;
    int n = 0;
    for (int y = 0; y < 11; ++y)
        for (int x = 0; x < 11; ++x) {
            const double px = 28.3 + 30.37 * x, py = 28.6 + 30.21 * y;
            scene.list.push_back({px, py, 0, flux});
            if (separation > 0 && n++ >= single) scene.list.push_back({px + separation, py, 0, 0.5 * flux});
        }
    return FieldSimulator(psf, {}, scene, {}).make(pool, {side, side, 24, 6, 0});
}

PsfMisfit misfit(const Field& f, const Psf& psf) {
    return psf_misfit({f.image, f.mask, side, side}, INFINITY, 1 / image_unit(Exposure{}), psf);
}

// What is left of a star without noise when another PSF is fitted, over its light, within 1.5 FWHM.
double expected(const Psf& truth, const Psf& used) {
    double et = 0, ee = 0, left = 0;
    const double reach = 1.5 * used.fwhm();
    for (int round = 0; round < 2; ++round)
        for (int y = -8; y <= 8; ++y)
            for (int x = -8; x <= 8; ++x) {
                if (x * x + y * y > reach * reach) continue;
                const double t = truth.at(x, y), e = used.at(x, y);
                if (round == 0)
                    et += e * t, ee += e * e;
                else
                    left += std::pow(t - et / ee * e, 2);
            }
    return std::sqrt(left / (et / ee * et));
}

}  // namespace

TEST_CASE("a PSF's misfit: none for the right one, the right number for a wrong one") {
    ThreadPool pool(2);
    const Psf truth = Psf::moffat(2.0, 3, {0, 20});
    const Field f = field(pool, truth, 1e5, 0, 0);
    const PsfMisfit right = misfit(f, truth);
    CHECK(right.stars > 100);
    CHECK(right.error < 0.003);
    for (double width : {1.8, 1.9, 2.15}) {
        const Psf wrong = Psf::moffat(width, 3, {0, 20});
        const double want = expected(truth, wrong), got = misfit(f, wrong).error;
        MESSAGE("FWHM ", width, " for 2: ", got, ", of the two PSFs ", want);
        // The fit weighs pixels by their noise and frees the sky, and the best tenth of the stars lie well in their
        // pixel.
        CHECK(got > 0.6 * want);
        CHECK(got < 1.2 * want);
    }
    // Fainter stars say the same as long as they can, and noise alone says nothing.
    const Psf wrong = Psf::moffat(1.8, 3, {0, 20});
    const double want = misfit(f, wrong).error;
    for (double flux : {2e4, 6e3, 3e3}) {
        const Field faint = field(pool, truth, flux, 0, 0);
        const double none = misfit(faint, truth).error, got = misfit(faint, wrong).error;
        MESSAGE("stars of ", flux, " electrons: ", got, ", with the right PSF ", none);
        CHECK(none < 0.01);
        CHECK(got > 0.6 * want);
        CHECK(got < 1.3 * want);
    }
}

TEST_CASE("a PSF's misfit: a field of blends with a few single stars says as little against the PSF as these do") {
    ThreadPool pool(2);
    const Psf truth = Psf::moffat(2.0, 3, {0, 20});
    const PsfMisfit some = misfit(field(pool, truth, 1e5, 1.2, 24), truth),
                    all = misfit(field(pool, truth, 1e5, 1.2, 0), truth);
    MESSAGE("a fifth single: ", some.error, "; none: ", all.error);
    CHECK(some.error < 0.01);
    CHECK(all.error > 0.03);                                               // then nothing tells a blend from a PSF
    CHECK(std::isnan(misfit(field(pool, truth, 30, 0, 0), truth).error));  // too faint
    Field dark = field(pool, truth, 1e5, 0, 0);
    std::fill(dark.image.begin(), dark.image.end(), NAN);
    CHECK(std::isnan(misfit(dark, truth).error));
}

TEST_CASE("a PSF's blur: what the stars are broader by, found from bright and from faint ones and beside blends") {
    ThreadPool pool(2);
    const Psf sharp = Psf::moffat(2.0, 3, {0, 20});
    const auto blur = [&](const Field& f, const Psf& psf) {
        return psf_blur({f.image, f.mask, side, side}, INFINITY, 1 / image_unit(Exposure{}), psf, 0.01);
    };
    for (double sigma : {0.25, 0.4, 0.7}) {
        const Psf truth = sharp.convolved_gaussian(sigma);
        const PsfBlur bright = blur(field(pool, truth, 1e5, 0, 0), sharp);
        const PsfBlur faint = blur(field(pool, truth, 6e3, 0, 0), sharp);
        const PsfBlur mixed = blur(field(pool, truth, 1e5, 1.2, 80), sharp);
        MESSAGE("blurred by ", sigma, " px: ", bright.sigma, ", of faint stars ", faint.sigma, ", a third blends ",
                mixed.sigma, "; misfit left ", bright.blurred.error, ", ", faint.blurred.error);
        CHECK(bright.sigma == doctest::Approx(sigma).epsilon(0.05));
        CHECK(faint.sigma == doctest::Approx(sigma).epsilon(0.15));
        CHECK(mixed.sigma == doctest::Approx(sigma).epsilon(0.15));
        CHECK(bright.blurred.error < 0.003);
    }
    const Field right = field(pool, sharp, 1e5, 0, 0);
    CHECK(blur(right, sharp).sigma == 0);
    const PsfBlur narrow = blur(right, Psf::moffat(2.2, 3, {0, 20}));  // a blur can't make it narrower
    CHECK(narrow.sigma == 0);
    CHECK(narrow.sharp.error > 0.01);
    CHECK(blur(field(pool, sharp, 1e5, 1.2, 24), sharp).sigma == 0);
    CHECK(blur(field(pool, sharp, 30, 0, 0), sharp).sigma == 0);  // too faint to tell
    // Much too narrow: not one star is like it, and it still is the PSF that is wrong.
    const Field wide = field(pool, Psf::moffat(4.5, 3, {0, 20}), 1e5, 0, 0);
    CHECK(misfit(wide, sharp).error > 0.3);
    // Other wings are no blur: from bright stars on one is only taken if it has lowered the misfit by a fifth.
    const Psf wrong = Psf::moffat(2.0, 2, {0, 20});
    for (double flux : {3e3, 4e3, 6e3, 8e3, 1.2e4}) {
        const PsfBlur b = blur(field(pool, wrong, flux, 0, 0), Psf::moffat(2.0, 2.6, {0, 20}));
        MESSAGE("other wings, ", flux, " electrons: ", b.sharp.error, " (limit ", b.sharp.limit, "), blur ", b.sigma,
                " leaves ", b.blurred.error);
        if (b.blurred.error > 0 && b.sigma > 0) CHECK(b.blurred.error < 0.8 * b.sharp.error);
        CHECK((b.sigma == 0 || b.sharp.error > 0.01));
    }
}
