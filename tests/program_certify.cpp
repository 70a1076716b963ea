// The certificate: where artificial stars go, what is counted of them, and what a user gets.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "io/fits_writer.h"
#include "tests/program_run.h"
#include "tools/added_light.h"
#include "tools/artificial_stars.h"
#include "tools/certificate.h"
#include "tools/surface_brightness.h"

using namespace star;
using namespace star::test;

namespace {

Observation flat_observation(int width, int height, float level, double electrons) {
    Observation o;
    o.image.width = width, o.image.height = height;
    o.image.pixels.assign(std::size_t(width) * std::size_t(height), level);
    o.noise = {electrons, 25, 1};
    return o;
}

struct Moments {
    double mean = 0, variance = 0;
};

Moments moments(const std::vector<double>& v) {
    Moments m;
    for (const double x : v) m.mean += x / double(v.size());
    for (const double x : v) m.variance += (x - m.mean) * (x - m.mean) / double(v.size() - 1);
    return m;
}

}  // namespace

TEST_CASE("certify: artificial stars lie everywhere alike, never near each other, and as many as were asked for") {
    const ArtificialStars plan{300, 200, 20, 10, 1000, 4001};
    const auto trials = plan_artificial_stars(plan, 7);
    std::size_t count = 0;
    int quarter[4][4] = {}, tenth[10] = {};
    for (const auto& stars : trials) {
        count += stars.size();
        for (std::size_t i = 0; i < stars.size(); ++i) {
            const ArtificialStar& s = stars[i];
            REQUIRE((s.x >= 0 && s.x < 300 && s.y >= 0 && s.y < 200 && s.flux >= 10 && s.flux <= 1000));
            ++quarter[int(s.y / 50)][int(s.x / 75)];
            ++tenth[std::min(9, int(5 * std::log10(s.flux / 10)))];
            for (std::size_t j = 0; j < i; ++j) CHECK(std::hypot(s.x - stars[j].x, s.y - stars[j].y) >= 10);
        }
    }
    CHECK(count == 4001);
    CHECK(trials.size() >= 4001 / 176);  // 11 x 16 cells reach into the image at most
    double places = 0, fluxes = 0;       // chi squared of 15 and 9 degrees of freedom
    for (const auto& row : quarter)
        for (const int n : row) places += (n - 4001 / 16.0) * (n - 4001 / 16.0) / (4001 / 16.0);
    for (const int n : tenth) fluxes += (n - 400.1) * (n - 400.1) / 400.1;
    CHECK(places < 37.7);  // one in a thousand; stars of a trial spread more evenly than that
    CHECK(fluxes < 27.9);
    const auto again = plan_artificial_stars(plan, 7), other = plan_artificial_stars(plan, 8);
    CHECK(again[3][5].x == trials[3][5].x);
    CHECK(other[3][5].x != trials[3][5].x);
    // Fewer stars than cells: one trial, anywhere.
    const auto few = plan_artificial_stars({1000, 1000, 10, 1, 2, 50}, 1);
    REQUIRE(few.size() == 1);
    CHECK(few[0].size() == 50);
    CHECK(std::any_of(few[0].begin(), few[0].end(), [](auto& s) { return s.y > 700; }));
    CHECK_THROWS_AS(plan_artificial_stars({100, 100, 20, 10, 10, 5}, 1), Error);
}

