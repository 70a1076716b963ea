// The fit of whole fields: crowded mocks against their truth, the same bits for any threads, and images that are none.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kernels/random.h"
#include "sim/field.h"
#include "sim/fit_field.h"
#include "sim/fit_quality.h"

using namespace star;

namespace {

// A simulated field as tools hand it to the fit; electrons.
struct DrawnField {
    Field field;
    std::vector<float> sky, variance;
    std::vector<FitUnit> units;
    FitImage image;

    DrawnField(ThreadPool& pool, const FieldSimulator& simulator, int width, int height, std::uint64_t seed)
        : field(simulator.make(pool, {width, height, 24, seed, 0})) {
        const Exposure& e = simulator.exposure();
        const double unit = image_unit(e), sigma = native_sigma(e) * unit;
        sky.assign(field.image.size(), float(background_level(e)));
        variance.assign(field.image.size(), float(sigma * sigma));
        image = {width, height, field.image, sky, variance, field.mask, 1 / unit, e.drizzle_sigma};
        // What a perfect network says.
        for (const TruthUnit& u : field.truth.units) {
            if (u.label < 0) continue;
            FitUnit f{u.box, {}};
            for (std::size_t k = 0; k < 5; ++k) f.chance[k] = double(u.chance[k]);
            units.push_back(f);
        }
    }
};

FieldSimulator simulator(double fwhm, double drizzle, double density) {
    Exposure e;
    e.drizzle_sigma = drizzle;
    SceneOptions scene;
    scene.mock.emplace();
    scene.mock->density_min = scene.mock->density_max = density;
    return {Psf::moffat(fwhm, 3, {0, 20}), e, scene, {}};
}

struct Tally {
    int truth = 0, found = 0, matched = 0;  // stars that count, stars of the fit, those that count and were found
    int real = 0;                           // of the fit: paired with a star of the list, whether it counts or not
    double completeness() const { return double(matched) / truth; }
    double purity() const { return double(real) / found; }
};

// One to one, brightest truth first: within 0.5 FWHM and 0.75 mag. 8 px at the edges are left out.
Tally tally(const DrawnField& s, const std::vector<FieldStar>& stars, double fwhm) {
    const auto inside = [&](double x, double y) {
        return x > 8 && y > 8 && x < s.field.width - 8 && y < s.field.height - 8;
    };
    std::vector<char> used(stars.size(), 0);
    const double unit = s.image.electrons_per_unit;
    Tally t;
    for (const FieldStar& f : stars) t.found += inside(f.at.x, f.at.y);
    std::vector<const TruthStar*> order;
    for (const TruthStar& star : s.field.truth.stars) order.push_back(&star);
    std::sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->flux > b->flux; });
    for (const TruthStar* star : order) {
        int best = -1;
        double closest = 0.5 * fwhm;
        for (std::size_t i = 0; i < stars.size(); ++i) {
            const double d = std::hypot(stars[i].at.x - star->x, stars[i].at.y - star->y);
            const double mag = 2.5 * std::fabs(std::log10(stars[i].at.flux * unit / star->flux));
            if (!used[i] && d < closest && mag < 0.75) closest = d, best = int(i);
        }
        const bool wanted = star->counts && inside(star->x, star->y);
        t.truth += wanted;
        if (best < 0) continue;
        used[std::size_t(best)] = 1;
        t.matched += wanted;
        t.real += inside(stars[std::size_t(best)].at.x, stars[std::size_t(best)].at.y);
    }
    return t;
}

bool equal(const FieldStar& a, const FieldStar& b) {
    return a.at.x == b.at.x && a.at.y == b.at.y && a.at.flux == b.at.flux && a.error.flux == b.error.flux &&
           a.error.x == b.error.x && a.sky == b.sky && a.unit == b.unit && a.converged == b.converged;
}

}  // namespace

TEST_CASE("fit: crowded mock fields, with the units of a perfect network and without any") {
    ThreadPool pool(2);
    for (double drizzle : {0.0, 0.4}) {
        const FieldSimulator sim = simulator(1.7, drizzle, 0.008);
        const DrawnField s(pool, sim, 300, 300, 3);
        Tally with, without;
        for (Tally* t : {&with, &without}) {
            FieldFit fit({{}, &pool}, s.image, sim.psf(), {});
            fit.find(t == &with ? std::span<const FitUnit>(s.units) : std::span<const FitUnit>{});
            *t = tally(s, fit.stars(), sim.psf().fwhm());
            int stuck = 0;
            for (const FieldStar& f : fit.stars()) stuck += !f.converged;
            CHECK(stuck <= int(fit.stars().size() / 50));
        }
        CAPTURE(drizzle);
        MESSAGE("drizzle ", drizzle, ", ", with.truth, " stars: completeness ", with.completeness(), ", purity ",
                with.purity(), "; without units ", without.completeness(), ", ", without.purity());
        // Loose: so many stars are within reach, and a fit that lost its way finds far fewer.
        CHECK(with.completeness() > 0.7);
        CHECK(with.purity() > 0.8);
        CHECK(without.purity() > 0.7);
        CHECK(with.completeness() > without.completeness());
    }
}

