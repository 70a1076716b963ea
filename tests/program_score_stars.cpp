// Catalogues of single stars: magnitudes that must agree, and files with SOURCES.
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

#include "io/fits_writer.h"
#include "tests/program_run.h"
#include "tools/catalogue.h"
#include "tools/score_evaluation.h"
#include "tools/score_galaxies.h"
#include "tools/trial_fields.h"
#include "tools/truth.h"

using namespace star;
using namespace star::test;

namespace {

Wanted star_at(double x, double mag) {
    Wanted w{{}, x, 50, 0};
    w.magnitude = mag;
    return w;
}

Found source_at(double x, double mag, double score) {
    Found f{{}, x, 50, score};
    f.magnitude = mag;
    return f;
}

// What detect would write of these stars.
Table sources(const std::vector<TruthStar>& stars, double mag_off) {
    std::vector<double> x, y, flux, error, mag;
    for (const TruthStar& s : stars) {
        if (!s.counts) continue;
        x.push_back(s.x + 0.5), y.push_back(s.y + 0.5), flux.push_back(s.flux), error.push_back(s.flux / 10);
        mag.push_back(26.32 + 2.5 * std::log10(150) - 2.5 * std::log10(s.flux) + mag_off);
    }
    Table t;
    t.name = "SOURCES";
    t.columns = {{"X_IMAGE", "pix", "", "", "", x},
                 {"Y_IMAGE", "pix", "", "", "", y},
                 {"FLUX_PSF", "", "", "", "", flux},
                 {"FLUXERR_PSF", "", "", "", "", error},
                 {"MAG_PSF", "mag", "", "", "", mag}};
    return t;
}

}  // namespace

TEST_CASE("by centre, magnitudes may be asked to agree") {
    MatchRule rule{MatchRule::By::centre};
    rule.most_mag = 0.75;
    const auto hits = [&](std::vector<Wanted> wanted, std::vector<Found> found) {
        return score_field({100, 100, std::move(found), std::move(wanted)}, rule).matrix[0][0];
    };
    CHECK(hits({star_at(50, 24)}, {source_at(50, 24.75, 1)}) == 1);
    CHECK(hits({star_at(50, 24)}, {source_at(50, 24.76, 1)}) == 0);
    CHECK(hits({star_at(50, 24)}, {source_at(50, 23.24, 1)}) == 0);
    CHECK(hits({star_at(50, 24)}, {source_at(50, not_known, 1)}) == 1);
    CHECK(hits({star_at(50, not_known)}, {source_at(50, 20, 1)}) == 1);
    // Not the nearest, but the nearest whose magnitude fits.
    CHECK(hits({star_at(50, 20), star_at(50.5, 24)}, {source_at(50, 24, 1)}) == 1);
    CHECK(hits({star_at(50, 20), star_at(50.5, 24)}, {source_at(50, 24, 2), source_at(50.5, 20, 1)}) == 2);
    rule.most_mag = 0;
    CHECK_THROWS_AS(score_field({10, 10, {}, {}}, rule), Error);
}

TEST_CASE("stars of the truth: those that count, those that may, and the rest") {
    Truth truth;
    truth.stars = {{1, 2, 100, 5, 1, true, 0, 0}, {3, 4, 10, 2.5, 0.5, false, 0, 1}, {5, 6, 1, 0, 0, false, -1, 2}};
    const auto rows = wanted_stars(truth, 25);
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].label == 0);
    CHECK(rows[0].magnitude == doctest::Approx(20));
    CHECK(rows[1].label == label_ignored);
    CHECK(rows[1].x == 3);
}

TEST_CASE("galaxies are reported or not, by the detection of highest score within them") {
    const auto seen = [](double x, int label, double score) { return Found{{}, x, 50, score, label}; };
    const std::vector<WantedGalaxy> galaxies{{20, 50, 3}, {60, 50, 3}, {80, 50, 3}, {3, 50, 3}};
    ScoredField field{100, 100, {seen(21, 1, 0.4), seen(19, 0, 0.5), seen(62.9, 2, 0.9), seen(83.1, 4, 1)}, {}};
    const auto tally = [&] { return tally_galaxies(field, field.found, galaxies, 4); };
    CHECK(tally().galaxies == 3);  // the last is at the edge
    CHECK(tally().reported == 2);
    CHECK(tally().blends == 1);  // the first is a star, says the better of two
    field.wanted.push_back(star_at(61, 24));
    CHECK(tally().galaxies == 2);  // a star's detection isn't the galaxy's
    CHECK(tally().blends == 0);
}

