// starblend psf, and the PSFs of presets: shown, written and read back, compared, drawn, measured, refused.
#include <cmath>

#include "io/fits_image.h"
#include "io/fits_writer.h"
#include "sim/detector_noise.h"
#include "tests/program_run.h"
#include "tests/skip.h"
#include "tools/psf_file.h"
#include "tools/psf_setup.h"
#include "tools/setup.h"

using namespace star;
using namespace star::test;

namespace {

Instrument instrument(const std::string& preset) {
    Config c;
    c.load_text(preset_text(preset), preset);
    return read_instrument(c);
}

struct Moments {
    double sum = 0, x = 0, y = 0;
};
Moments moments(const Psf& psf) {
    Moments m;
    const int k = psf.oversampling(), half = psf.half(), side = 2 * half + 1;
    for (int y = -half; y <= half; ++y)
        for (int x = -half; x <= half; ++x) {
            const double v = psf.samples()[std::size_t(y + half) * side + x + half];
            m.sum += v / (k * k), m.x += v * x / k, m.y += v * y / k;
        }
    m.x /= m.sum * k * k, m.y /= m.sum * k * k;
    return m;
}

void write(const std::string& path, const std::vector<float>& pixels, int w, int h, std::vector<Card> cards = {}) {
    write_image(path, pixels, w, h, cards, false);
}

std::vector<float> blob(int w, int h) {
    std::vector<float> v;
    for (int y = 0; y < h; ++y)
        for (int x = 0; x < w; ++x)
            v.push_back(std::exp(-0.1f * float((x - w / 2) * (x - w / 2) + (y - h / 2) * (y - h / 2))));
    return v;
}

}  // namespace

TEST_CASE("every preset's PSF is normalised and centred, and knows what it lost") {
    for (const std::string& name : preset_names()) {
        const Instrument i = instrument(name);
        const Moments m = moments(i.psf);
        CAPTURE(name);
        CHECK(i.psf.energy() > 0.97);
        CHECK(i.psf.energy() < 1);
        CHECK(m.sum == doctest::Approx(i.psf.energy()).epsilon(1e-9));
        CHECK(std::fabs(m.x) < 1e-3);
        CHECK(std::fabs(m.y) < 1e-3);
    }
    for (const std::string band : {"g", "r", "i"}) {
        const Instrument i = instrument("csst-" + band);
        const double within = i.psf.enclosed(0.12 / i.pixel_scale);
        MESSAGE("csst-", band, ": ", within, " within 0.12 arcsec, FWHM ", i.psf.fwhm(), " px");
        if (band == "g") CHECK(std::fabs(within - 0.8) < 1e-3);
    }
    CHECK(instrument("csst-r").psf.fwhm() > instrument("csst-g").psf.fwhm());
    CHECK(instrument("csst-i").psf.fwhm() > instrument("csst-r").psf.fwhm());
}

TEST_CASE("the optics of HST agree with Tiny Tim") {
    const std::string data = real_data();
    if (data.empty()) return skip("no folder of real data: HST's optics aren't compared with Tiny Tim");
    for (const std::string band : {"f475w", "f814w"}) {
        Config c;
        c.load_text(preset_text("hst-acs-" + band), band);
        c.set("psf.kind=file");
        c.set("psf.file=" + data + "/psf/tinytim_acswfc1_" + (band == "f475w" ? "F475W" : "F814W") +
              "_G2V_x2048y1024_sub4.fits");
        c.set("psf.oversampling=4");
        c.set("psf.pixel_response=false");
        const Psf truth = read_instrument(c).psf, ours = instrument("hst-acs-" + band).psf;
        // Tiny Tim's files are normalised to what they hold: the same circle, 36 px, is the whole of both.
        double most = 0;
        for (double r = 1; r <= 20; r += 0.25) {
            const double d = ours.enclosed(r) / ours.enclosed(36) - truth.enclosed(r) / truth.enclosed(36);
            most = std::fmax(most, std::fabs(d));
            CHECK(std::fabs(d) < 0.02);
        }
        MESSAGE(band, ": enclosed energy within ", most, " of Tiny Tim from 1 to 20 px; FWHM ", ours.fwhm(), " and ",
                truth.fwhm(), " px");
        CHECK(std::fabs(ours.fwhm() / truth.fwhm() - 1) < 0.05);
    }
}