TEST_CASE("certify: light is added with its photons' noise, and a twin has the sky, the stars and the noise") {
    ThreadPool pool(2);
    const Psf psf = Psf::gaussian(2.2);
    const Light light{pool, psf, 0};
    constexpr double gain = 4;
    const std::vector<PointSource> star{{20.3, 24.7, 5000}};
    std::vector<double> sums, peaks;
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        Observation o = flat_observation(48, 48, 100, gain);
        add_stars(light, star, 0, 0, seed, o);
        double sum = 0;
        for (const float v : o.image.pixels) sum += v - 100;
        sums.push_back(sum), peaks.push_back(o.image.pixels[24 * 48 + 20] - 100);
    }
    // The sum of Poisson counts of mean 20,000, in units of four electrons: sigma sqrt(20,000) / 4 = 35; of 400 such,
    // the mean is known to 1.8 and the variance to 7 %. The stamp leaves out less than a thousandth of the noise a
    // pixel.
    const Moments sum = moments(sums), peak = moments(peaks);
    CHECK(std::fabs(sum.mean - 5000 * psf.energy()) < 8);
    CHECK(sum.variance == doctest::Approx(5000 / gain).epsilon(0.25));
    CHECK(peak.mean == doctest::Approx(5000 * psf.at(20.5 - 20.3, 24.5 - 24.7)).epsilon(0.02));
    // The same stars in two parts of an image: the same light and the same noise.
    Observation whole = flat_observation(48, 48, 100, gain), part = flat_observation(30, 40, 100, gain);
    add_stars(light, star, 0, 0, 5, whole), add_stars(light, star, 10, 8, 5, part);
    CHECK(part.image.pixels[(24 - 8) * 30 + 20 - 10] == whole.image.pixels[24 * 48 + 20]);

    Observation seen = flat_observation(256, 256, 100, gain);
    const std::vector<PointSource> two{{60.2, 70.9, 40000}, {180.5, 100.5, 3000}};
    add_stars(light, two, 0, 0, 3, seen);
    seen.image.pixels[0] = NAN;
    const StreamOwner stream({}, &pool);
    std::vector<double> empty, bright;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        Observation twin = seen;
        make_twin(stream, light, Procedure{}, two, 0, 0, seed, twin);
        CHECK(std::isnan(twin.image.pixels[0]));
        empty.push_back(twin.image.pixels[200 * 256 + 40]), bright.push_back(twin.image.pixels[70 * 256 + 60]);
    }
    // Of 300 values the mean is known to 0.06 sigma, the variance to 8 %.
    const double expected = 40000 * psf.at(60.5 - 60.2, 70.5 - 70.9), e = moments(empty).variance;
    CHECK(moments(empty).mean == doctest::Approx(100).epsilon(0.02));
    CHECK(e == doctest::Approx((100 * gain + 25) / (gain * gain)).epsilon(0.3));
    CHECK(moments(bright).mean == doctest::Approx(100 + expected).epsilon(0.01));
    CHECK(moments(bright).variance == doctest::Approx(e + expected / gain).epsilon(0.3));
}

TEST_CASE("certify: surface brightness is the mean of usable pixels around a place") {
    Observation o = flat_observation(200, 120, 3, 1);
    for (int y = 0; y < 120; ++y)
        for (int x = 100; x < 200; ++x) o.image.pixels[std::size_t(y * 200 + x)] = 7;
    o.image.pixels[10 * 200 + 10] = NAN;
    o.mask.assign(o.image.pixels.size(), 0);
    o.image.pixels[11 * 200 + 10] = 1e9f, o.mask[11 * 200 + 10] = pixel_bad;
    SurfaceBrightness s(200, 120, 20);
    s.add(o, {0, 0, 200, 60}, 0, 0), s.add(o, {0, 60, 200, 120}, 0, 0);
    CHECK(s.around(12, 12) == doctest::Approx(3));
    CHECK(s.around(180, 60) == doctest::Approx(7));
    CHECK(s.around(60, 60) - s.around(60, 60, 160) == doctest::Approx(160.0 / (40 * 40)));  // five cells of 8 px
    CHECK(s.quantile(0.2) == doctest::Approx(3));
    CHECK(s.quantile(0.8) == doctest::Approx(7));
    CHECK(std::isnan(SurfaceBrightness(50, 50, 20).around(3, 3)));
}

