// Images larger than a plate: their geometry, their seams, and that nothing of how they are worked on shows.
#include <cmath>

#include "io/fits_image.h"
#include "io/fits_writer.h"
#include "tests/program_run.h"
#include "tools/plates.h"

using namespace star;
using namespace star::test;

namespace {

Blend unit(double x, double y, double score) {
    Blend b;
    b.x = x, b.y = y, b.score = score;
    b.box = {float(x - 2), float(y - 2), float(x + 2), float(y + 2)};
    return b;
}

Source star_at(double x, double y, double flux, int blend) {
    Source s;
    s.at = {x, y, flux}, s.blend = blend;
    return s;
}

// 2400 x 48 px of the simulator's stars: two plates side by side.
void put_wide_field(const Bench& b) {
    put_tiny_model(b);
    b.must("simulate -q -o field.fits --width 2400 --height 48");
}

const std::string detect = "detect field.fits" + tiny;

}  // namespace

TEST_CASE("plates: cores cover an image once, on whole tiles, within bounds") {
    for (const auto& [w, h] : {std::pair{1, 1}, {2240, 2240}, {2241, 100}, {8000, 5001}, {30000, 30000}}) {
        CAPTURE(w);
        const auto plates = plates_of(w, h, 224);
        std::int64_t area = 0;
        for (const Plate& p : plates) {
            const int x0 = std::max(p.core.x0, 0), y0 = std::max(p.core.y0, 0), x1 = std::min(p.core.x1, w),
                      y1 = std::min(p.core.y1, h);
            area += std::int64_t{x1 - x0} * (y1 - y0);
            CHECK(x0 % 224 == 0);
            CHECK(p.seen.x0 % 224 == 0);
            CHECK(p.seen.x0 % 64 == 0);  // the sky's mesh, too
            CHECK(p.seen.y0 % 64 == 0);
            CHECK(p.seen.x0 <= std::max(0, x0 - 384));
            CHECK(p.seen.x0 + p.seen.width >= std::min(w, x1 + 384));
            CHECK(p.seen.width <= 1792 + 448 + 2 * 448);
            CHECK(p.seen.x0 + p.seen.width <= w);
        }
        CHECK(area == std::int64_t{w} * h);
    }
    CHECK(plates_of(2240, 2240, 224).size() == 1);
    CHECK(plates_of(2241, 2240, 224).size() == 2);
}

TEST_CASE("plates: what both saw at a seam is one row, and stars stay linked to it") {
    const auto plates = plates_of(2400, 100, 224);
    REQUIRE(plates.size() == 2);
    REQUIRE(plates[0].core.x1 == 1792);
    PlateRows left, right;
    left.blends = {unit(500, 50, 0.5), unit(1791.99, 20, 0.8), unit(1792.3, 60, 0.9)};
    left.sources = {star_at(500, 50, 3, 1), star_at(1791.99, 20, 5, 2), star_at(1792.3, 60, 7, 3)};
    right.blends = {unit(1792.01, 20, 0.7), unit(1792.31, 60, 0.6), unit(1793.5, 60, 0.95), unit(2000, 10, 0.4)};
    right.sources = {star_at(1792.01, 20, 5, 1), star_at(1792.31, 60, 7, 2), star_at(2000, 10, 1, 4)};
    const PlateRows all = merged({left, right}, plates, 1.0);
    REQUIRE(all.blends.size() == 5);
    std::vector<double> scores;
    for (const Blend& b : all.blends) scores.push_back(b.score);
    // Of twins the one in its own core: at x = 1791.99 the left's or, above the seam, the right's; by score if both
    // are.
    CHECK(scores == std::vector<double>{0.95, 0.8, 0.6, 0.5, 0.4});
    REQUIRE(all.sources.size() == 4);
    for (std::size_t i = 0; i < all.sources.size(); ++i) {
        const Source& s = all.sources[i];
        CHECK(s.id == int(i) + 1);
        REQUIRE(s.blend > 0);
        CHECK(std::hypot(all.blends[std::size_t(s.blend - 1)].x - s.at.x,
                         all.blends[std::size_t(s.blend - 1)].y - s.at.y) < 0.1);
    }
}