TEST_CASE("a library of PSFs is read by position") {
    const std::string data = real_data();
    if (data.empty()) return skip("no folder of real data: the library of ACS/WFC PSFs isn't read");
    const std::string file = data + "/psf/PSFSTD_ACSWFC_F775W.fits";
    PsfFileOptions at;
    at.x = 682, at.y = 682;  // a node
    const Psf node = read_psf_file(file, at);
    at.x = 1000;
    const Psf between = read_psf_file(file, at);
    at.x = 1365;
    const Psf next = read_psf_file(file, at);
    MESSAGE("FWHM ", node.fwhm(), ", ", between.fwhm(), ", ", next.fwhm(), " px");
    const double share = (1000.0 - 682) / (1365 - 682);
    CHECK(between.at(0.4, 0.1) ==
          doctest::Approx((1 - share) * node.at(0.4, 0.1) + share * next.at(0.4, 0.1)).epsilon(1e-5));
    CHECK(node.fwhm() > 1.4);
    CHECK(node.fwhm() < 2.4);
    for (double v : node.samples()) CHECK(v > -0.01);  // no separator left
    // The whole library, and fields drawn with it: near one node and another, light differs as their PSFs do.
    const PsfField library = *read_psf_library(file, {});
    CHECK(library.at(1000, 682).at(0.4, 0.1) == between.at(0.4, 0.1));
    const Bench b;
    b.put("two.csv", "x,y,mag\n20,20,20\n100,20,20\n");
    const auto field = [&](const std::string& more) {
        b.must(
            "simulate -q --overwrite -o f.fits --preset hst-acs-f814w --width 121 --height 41 --set scene.stars=list "
            "--set scene.list=two.csv --set psf.kind=file --set psf.file=" +
            file + " --set psf.diffusion=[] --set psf.position=[1024,682] " + more);
        return read_image(b / "f.fits").pixels;
    };
    const auto fixed = field(""), varying = field("--set psf.varying=true");
    CHECK(fixed != varying);
    CHECK(varying == field("--set psf.varying=true --threads 1"));
    const FitsImage cube = read_cube(file);
    // Plane 8 is the node (682, 682), counted from 0 with x fastest; its values are the PSF, up to a factor.
    const float* plane = cube.pixels.data() + 8 * 101 * 101;
    CHECK(node.at(1, 0) / node.at(0, 0) == doctest::Approx(plane[50 * 101 + 54] / plane[50 * 101 + 50]).epsilon(1e-4));
}

TEST_CASE("psf: written, it is read back; shown, compared and drawn") {
    const Bench b;
    const Outcome shown = b.must("psf --preset csst-g");
    CHECK(shown.out.find("FWHM (px)") != std::string::npos);
    CHECK(shown.err.empty());
    b.must("psf -q --preset csst-g -o psf.fits --png psf.png");
    CHECK(b.get("psf.png").rfind("\x89PNG", 0) == 0);
    if (const auto ok = verified(b, "psf.fits")) CHECK(*ok);
    const FitsImage image = read_image(b / "psf.fits");
    CHECK(image.width == image.height);
    CHECK(image.width % 2 == 1);
    double sum = 0;
    for (float v : image.pixels) sum += v;
    CHECK(sum == doctest::Approx(1).epsilon(1e-6));
    CHECK(image.number_of("PIXSCALE") == 0.074);
    const Psf truth = instrument("csst-g").psf, back = read_psf_file(b / "psf.fits", {});
    CHECK(image.number_of("OVERSAMP") == truth.oversampling());
    CHECK(back.energy() == doctest::Approx(truth.energy()).epsilon(1e-9));
    for (double x = -5; x < 5; x += 0.37)  // float pixels
        CHECK(std::fabs(back.at(x, 0.3 * x) - truth.at(x, 0.3 * x)) < 2e-5 * truth.peak());
    const Outcome same = b.must("psf --preset csst-g --compare psf.fits");
    CHECK(same.out.find("largest difference of the PSFs") != std::string::npos);
    CHECK(same.out.find("0.0000, at") != std::string::npos);
    const Outcome reread = b.must("psf --preset csst-g --set psf.kind=file --set psf.file=psf.fits");
    CHECK(reread.out.find("FWHM") != std::string::npos);

    // The drizzle's blur is in the file or comes on top, never both.
    b.must("psf -q --preset hst-acs-f475w-drz -o drizzled.fits --set psf.kind=gaussian");
    b.must("psf -q --preset hst-acs-f475w-drz --native -o native.fits --set psf.kind=gaussian");
    const Psf drizzled = read_psf_file(b / "drizzled.fits", {}), native = read_psf_file(b / "native.fits", {});
    CHECK(drizzled.fwhm() == doctest::Approx(native.convolved_gaussian(0.4).fwhm()).epsilon(1e-3));
    b.refused("psf --preset hst-acs-f475w-drz --set psf.kind=file --set psf.file=drizzled.fits", 3,
              {"drizzled.fits", "--native"});
    b.must("psf -q --preset hst-acs-f475w-drz --set psf.kind=file --set psf.file=native.fits --png n.png");
}