TEST_CASE("certify: outcomes become bins, limits and a star's own completeness") {
    std::vector<ArtificialOutcome> stars;
    // By half magnitudes from 20 on: all, all, 3 of 4, 1 of 4, none are found where it is dark; none at 21.0 and beyond
    // where it is bright.
    const int of_twenty[2][5] = {{20, 20, 15, 5, 0}, {20, 20, 0, 0, 0}};
    for (int place = 0; place < 2; ++place)
        for (int bin = 0; bin < 5; ++bin)
            for (int i = 0; i < 20; ++i) {
                const bool found = i < of_twenty[place][bin];
                stars.push_back({20.25 + 0.5 * bin, place ? 9.0 : 1.0, place ? 3.0 : 1.0, found, i == 0, 0.1, -0.2, 0.3,
                                 i % 2 ? 1. : -1.});
            }
    const std::vector<TwinRow> twin{{20.3, 1, true, 0.5}, {20.4, 1, false, 0}, {99, 1, true, 0}, {NAN, 1, true, 0}};
    const Certificate c(stars, twin, {2, 5});
    REQUIRE(c.bins(0).size() == 5);
    CHECK(c.bins(0)[2].placed == 40);
    CHECK(c.bins(0)[2].found == 15);
    CHECK(c.bins(0)[2].completeness.value == doctest::Approx(15.0 / 80));  // a bright place weighs three dark ones
    CHECK(c.bins(1)[2].completeness.value == 0.75);
    CHECK(c.bins(2)[2].placed == 0);
    CHECK(std::isnan(c.bins(2)[2].completeness.value));
    CHECK(c.bins(3)[1].completeness.value == 1);
    CHECK(c.bins(0)[0].chance == 0.05);
    CHECK(c.bins(0)[0].rows == 2);
    CHECK(c.bins(0)[0].purity.value == 0.5);
    CHECK(c.bins(0)[0].purity_chance == 0.25);
    CHECK(c.bins(0)[0].magnitude_off.median == doctest::Approx(0.1));
    CHECK(c.bins(0)[0].x_off.median == doctest::Approx(-0.2));
    CHECK(c.bins(0)[0].flux_pull.spread == doctest::Approx(1.4826));

    CHECK(c.limit(0.5, 1).value == doctest::Approx(21.5));
    CHECK(c.limit(0.5, 3).value == doctest::Approx(21.0));
    CHECK(c.limit(0.5, 0).value == doctest::Approx(20.75 + 0.5 * 0.5 / (1 - 15.0 / 80)));
    CHECK(c.limit(0.5, 1).low < 21.5);
    CHECK(c.limit(0.5, 1).high > 21.5);
    CHECK(std::isnan(c.limit(0.5, 2).value));

    CHECK(c.completeness(21.25, 1) == doctest::Approx(0.75));
    CHECK(c.completeness(21.5, 1) == doctest::Approx(0.5));
    CHECK(c.completeness(21.5, 9) == doctest::Approx(0));
    CHECK(c.completeness(21.25, 3) == doctest::Approx(15.0 / 80));  // no star of its own class
    CHECK(c.completeness(3, 1) == 1);
    CHECK(c.completeness(30, 1) == 0);
    CHECK(std::isnan(c.completeness(NAN, 1)));
    CHECK(c.table().rows() == 20);
    CHECK(std::isnan(Certificate({}, {}, {1, 2}).limit(0.5, 0).value));
    CHECK(Certificate({}, {}, {1, 2}).table().rows() == 0);
    // Wilson's interval at one sigma holds p (1 - p) = n (p - p0)^2 at both of its ends.
    const Share s = share_of(3, 10);
    for (const double p : {s.low, s.high})
        CHECK(p * (1 - p) / 10 == doctest::Approx((p - 0.3) * (p - 0.3)).epsilon(1e-9));
}