TEST_CASE("fit: the same bits for any number of threads") {
    const FieldSimulator sim = simulator(1.7, 0.4, 0.01);
    ThreadPool one(1), three(3);
    const DrawnField s(one, sim, 120, 90, 9);
    FieldFit a({{}, &one}, s.image, sim.psf(), {}), b({{}, &three}, s.image, sim.psf(), {});
    a.find(s.units), b.find(s.units);
    REQUIRE(a.stars().size() > 50);
    REQUIRE(a.stars().size() == b.stars().size());
    std::size_t same = 0;
    for (std::size_t i = 0; i < a.stars().size(); ++i) same += equal(a.stars()[i], b.stars()[i]);
    CHECK(same == a.stars().size());
    const auto qa = star_quality(a.scene(), a.stars()), qb = star_quality(b.scene(), b.stars());
    double chi2 = 0;
    for (std::size_t i = 0; i < qa.size(); ++i) {
        CHECK(qa[i].chi2 == qb[i].chi2);
        chi2 += qa[i].chi2 / double(qa.size());
    }
    // Some 24 pixels a star, of which three go into its place and flux: the mean is between 0.7 and a few stars missed.
    CHECK(chi2 > 0.7);
    CHECK(chi2 < 1.5);
}

TEST_CASE("fit: forced photometry is unbiased where there is nothing, and its errors are right") {
    ThreadPool pool(2);
    Exposure e;
    const FieldSimulator sim(Psf::moffat(1.7, 3, {0, 20}), e, {}, {});
    const DrawnField s(pool, sim, 800, 800, 4);
    std::vector<FitStar> places;
    for (int y = 0; y < 60; ++y)
        for (int x = 0; x < 60; ++x) places.push_back({8.3 + 13 * x, 8.7 + 13 * y, 0});
    FieldFit fit({{}, &pool}, s.image, sim.psf(), {});
    fit.measure(places, 0);
    double sum = 0, squares = 0, known = 0;
    const auto quality = star_quality(fit.scene(), fit.stars());
    for (std::size_t i = 0; i < places.size(); ++i) {
        const FieldStar& f = fit.stars()[i];
        CHECK(f.at.x == places[i].x);
        CHECK(std::isnan(f.error.x));
        const double z = f.at.flux / f.error.flux;
        sum += z, squares += z * z, known += quality[i].snr * quality[i].snr;
    }
    const double n = double(places.size()), mean = sum / n, width = std::sqrt(squares / n - mean * mean);
    MESSAGE(places.size(), " empty places: ", mean, " +- ", width, "; over the error with the sky known ",
            std::sqrt(known / n));
    CHECK(std::fabs(mean) < 0.07);  // four standard errors
    CHECK(std::fabs(width - 1) < 0.05);
    // Of places without neighbours the sky alone makes the difference: a little, and to one side.
    CHECK(std::sqrt(known / n) > width);
    CHECK(std::sqrt(known / n) < 1.2 * width);
}

TEST_CASE("fit: a PSF that changes over the image: each star has its place's; with one PSF for all, fluxes lean") {
    ThreadPool pool(2);
    constexpr int side = 600;
    const auto widening = std::make_shared<PsfField>(std::vector<double>{0, side / 2.0, side},
                                                     std::vector<double>{0, side}, [](int ix, int iy) {
                                                         return Psf::moffat(1.6 + 0.4 * ix + 0.3 * iy, 3, {4, 20});
                                                     });
    SceneOptions scene;
    for (int y = 0; y < 24; ++y)
        for (int x = 0; x < 24; ++x)
            scene.list.push_back({12.3 + 24.37 * x, 12.6 + 24.21 * y, 0, x % 2 ? 20000.0 : 3000.0});
    scene.varying_psf = VaryingPsf{widening, side / 2.0, side / 2.0};
    const FieldSimulator sim(widening->at(side / 2.0, side / 2.0), Exposure{}, scene, {});
    const DrawnField s(pool, sim, side, side, 8);
    const auto fitted = [&](const PsfMap& psf) {
        FieldFit fit({{}, &pool}, s.image, psf, {});
        std::vector<FitStar> places;
        for (const Star& star : scene.list) places.push_back({star.x, star.y, 0});
        fit.measure(places, 0.5);
        return fit;
    };
    struct Said {
        double lean = 0, mean = 0, width = 0, chi2 = 0;  // flux: sharp side over wide side; pulls; chi^2
    };
    const auto say = [&](const FieldFit& fit) {
        Said said;
        const double n = double(scene.list.size());
        const auto quality = star_quality(fit.scene(), fit.stars());
        for (std::size_t i = 0; i < scene.list.size(); ++i) {
            const FieldStar& f = fit.stars()[i];
            const double truth = scene.list[i].flux / s.image.electrons_per_unit,
                         z = (f.at.flux - truth) / f.error.flux;
            said.mean += z / n, said.width += z * z / n;
            said.lean += (scene.list[i].x < side / 2.0 ? 2 : -2) * f.at.flux / truth / n;
            said.chi2 += quality[i].chi2 / n;
        }
        said.width = std::sqrt(said.width - said.mean * said.mean);
        return said;
    };
    const Said one = say(fitted(sim.psf())), each = say(fitted(scene.varying_psf->over(side, side)));
    MESSAGE("one PSF: sharp side's flux +", one.lean, ", chi2 ", one.chi2, "; each its own: ", each.lean, ", pulls ",
            each.mean, " +- ", each.width, ", chi2 ", each.chi2);
    CHECK(one.lean > 0.05);
    CHECK(std::fabs(each.lean) < 0.01);
    CHECK(std::fabs(each.mean) < 4 / std::sqrt(576.0));
    CHECK(std::fabs(each.width - 1) < 4 / std::sqrt(2 * 576.0));
    CHECK(each.chi2 < 1.1);
    CHECK(one.chi2 > 1.5);

    SUBCASE("found, too; the same bits for any number of threads") {
        const auto found = [&](int threads) {
            ThreadPool own(threads);
            FieldFit fit({{}, &own}, s.image, scene.varying_psf->over(side, side), {});
            fit.find(s.units);
            return fit.stars();
        };
        const auto a = found(1), b = found(3);
        REQUIRE(a.size() == b.size());
        std::size_t same = 0;
        for (std::size_t i = 0; i < a.size(); ++i) same += equal(a[i], b[i]);
        CHECK(same == a.size());
        CHECK(tally(s, a, sim.psf().fwhm()).completeness() > 0.98);
    }
}

