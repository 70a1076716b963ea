// starblend psf: the PSF of an instrument, of a file or of an image; shown, compared, written.
#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "io/atomic_file.h"
#include "io/fits_writer.h"
#include "io/png.h"
#include "kernels/check.h"
#include "tools/command.h"
#include "tools/observation_options.h"
#include "tools/psf_file.h"
#include "tools/psf_measurement.h"
#include "tools/psf_report.h"
#include "tools/setup.h"

namespace star {
namespace {

struct Options {
    std::string output, png, compare, preset = "csst-g";
    bool native = false;
    std::vector<int> grid;  // columns, rows
    PsfMeasurementOptions measure;
};

// A PSF, where it comes from, and what its file says about that.
struct Subject {
    Psf psf;
    std::string name;
    double pixel_scale;
    std::vector<Card> cards;
};

Subject of_instrument(const Options& o, const Setup& setup) {
    const Instrument& i = setup.instrument;
    const bool drizzled = !o.native && i.exposure.drizzle_sigma > 0;
    Subject s{o.native ? i.psf : image_psf(i.psf, i.exposure), o.preset, i.pixel_scale, {}};
    s.cards.push_back({"PRESET", o.preset, "instrument"});
    if (drizzled)
        s.cards.push_back({"DRZSIGMA", i.exposure.drizzle_sigma, "[pix] rms of the drizzle's blur, included"});
    append_config(s.cards, setup.config);
    return s;
}

Subject of_image(const Options& o, Console& console) {
    MeasuredPsf m = measure_psf_of(o.measure, console);
    return {std::move(m.psf), o.measure.image, m.pixel_scale, std::move(m.cards)};
}

// --grid: nothing but a file can hold what it finds.
int write_library(const Options& o, const Common& common, Console& console) {
    FitsWriter out(o.output, common.overwrite);
    const MeasuredLibrary m = measure_psf_library_of(o.measure, o.grid[0], o.grid[1], console);
    const PsfCube cube = psf_cube(m.library, m.pixel_scale);
    std::vector<Card> cards = common.provenance();
    cards.insert(cards.end(), cube.cards.begin(), cube.cards.end());
    cards.insert(cards.end(), m.cards.begin(), m.cards.end());
    out.cube("", cube.pixels, cube.side, cube.side, int(m.library.psfs.size()), cards);
    out.commit();
    const auto [least, most] = std::minmax_element(m.library.psfs.begin(), m.library.psfs.end(),
                                                   [](const Psf& a, const Psf& b) { return a.fwhm() < b.fwhm(); });
    console.say("{}: {}x{} PSFs of {}x{} samples, {} per pixel; FWHM {:.3f} to {:.3f} px", o.output, o.grid[0],
                o.grid[1], cube.side, cube.side, least->oversampling(), least->fwhm(), most->fwhm());
    return 0;
}

int psf(const Options& o, const Common& common) {
    Console console = common.console();
    refuse_to_replace({o.output, o.png}, {o.compare, o.measure.image, o.measure.planes.mask, o.measure.planes.weight});
    if (!o.output.empty() && o.output == o.png) fail(Fault::usage, o.png, ": is named for both -o and --png");
    if (!o.measure.image.empty()) common.refuse_configuration("psf --measure");
    std::optional<Setup> setup;
    if (o.measure.image.empty()) setup = read_setup(common.layers(o.preset, "native"));
    if (common.dump_config) {
        if (!setup) fail(Fault::usage, "psf: --measure has no configuration to dump");
        return std::fputs(setup->config.c_str(), stdout), 0;
    }
    if (!o.grid.empty()) return write_library(o, common, console);
    std::optional<FitsWriter> out;
    std::optional<AtomicFile> picture;
    if (!o.output.empty()) out.emplace(o.output, common.overwrite);
    if (!o.png.empty()) picture.emplace(o.png, common.overwrite);
    const Subject subject = setup ? of_instrument(o, *setup) : of_image(o, console);
    if (!o.compare.empty()) {
        const Psf other = read_psf_file(o.compare, {});
        fmt::print("{}", compare_psfs({subject.psf, subject.name}, {other, o.compare}, subject.pixel_scale));
    } else if (!out && !picture) {
        fmt::print("{}", describe_psf({subject.psf, subject.name}, subject.pixel_scale));
    }
    if (out) {
        PsfPicture p = psf_picture(subject.psf, subject.pixel_scale);
        std::vector<Card> cards = common.provenance();
        cards.insert(cards.end(), p.cards.begin(), p.cards.end());
        cards.insert(cards.end(), subject.cards.begin(), subject.cards.end());
        out->image("", p.pixels, p.side, p.side, cards);
    }
    const int side = 2 * subject.psf.half() + 1;
    if (picture) picture->commit(encode_png(psf_grey(subject.psf), side, side));
    if (out) {
        out->commit();
        console.say("{}: {}x{} samples, {} per pixel; FWHM {:.3f} px, {:.2f} % of the light", o.output,
                    2 * subject.psf.half() + 1, 2 * subject.psf.half() + 1, subject.psf.oversampling(),
                    subject.psf.fwhm(), 100 * subject.psf.energy());
    }
    return 0;
}

}  // namespace

Command add_psf(CLI::App& program, Common& common) {
    CLI::App* app = program.add_subcommand("psf", "The PSF of an instrument or of an image: show, compare, write");
    auto o = std::make_shared<Options>();
    std::string names;
    for (const auto& n : preset_names()) names += (names.empty() ? "" : ", ") + n;
    auto* output = app->add_option("-o,--output", o->output,
                                   "FITS file: the effective PSF, oversampled, sum 1; psf.file reads it");
    auto* preset = app->add_option("--preset", o->preset, "Instrument: " + names)->capture_default_str();
    auto* native = app->add_flag("--native", o->native, "Without the drizzle's blur: of single exposures");
    auto* compare =
        app->add_option("--compare", o->compare, "Another PSF's FITS file: both, and where they differ most");
    auto* png = app->add_option("--png", o->png, "Quick look: five decades from black to white");
    auto* image = app->add_option("--measure", o->measure.image, "Measure the PSF of the stars in this image");
    image->excludes(preset)->excludes(native);
    app->add_option("--grid", o->grid,
                    "COLUMNS,ROWS: measure in so many zones of the image and write a library, between whose PSFs "
                    "`detect --psf` interpolates")
        ->delimiter(',')
        ->expected(2)
        ->check(CLI::Range(1, 64))
        ->needs(image)
        ->needs(output)
        ->excludes(compare)
        ->excludes(png);
    const auto only = [&](CLI::Option* option) { option->needs(image)->capture_default_str(); };
    auto& m = o->measure;
    add_plane_options(*app, m.planes, image);
    only(app->add_option("--saturate", m.saturate, "Stars that reach this level are left out; default: SATURATE"));
    only(app->add_option("--radius", m.how.radius, "Half-width of the PSF, px")->check(CLI::Range(4, 50)));
    only(app->add_option("--oversampling", m.how.oversampling, "Samples per pixel")->check(CLI::Range(2, 8)));
    only(app->add_option("--min-stars", m.how.min_stars, "Fewer are an error")->check(CLI::Range(3, 100000)));
    only(app->add_option("--max-stars", m.how.max_stars, "The brightest are used")->check(CLI::Range(3, 100000)));
    return {app, [o, &common] { return psf(*o, common); }};
}

}  // namespace star