TEST_CASE("certify: one command gives the catalogue, its completeness and every star's") {
    const Bench b;
    put_tiny_model(b);
    b.must("simulate -q -o field.fits --width 120 --height 100");
    const Outcome said = b.must("certify field.fits -o one.fits --stars 300" + tiny);
    CHECK(said.err.find("half are found at") != std::string::npos);
    b.must("detect -q field.fits -o plain.fits" + tiny);
    const Table sources = read_table(b / "one.fits", "SOURCES"), plain = read_table(b / "plain.fits", "SOURCES"),
                complete = read_table(b / "one.fits", "COMPLETE");
    REQUIRE(sources.rows() == plain.rows());
    CHECK(sources.numbers("FLUX_PSF") == plain.numbers("FLUX_PSF"));
    for (const double v : sources.numbers("COMPL")) CHECK((v >= 0 && v <= 1));
    const auto level = complete.numbers("LEVEL"), placed = complete.numbers("NPLACED"),
               found = complete.numbers("NFOUND"), share = complete.numbers("COMPL"),
               low = complete.numbers("COMPL_LO"), high = complete.numbers("COMPL_HI"),
               from = complete.numbers("MAG_MIN"), rows = complete.numbers("NROWS");
    double all = 0, parts = 0, twins = 0;
    for (std::size_t i = 0; i < complete.rows(); ++i) {
        (level[i] == 0 ? all : parts) += placed[i];
        if (level[i] == 0) twins += rows[i];
        if (placed[i] == 0) continue;
        if (level[i] > 0) CHECK(share[i] == doctest::Approx(found[i] / placed[i]));
        CHECK((low[i] <= share[i] && share[i] <= high[i]));
    }
    CHECK(all == 300);
    CHECK(parts == 300);
    CHECK(twins > 1000);
    // Bright stars are found whatever an untrained network says, faint ones aren't.
    std::vector<double> curve;
    for (std::size_t i = 0; i < complete.rows(); ++i)
        if (level[i] == 0 && placed[i] > 0) curve.push_back(share[i]);
    REQUIRE(curve.size() > 8);
    MESSAGE("completeness from bright to faint: ", curve.front(), " ... ", curve.back());
    CHECK((curve[0] + curve[1]) / 2 > 0.7);
    CHECK(curve.back() < 0.3);
    CHECK(verified(b, "one.fits").value_or(true));
    // The same bits for any number of threads; other stars from another seed.
    b.must("certify -q field.fits -o two.fits --stars 300 --threads 1" + tiny);
    CHECK(tables(b, "one.fits") == tables(b, "two.fits"));
    b.must("certify -q field.fits -o other.fits --stars 300 --seed 2" + tiny);
    CHECK(read_table(b / "other.fits", "COMPLETE").numbers("NFOUND") != found);
    b.must("report -q one.fits field.fits -o page.html --model m.safetensors");
    CHECK(b.get("page.html").find("id=\"completeness\"") != std::string::npos);
}

TEST_CASE("certify: an image of several plates is certified as one") {
    const Bench b;
    put_tiny_model(b);
    b.must("simulate -q -o wide.fits --width 2400 --height 48");  // two plates side by side
    b.must("certify -q wide.fits -o one.fits --stars 400" + tiny);
    const Table t = read_table(b / "one.fits", "COMPLETE");
    const auto level = t.numbers("LEVEL"), placed = t.numbers("NPLACED"), share = t.numbers("COMPL"),
               rows = t.numbers("NROWS");
    double all = 0, twins = 0;
    std::vector<double> curve;
    for (std::size_t i = 0; i < t.rows(); ++i) {
        if (level[i] != 0) continue;
        all += placed[i], twins += rows[i];
        if (placed[i] > 0) curve.push_back(share[i]);
    }
    CHECK(all == 400);  // each in the core of one plate alone
    CHECK(twins >= double(read_table(b / "one.fits", "SOURCES").rows()) / 2);
    REQUIRE(curve.size() > 8);
    MESSAGE("completeness from bright to faint: ", curve.front(), " ... ", curve.back());
    CHECK((curve[0] + curve[1]) / 2 > 0.7);
    CHECK(curve.back() < 0.3);
    b.must("certify -q wide.fits -o two.fits --stars 400 --threads 1 --mem-limit 3G" + tiny);
    CHECK(tables(b, "one.fits") == tables(b, "two.fits"));
}

TEST_CASE("certify: an interruption leaves what the finished trials say; mistakes are told apart") {
    const Bench b;
    put_tiny_model(b);
    b.must("simulate -q -o field.fits --width 120 --height 100");
    const Outcome stopped = b.run("certify field.fits -o part.fits --stars 100000" + tiny, {"certifying"});
    CHECK(stopped.code == 143);
    CHECK(stopped.err.find("partial: stopped after") != std::string::npos);
    CHECK(b.get("part.fits").find("CERTDONE=                    F") != std::string::npos);
    CHECK(read_table(b / "part.fits", "SOURCES").find("COMPL") != nullptr);
    CHECK(verified(b, "part.fits").value_or(true));
    b.refused("certify field.fits -o none.fits --psf none" + tiny, 2, {"field.fits", "--psf"});
    b.refused("certify field.fits -o part.fits" + tiny, 4, {"part.fits", "--overwrite"});
    b.refused("certify field.fits -o none.fits --stars 0" + tiny, 2, {"--stars"});
    b.refused("certify -q nowhere.fits -o none.fits" + tiny, 3, {"nowhere.fits"});
    write_image(b / "nan.fits", std::vector<float>(80 * 60, NAN), 80, 60, {}, false);
    b.must("certify nan.fits -o nothing.fits" + tiny);
    CHECK(read_table(b / "nothing.fits", "COMPLETE").rows() == 0);
}
