// The files of `simulate`: what is in them, many of them, and what is refused.
#include <cmath>

#include "io/fits_image.h"
#include "io/fits_table.h"
#include "io/fits_writer.h"
#include "tests/program_run.h"
#include "tests/skip.h"
#include "tools/truth.h"

using namespace star;
using namespace star::test;

TEST_CASE("simulate: an image with its variance, mask, units and stars") {
    const Bench b;
    b.must("simulate -q -o f.fits --width 90 --height 70 --png f.png");
    const FitsImage image = read_image(b / "f.fits"), variance = read_image(b / "f.fits[VARIANCE]");
    REQUIRE(variance.pixels.size() == image.pixels.size());
    // Expected counts vary as Poisson about the image's own sky and above: no variance is below that of an empty pixel,
    // and bright pixels' variances follow their values (csst-g: one electron per ADU, read noise 5.2).
    double worst = 0;
    for (std::size_t i = 0; i < image.pixels.size(); ++i) {
        const double v = variance.pixels[i], excess = (image.pixels[i] + 5.2 * 5.2 - v) / std::sqrt(v);
        worst = std::max(worst, std::fabs(excess));
    }
    CHECK(worst < 6);  // 6,300 draws, some of a few electrons: a Poisson of mean 46 passes 5.5 sigma once in 1e7
    const FitsMask mask = read_mask(b / "f.fits[MASK]");
    CHECK(mask.pixels.size() == image.pixels.size());
    const Truth truth = read_truth(b / "f.fits");
    CHECK(truth.units.size() > 30);
    int counting = 0;
    for (const TruthUnit& u : truth.units) counting += u.count;
    const auto counts = std::count_if(truth.stars.begin(), truth.stars.end(),
                                      [](const TruthStar& s) { return s.counts && s.unit >= 0; });
    CHECK(counting == counts);
    const std::string png = b.get("f.png");
    CHECK(png.substr(1, 3) == "PNG");
    const auto clean = verified(b, "f.fits");
    if (!clean) return skip("fitsverify is absent");
    CHECK(*clean);
}

TEST_CASE("simulate: many fields are the single ones, and go on where they stopped") {
    const Bench b;
    b.must("simulate -q -o set --count 4 --index 5 --width 40 --seed 3 --threads 2");
    b.must("simulate -q -o one.fits --index 7 --width 40 --seed 3 --threads 1");
    CHECK(read_image(b / "set/field-000007.fits").pixels == read_image(b / "one.fits").pixels);
    const std::string kept = b.get("set/field-000006.fits");
    std::filesystem::remove(b / "set/field-000007.fits");
    b.refused("simulate -q -o set --count 4 --index 5 --width 40 --seed 3", 4, {"field-000005.fits", "--resume"});
    CHECK(!std::filesystem::exists(b / "set/field-000007.fits"));
    b.must("simulate -q -o set --count 5 --index 5 --width 40 --seed 3 --resume");
    CHECK(read_image(b / "set/field-000007.fits").pixels == read_image(b / "one.fits").pixels);
    CHECK(std::filesystem::exists(b / "set/field-000009.fits"));
    CHECK(b.get("set/field-000006.fits") == kept);
    b.refused("simulate -q -o - --count 2", 2, {"--count"});
    b.refused("simulate -q -o x.fits --resume", 2, {"--resume"});
    b.refused("simulate -q -o one.fits --count 2", 4, {"one.fits"});
}