TEST_CASE("psf: bad files, options and outputs are refused") {
    const Bench b;
    b.put("there.fits", "precious");
    std::vector<float> bad = blob(21, 21);
    bad[30] = std::nanf("");
    write(b / "nan.fits", bad, 21, 21);
    write(b / "zero.fits", std::vector<float>(441, 0.0f), 21, 21);
    std::vector<float> corner(441, 0.0f);
    corner[0] = 1;
    write(b / "corner.fits", corner, 21, 21);
    write(b / "over.fits", blob(21, 21), 21, 21, {{"OVERSAMP", 1e9, ""}});
    write(b / "word.fits", blob(21, 21), 21, 21, {{"OVERSAMP", std::string("many"), ""}});
    write(b / "good.fits", blob(21, 21), 21, 21, {{"OVERSAMP", std::int64_t(2), ""}});
    write(b / "grid.fits", blob(21, 21), 21, 21, {{"NXPSFS", std::int64_t(3), ""}, {"NYPSFS", std::int64_t(1), ""}});
    write(b / "nodes.fits", blob(21, 21), 21, 21, {{"NXPSFS", std::int64_t(1), ""}, {"NYPSFS", std::int64_t(1), ""}});
    const auto file = [&](const std::string& name, const std::string& part) {
        b.refused("psf -q -o out.fits --png out.png --set psf.kind=file --set psf.file=" + name, 3, {name, part});
    };
    file("nan.fits", "sum to nan");
    file("zero.fits", "sum to 0");
    file("corner.fits", "centre");
    file("over.fits", "OVERSAMP");
    file("word.fits", "OVERSAMP");
    file("grid.fits", "NXPSFS");
    file("nodes.fits", "IPSFX01");
    file("none.fits", "none.fits");
    b.refused("psf --compare zero.fits", 3, {"zero.fits"});
    b.refused("psf -q -o there.fits", 4, {"there.fits", "--overwrite"});
    b.refused("psf -q -o absent/out.fits", 4, {"absent/out.fits"});
    b.refused("psf -q -o out.fits --png there.fits", 4, {"there.fits", "--overwrite"});
    b.refused("psf -q -o good.fits --overwrite --compare good.fits", 2, {"good.fits", "input"});
    b.refused("psf -q -o out.fits --png out.fits", 2, {"out.fits"});
    b.refused("psf --preset csst-x", 2, {"csst-x", "csst-g"});
    b.refused("psf --radius 10", 2, {"--measure"});
    b.refused("psf --measure good.fits --preset csst-g", 2, {"--preset", "--measure"});
    b.refused("psf --measure good.fits --set psf.fwhm=2", 2, {"configuration"});
    b.refused("psf --measure good.fits -o out.fits", 3, {"good.fits", "of 1 peaks"});
    b.refused("psf --measure none.fits -o out.fits", 3, {"none.fits"});
    const auto key = [&](const std::string& setting, const std::string& part) {
        b.refused("psf -q -o out.fits --set psf.kind=optical --set " + setting, 2, {part});
    };
    key("psf.pads=[1,2]", "psf.pads");
    key("psf.polish=[1]", "psf.polish");
    key("psf.weights=[1]", "weights");
    key("psf.wavelengths=[]", "wavelengths");
    key("psf.diffusion=[1,2]", "psf.diffusion");
    key("psf.position=[1]", "psf.position");
    key("psf.obscuration=2", "psf.obscuration");
    key("psf.kind=lens", "psf.kind");
    CHECK(b.get("there.fits") == "precious");
}

TEST_CASE("psf: measured from a simulated field it has the field's width") {
    const Bench b;
    b.must(
        "simulate -q -o field.fits --preset csst-g --width 640 --set mock.mix=weights --set mock.weights=[1,0,0,0,0] "
        "--set mock.mag_min=18.5 --set mock.mag_max=20.5 --set mock.mag_limit=20.5 --set mock.min_separation=36 --set "
        "mock.density_min=0.0006 --set mock.density_max=0.0006");
    const Outcome o = b.must("psf --measure field.fits -o psf.fits");
    INFO(o.err);
    CHECK(o.err.find("residuals") != std::string::npos);
    const FitsImage image = read_image(b / "psf.fits");
    const Psf measured = read_psf_file(b / "psf.fits", {}), truth = instrument("csst-g").psf;
    MESSAGE("FWHM ", measured.fwhm(), " for ", truth.fwhm(), " px; ", *image.number_of("PSFSTARS"), " stars");
    CHECK(std::fabs(measured.fwhm() / truth.fwhm() - 1) < 0.02);
    CHECK(*image.number_of("PSFSTARS") >= 30);
    CHECK(*image.number_of("PSFRESID") < 0.02);
    CHECK(image.number_of("PIXSCALE") == 0.074);
}