TEST_CASE("galaxies that an image shows as such: large and bright ones") {
    const Exposure e;
    const FieldSimulator simulator(Psf::gaussian(2), e, {}, {});
    // Half the light within the radius, on its own photons and the sky's: just above and just below 10 for one of 6 px.
    const double radius = std::hypot(6, simulator.psf().fwhm() / 2), sigma = native_sigma(e),
                 noise = std::numbers::pi * radius * radius * sigma * sigma;
    const double light = 50 + std::sqrt(2500 + 100 * noise);  // L = 10 sqrt(L + noise)
    Field field;
    for (const double flux : {2.02 * light, 1.98 * light})
        field.scene.galaxies.push_back({10, 20, 0, flux, 6, 1, 1, 0});
    field.scene.galaxies.push_back({30, 40, 0, 100 * light, 0.15 / 0.074 - 0.01, 1, 1, 0});  // bright, but small
    const auto rows = wanted_galaxies(field, simulator, 0.074);
    REQUIRE(rows.size() == 1);
    CHECK(rows[0].x == 10);
    CHECK(rows[0].y == 20);
    CHECK(rows[0].radius == doctest::Approx(radius));
}

TEST_CASE("evaluate: galaxies are counted where the scene holds some") {
    const Bench b;
    put_tiny_model(b);
    const auto scores = [&](const std::string& more) {
        b.must(
            "evaluate -q --overwrite --model m.safetensors --preset csst-g --fields 3 --side 200 --json s.json "
            "--set scene.stars=none " +
            more);
        return nlohmann::json::parse(b.get("s.json"));
    };
    const auto with = scores("--set scene.galaxies=true");
    CHECK(with.at("galaxies").at("galaxies") > 0);
    CHECK(with.at("galaxies_by_chance").at("galaxies") == 8 * with.at("galaxies").at("galaxies").get<int>());
    CHECK(!scores("").contains("galaxies"));
}

TEST_CASE("evaluate: SOURCES are scored by star") {
    const Bench b;
    b.must(
        "simulate -q --preset csst-g --width 128 -o truth.fits --set mock.density_min=0.003 --set "
        "mock.density_max=0.003");
    const Truth truth = read_truth(b / "truth.fits");
    const auto scores = [&](double mag_off) {
        write_tables(b / "cat.fits", {}, {blends_table({}, {}), sources(truth.stars, mag_off)}, true);
        b.must("evaluate cat.fits --truth truth.fits --json s.json --overwrite");
        return nlohmann::json::parse(b.get("s.json")).at("by_star").at("figures");
    };
    const auto perfect = scores(0);
    CHECK(perfect.at("recall of 1").at("value") == 1);
    CHECK(perfect.at("precision of 1").at("value") == 1);
    CHECK(perfect.at("recall of 1").at("chance") < 0.2);
    const auto off =
        scores(1);  // too faint by a magnitude: hardly a star has another of the right brightness beside it
    CHECK(off.at("recall of 1").at("value") < 0.2);
    write_tables(b / "cat.fits", {}, {blends_table({}, {})}, true);
    b.must("evaluate cat.fits --truth truth.fits --json s.json --overwrite");
    CHECK(!nlohmann::json::parse(b.get("s.json")).contains("by_star"));
}

TEST_CASE("evaluate: a model's stars are fitted and scored by star") {
    const Bench b;
    put_tiny_model(b);
    b.must("evaluate -q --model m.safetensors --fields 2 --side 80 --stars --json s.json");
    const auto figures = nlohmann::json::parse(b.get("s.json")).at("by_star").at("figures");
    const double recall = figures.at("recall of 1").at("value"), chance = figures.at("recall of 1").at("chance");
    MESSAGE("recall of stars ", recall, ", by chance ", chance);
    CHECK(recall > 0.4);  // bright ones are found whatever an untrained network says
    CHECK(recall > 3 * chance);
    b.refused("evaluate a.fits --truth b.fits --stars", 2, {"--stars", "--model"});
}