TEST_CASE("simulate: a cube is its fields, plane by plane, and leaves nothing if it is stopped") {
    const Bench b;
    const std::string how = " --width 44 --height 30 --seed 3 --set scene.galaxies=true";
    b.must("simulate -q --count 5 --index 6 --cube -o set.fits --threads 2" + how);
    const FitsImage cube = read_cube(b / "set.fits"), variances = read_cube(b / "set.fits[VARIANCE]");
    REQUIRE(cube.planes == 5);
    CHECK(cube.number_of("FIELD") == 6.0);
    const std::vector<Truth> truths = read_truths(b / "set.fits");
    REQUIRE(truths.size() == 5);
    const Table galaxies = read_table(b / "set.fits", "GALAXIES");
    std::size_t galaxy = 0;
    for (int i = 0; i < 5; ++i) {
        b.must("simulate -q --overwrite -o one.fits --threads 1 --index " + std::to_string(6 + i) + how);
        const auto plane = [&](const FitsImage& of) {
            const auto first = of.pixels.begin() + i * 44 * 30;
            return std::vector<float>(first, first + 44 * 30);
        };
        CHECK(plane(cube) == read_image(b / "one.fits").pixels);
        CHECK(plane(variances) == read_image(b / "one.fits[VARIANCE]").pixels);
        const Truth one = read_truth(b / "one.fits"), &there = truths[std::size_t(i)];
        REQUIRE((there.units.size() == one.units.size() && there.stars.size() == one.stars.size()));
        CHECK(one.units.size() > 3);
        for (std::size_t k = 0; k < one.units.size(); ++k) {
            CHECK(there.units[k].box == one.units[k].box);
            CHECK(there.units[k].label == one.units[k].label);
            CHECK(there.units[k].chance == one.units[k].chance);
            CHECK(there.units[k].first == one.units[k].first);
        }
        for (std::size_t k = 0; k < one.stars.size(); ++k)
            CHECK((there.stars[k].x == one.stars[k].x && there.stars[k].unit == one.stars[k].unit));
        const auto x = read_table(b / "one.fits", "GALAXIES").numbers("X_IMAGE");
        for (double value : x) {
            REQUIRE(galaxy < galaxies.rows());
            CHECK(galaxies.numbers("FIELD")[galaxy] == 6 + i);
            CHECK(galaxies.numbers("X_IMAGE")[galaxy++] == value);
        }
    }
    CHECK((galaxy > 5 && galaxy == galaxies.rows()));
    if (const auto clean = verified(b, "set.fits"))
        CHECK(*clean);
    else
        skip("fitsverify is absent");
    b.refused("evaluate set.fits --truth set.fits", 2, {"5"});  // one catalogue, five truths
    b.refused("simulate -q -o x.fits --cube", 2, {"--count"});
    b.refused("simulate -q -o x.fits --cube --count 2 --resume", 2, {"--resume"});
    b.refused("simulate -q -o set.fits --cube --count 2", 4, {"set.fits"});
    const Outcome stopped = b.run("simulate -o half.fits --cube --count 2000 --width 64", {"simulating"});
    CHECK(stopped.code == 143);
    for (const auto& entry : std::filesystem::directory_iterator(b.path))
        CHECK(entry.path().filename().string().find("half") == std::string::npos);
}

TEST_CASE("simulate: a cube's memory doesn't grow with its fields") {
    const Bench b;
    const auto peak = [&](int count) {
        const Outcome o =
            b.run("simulate -q --overwrite -o set.fits --cube --threads 2 --width 64 --count " + std::to_string(count));
        CHECK(o.code == 0);
        return o.peak_mb;
    };
    const auto few = peak(20), many = peak(1000);
    // 980 fields more: 37 MB of pixels, 30 MB of rows. What remains open for each HDU is CFITSIO's buffers.
    MESSAGE(few, " MB for 20 fields, ", many, " MB for 1,000");
    CHECK(many < few + 8);
}

TEST_CASE("simulate: stopped between fields, what is there is whole") {
    const Bench b;
    const Outcome o = b.run("simulate -o set --count 2000 --width 64", {"simulating"});
    CHECK(o.code == 143);
    CHECK(o.err.find("--resume") != std::string::npos);
    int files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(b / "set")) {
        CHECK(entry.path().extension() == ".fits");
        read_truth(entry.path().string());
        ++files;
    }
    CHECK(files > 0);
    CHECK(files < 2000);
}