TEST_CASE("fit: images that are none, and units that make no sense") {
    ThreadPool pool(2);
    const FieldSimulator sim = simulator(1.7, 0, 0.005);
    const double nan = std::numeric_limits<double>::quiet_NaN();
    DrawnField s(pool, sim, 60, 50, 2);
    const auto found = [&](const Psf& psf) {
        FieldFit fit({{}, &pool}, s.image, psf, {});
        fit.find(s.units);
        for (const FieldStar& f : fit.stars()) {
            CHECK(std::isfinite(f.at.x + f.at.y + f.at.flux));
            CHECK(f.at.flux / f.error.flux >= 3);
        }
        return fit.stars().size();
    };
    REQUIRE(found(sim.psf()) > 5);
    SUBCASE("no pixel is a number") {
        std::fill(s.field.image.begin(), s.field.image.end(), float(nan));
        CHECK(found(sim.psf()) == 0);
    }
    SUBCASE("all pixels are saturated") {
        std::fill(s.field.mask.begin(), s.field.mask.end(), std::uint8_t{4});
        CHECK(found(sim.psf()) == 0);
    }
    SUBCASE("no variance") {
        std::fill(s.variance.begin(), s.variance.end(), 0.0f);
        CHECK(found(sim.psf()) == 0);
    }
    SUBCASE("a PSF larger than the image") { found(Psf::moffat(12, 3, {2, 40})); }
    SUBCASE("units beyond the image, of no size, and two hundred in one place") {
        s.units.push_back({{-500, -500, -490, -490}, {1, 1, 1, 1, 1}});
        s.units.push_back({{1e6f, 1e6f, 1e6f, 1e6f}, {0, 0, 0, 0, 0}});
        for (int i = 0; i < 200; ++i) s.units.push_back({{20, 20, 25, 25}, {0, 0, 0, 0, 1}});
        CHECK(found(sim.psf()) > 5);
    }
    SUBCASE("stars beyond the image, in one place, and on its edge are measured or say that they aren't") {
        const std::vector<FitStar> places{{-40, 20, 0}, {30, 20, 0}, {30.1, 20, 0}, {60, 50, 0}, {0, 0, 0}};
        FieldFit fit({{}, &pool}, s.image, sim.psf(), {});
        fit.measure(places, 0.5);
        REQUIRE(fit.stars().size() == places.size());
        CHECK(!(fit.stars()[0].error.flux > 0));
        for (std::size_t i = 1; i < places.size(); ++i) CHECK(fit.stars()[i].error.flux > 0);
    }
    SUBCASE("two hundred stars on 5 x 5 px, and none of them has any light") {
        std::vector<FitStar> places;
        Random r(5, 0);
        for (int i = 0; i < 200; ++i) places.push_back({r.uniform(20, 25), r.uniform(20, 25), 0});
        std::copy(s.sky.begin(), s.sky.end(), s.field.image.begin());
        for (double moves : {0.0, 0.5}) {
            FieldFit fit({{}, &pool}, s.image, sim.psf(), {});
            fit.measure(places, moves);
            REQUIRE(fit.stars().size() == places.size());
            for (std::size_t i = 0; i < places.size(); ++i) {
                const FieldStar& f = fit.stars()[i];
                CHECK(std::isfinite(f.at.flux));
                CHECK(std::fabs(f.at.x - places[i].x) <= moves * (1 + 1e-12));
                CHECK(std::fabs(f.at.y - places[i].y) <= moves * (1 + 1e-12));
                CHECK(f.crowded);  // of 200 neighbours at most 36 are fitted together
            }
        }
    }
}
