// What only the emulator can show of the kernel that fits stars: equal bits in every order of threads; and whole fields
// on the device.
#include "sim/field.h"
#include "sim/fit_field.h"
#include "tests/cuda_fit_cases.h"
#include "tests/in_all_orders.h"

using namespace star;
using namespace star::test;

TEST_CASE("fit_stars gives equal bits in every order of threads, as PieceFit on the device does") {
    ThreadPool pool(2);
    const PsfField field({0, 60}, {0, 52}, [](int ix, int iy) {
        return Psf::moffat(1.6 + 0.2 * ix + 0.1 * iy, 3, {2, 8});
    });
    FitCase c(pool, PsfMap(field, 0, 0, FitCase::width, FitCase::height), 0.4);
    c.add_random(9, 9, 0, 1, 1, 1);
    c.add_random(28, 10, 2, 3, 2, 2);
    c.add_random(14, 30, 2, 14, 4, 4);
    const GroupLimits limits{.iterations = 3};
    CHECK(same_in_all_orders([&](Stream stream) { return c.from_kernel(stream, limits, true); }));
    const FitResult whole = c.from_kernel({gpu, &pool}, limits, true), parts = c.fitted({gpu, &pool}, limits);
    // PieceFit launches twice, once for the small ones, whose kernel sums in another order.
    CHECK(whole.results.size() == parts.results.size());
    for (std::size_t i = 0; i < whole.results.size(); ++i) {
        const FitPiece& p = c.pieces()[i];
        CAPTURE(i);
        CHECK(std::fabs(whole.results[i].chi2 - parts.results[i].chi2) < 1e-9 * whole.results[i].chi2);
        for (int k = p.first; k < p.first + p.stars; ++k) {
            const FitStar &a = whole.stars[std::size_t(k)], &b = parts.stars[std::size_t(k)];
            const double bound = p.stars > few_fit_stars ? 0 : apart * whole.errors[std::size_t(p.first)].flux;
            CHECK(std::fabs(a.flux - b.flux) <= bound);
        }
    }
}

TEST_CASE("FieldFit finds on a device the stars that it finds on a CPU") {
    ThreadPool pool(2);
    Exposure e;
    e.drizzle_sigma = 0.4;
    SceneOptions scene;
    scene.mock.emplace();
    scene.mock->density_min = scene.mock->density_max = 0.02;
    const FieldSimulator simulator(Psf::moffat(1.7, 3, {0, 12}), e, scene, {});
    const int width = 64, height = 56;
    const Field field = simulator.make(pool, {width, height, 24, 3, 0});
    const double unit = image_unit(e), sigma = native_sigma(e) * unit;
    const std::vector<float> sky(field.image.size(), float(background_level(e))),
        variance(field.image.size(), float(sigma * sigma));
    const FitImage image{width, height, field.image, sky, variance, field.mask, 1 / unit, e.drizzle_sigma};
    const FieldFitLimits limits{.second_passes = 1, .sweeps = 2};
    FieldFit cpu({{}, &pool}, image, simulator.psf(), limits), device({gpu, &pool}, image, simulator.psf(), limits);
    std::vector<FitUnit> units;
    for (const TruthUnit& u : field.truth.units)
        if (u.label >= 0) units.push_back({u.box, {0.4, 0.3, 0.1, 0.1, 0.1}});
    const auto compare = [&](const std::string& what) {
        // Each of some ten sweeps and choices adds what one fit may (apart), in units of the errors, which are a tenth
        // of a pixel at most for places of stars that count.
        constexpr double bound = 10 * apart;
        double worst = 0;
        for (std::size_t i = 0; i < cpu.stars().size(); ++i) {
            const FieldStar &a = cpu.stars()[i], &b = device.stars()[i];
            worst = std::max(worst, std::fabs(a.at.flux - b.at.flux) / a.error.flux);
            CHECK(std::fabs(a.at.flux - b.at.flux) <= bound * a.error.flux);
            CHECK(std::fabs(a.error.flux - b.error.flux) <= bound * a.error.flux);
            CHECK(std::fabs(a.at.x - b.at.x) <= bound / 10);
            CHECK(std::fabs(a.at.y - b.at.y) <= bound / 10);
            CHECK(a.converged == b.converged);
            CHECK(a.crowded == b.crowded);
        }
        MESSAGE(cpu.stars().size(), " stars ", what, ", at most ", worst, " errors apart");
    };
    for (const std::span<const FitUnit> with : {std::span<const FitUnit>(units), std::span<const FitUnit>()}) {
        CHECK(simt::counted([&] { cpu.find(with); }).launches == 0);
        CHECK(simt::counted([&] { device.find(with); }).launches > 0);
        REQUIRE(cpu.stars().size() > 40);
        REQUIRE(cpu.stars().size() == device.stars().size());
        compare(with.empty() ? "found without units" : "found with units");
    }
    std::vector<FitStar> places;
    for (const FieldStar& s : cpu.stars()) places.push_back(s.at);
    cpu.measure(places, 0), device.measure(places, 0);
    compare("measured");
}