TEST_CASE("simulate: scenes") {
    const Bench b;
    for (const std::string stars : {"ngc2298", "m31-disk", "none"}) {
        CAPTURE(stars);
        b.must("simulate -q --overwrite -o s.fits --width 64 --set scene.stars=" + stars);
        const Truth truth = read_truth(b / "s.fits");
        CHECK(truth.units.empty() == (stars == "none"));
    }
    b.must(
        "simulate -q --overwrite -o s.fits --width 300 --set scene.stars=none --set scene.galaxies=true "
        "--set scene.cosmic_rays=true --set scene.defects=true --set scene.bleeding=true --set "
        "scene.sky_gradient_x=0.01");
    CHECK(read_table(b / "s.fits", "GALAXIES").find("SERSIC") != nullptr);
    b.refused("simulate -q -o x.fits --set scene.stars=m32", 2, {"scene.stars", "m31-disk"});
    b.refused("simulate -q -o x.fits --set scene.stars=ngc2298 --set truth.units=given", 2, {"truth.units"});
    b.refused("simulate -q -o x.fits --set scene.stars=ngc2298 --set cluster.core=0", 2, {"cluster.core"});
    b.refused("simulate -q -o x.fits --preset hst-acs-f475w-drz --set scene.cosmic_rays=true", 2, {"drizzled"});
    b.refused("simulate -q -o x.fits --set psf.varying=true", 2, {"psf.varying", "psf.file"});
    b.must("psf -q --preset csst-g -o psf.fits");
    b.refused("simulate -q -o x.fits --set psf.varying=true --set psf.kind=file --set psf.file=psf.fits", 3,
              {"psf.fits", "NXPSFS"});
}

TEST_CASE("simulate: the user's own stars") {
    const Bench b;
    Table t;
    t.columns = {{"X_IMAGE", "", "", "", "", std::vector<double>{20.5, 40}},
                 {"Y_IMAGE", "", "", "", "", std::vector<double>{30, 12.25}},
                 {"MAG", "", "", "", "", std::vector<double>{21, 20}}};
    write_tables(b / "list.fits", {}, {t}, false);
    b.must("simulate -q -o s.fits --width 50 --set scene.stars=list --set scene.list=list.fits");
    const Truth truth = read_truth(b / "s.fits");
    REQUIRE(truth.units.size() == 2);
    // The brightest first; pixel edges lie half a pixel from FITS's centres.
    CHECK(truth.units[0].x == doctest::Approx(39.5));
    CHECK(truth.units[0].y == doctest::Approx(11.75));
    CHECK(truth.units[1].label == 0);
    const FitsImage image = read_image(b / "s.fits");
    const auto peak = std::max_element(image.pixels.begin(), image.pixels.end()) - image.pixels.begin();
    CHECK(peak % 50 == 39);
    CHECK(peak / 50 == 11);
    // The same stars in the forms of other programs: pixels counted from 0, and columns of the user's naming.
    b.put("list.csv", "x,y,F475W\n19.5,29,21\n39,11.25,20\n");
    b.put("list.ecsv",
          "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: x_fit, datatype: float64}\n# - {name: y_fit, datatype: "
          "float64}\n# - {name: mag, datatype: float64}\nx_fit y_fit mag\n19.5 29 21\n39 11.25 20\n");
    for (const std::string list : {"list.csv --set scene.columns=\"mag=F475W\"", "list.ecsv"}) {
        CAPTURE(list);
        b.must("simulate -q --overwrite -o t.fits --width 50 --set scene.stars=list --set scene.list=" + list);
        CHECK(read_image(b / "t.fits").pixels == image.pixels);
    }
    b.refused("simulate -q -o x.fits --set scene.stars=list --set scene.list=list.csv", 3,
              {"list.csv", "row 1", "MAG"});
    b.refused("simulate -q -o x.fits --set scene.stars=list", 2, {"scene.list"});
    b.refused("simulate -q -o x.fits --set scene.stars=list --set scene.list=none.fits", 3, {"none.fits"});
    b.refused("simulate -q -o x.fits --set scene.stars=list --set scene.list=s.fits", 3, {"s.fits", "MAG"});
    std::get<std::vector<double>>(t.columns[2].data)[1] = std::nan("");
    write_tables(b / "nan.fits", {}, {t}, false);
    b.refused("simulate -q -o x.fits --set scene.stars=list --set scene.list=nan.fits", 3,
              {"nan.fits", "row 2", "MAG"});
}