TEST_CASE("plates: threads and memory don't show; an interrupted run goes on with the same bits") {
    const Bench b;
    put_wide_field(b);
    b.must(detect + "-q -o whole.fits --threads 2 --mem-limit 2G");
    b.must(detect + "-q -o small.fits --threads 1 --mem-limit 128M");
    CHECK(tables(b, "whole.fits") == tables(b, "small.fits"));
    CHECK(!std::filesystem::exists(b / "whole.fits.progress"));
    const auto rows = read_blends(b / "whole.fits");
    CHECK(rows.size() > 100);
    int far = 0;
    for (const Blend& u : rows) far += u.x > 1800;
    CHECK(far > 20);  // the second plate's

    const Outcome stopped = b.run(detect + "-o part.fits", {"plate 2 of 2"});
    INFO(stopped.err);
    REQUIRE(stopped.code == 143);
    CHECK(stopped.err.find("partial") != std::string::npos);
    CHECK(verified(b, "part.fits").value_or(true));
    CHECK(read_blends(b / "part.fits").size() < rows.size());
    REQUIRE(std::filesystem::exists(b / "part.fits.progress"));
    b.refused(detect + "-q -o part.fits --resume --min-snr 5", 3, {"part.fits.progress", "another run"});
    const std::string progress = b.get("part.fits.progress");
    b.put("part.fits.progress", progress + "half a record");  // as SIGKILL leaves it
    const Outcome resumed = b.must(detect + "-o part.fits --resume");
    CHECK(resumed.err.find("plate 1 of 2") == std::string::npos);
    CHECK(resumed.err.find("plate 2 of 2") != std::string::npos);
    CHECK(tables(b, "part.fits") == tables(b, "whole.fits"));
    CHECK(!std::filesystem::exists(b / "part.fits.progress"));
}

TEST_CASE("plates: one that can't be read costs its own rows alone") {
    const Bench b;
    put_wide_field(b);
    std::vector<float> mask(2400 * 48, 0);
    mask[20 * 2400 + 2300] = 0.5f;  // no bits: only the second plate and its margin hold it
    write_image(b / "mask.fits", mask, 2400, 48, {}, false);
    const Outcome o = b.run(detect + "-q -o out.fits --mask mask.fits");
    INFO(o.err);
    CHECK(o.code == 6);
    CHECK(o.err.find("columns 1793 to 2400") != std::string::npos);
    int left = 0, right = 0;
    for (const Blend& u : read_blends(b / "out.fits")) ++(u.x < 1793 ? left : right);
    CHECK(left > 50);
    CHECK(right == 0);
    b.refused(detect + "-q -o no.fits --model-image picture.fits", 2, {"--model-image", "field.fits"});
}

TEST_CASE("plates: measure works through them, says where it couldn't, and stops between them") {
    const Bench b;
    put_wide_field(b);
    b.must(detect + "-q -o found.fits");
    const std::string measure = "measure field.fits --positions found.fits --model m.safetensors ";
    b.must(measure + "-q -o again.fits --threads 2");
    b.must(measure + "-q -o once.fits --threads 1");
    CHECK(tables(b, "again.fits") == tables(b, "once.fits"));
    const Table found = read_table(b / "found.fits", "SOURCES"), again = read_table(b / "again.fits", "SOURCES");
    REQUIRE(again.rows() == found.rows());
    CHECK(again.numbers("X_IMAGE") == found.numbers("X_IMAGE"));
    const auto x = found.numbers("X_IMAGE"), was = found.numbers("FLUX_PSF"), is = again.numbers("FLUX_PSF"),
               error = found.numbers("FLUXERR_PSF");
    int far = 0, right = 0, at_seam = 0;
    for (std::size_t i = 0; i < was.size(); ++i) {
        far += !(std::fabs(is[i] - was[i]) < 3 * error[i]);
        right += x[i] > 1800, at_seam += std::fabs(x[i] - 1792.5) < 30;
    }
    MESSAGE(was.size(), " places, ", right, " of the second plate, ", at_seam, " at the seam; ", far, " differ");
    CHECK(right > 20);
    CHECK(at_seam > 3);
    CHECK(far <= int(was.size() / 50));

    const Outcome stopped = b.run(measure + "-o part.fits", {"plate 1 of 2"});
    CHECK(stopped.code == 143);
    CHECK(stopped.err.find("partial") != std::string::npos);
    CHECK(b.run(measure + "-o whole.fits", {"plate 2 of 2"}).code == 0);  // nothing was left to do
    CHECK(tables(b, "whole.fits") == tables(b, "again.fits"));
    std::vector<float> mask(2400 * 48, 0);
    mask[20 * 2400 + 2300] = 0.5f;
    write_image(b / "mask.fits", mask, 2400, 48, {}, false);
    const Outcome broken = b.run(measure + "-q -o left.fits --mask mask.fits");
    CHECK(broken.code == 6);
    CHECK(broken.err.find("columns 1793 to 2400") != std::string::npos);
    const Table left = read_table(b / "left.fits", "SOURCES");
    const auto flux = left.numbers("FLUX_PSF"), flags = left.numbers("FLAGS");
    REQUIRE(left.rows() == found.rows());
    for (std::size_t i = 0; i < flux.size(); ++i) {
        CHECK(std::isfinite(flux[i]) == (x[i] < 1792.5));
        if (x[i] > 1792.5) CHECK(int(flags[i]) == flag_no_convergence);
    }
    b.refused(measure + "-q -o no.fits --residual picture.fits", 2, {"--residual", "field.fits"});
}
