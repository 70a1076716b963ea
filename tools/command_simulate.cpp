// starblend simulate: a crowded field with its truth.
#include <cmath>
#include <memory>

#include "io/fits_writer.h"
#include "kernels/check.h"
#include "tools/command.h"
#include "tools/setup.h"
#include "tools/truth.h"

namespace star {
namespace {

struct Options {
    std::string output, preset = "csst-g";
    int width = 512, height = 0;
    std::uint64_t index = 0;
};

int simulate(const Options& o, const Common& common) {
    Console console = common.console();
    const Setup setup = read_setup(common.layers(o.preset, "native"));
    if (common.dump_config) return std::fputs(setup.config.c_str(), stdout), 0;
    FitsWriter out(o.output, common.overwrite);
    const FieldSimulator simulator = setup.simulator();
    ThreadPool pool(common.threads);
    const int height = o.height > 0 ? o.height : o.width;
    const Field field = simulator.make(pool, {o.width, height, setup.margin, common.seed, o.index});

    const Exposure& e = setup.instrument.exposure;
    std::vector<Card> cards = common.provenance();
    cards.insert(cards.end(), {{"PRESET", o.preset, "instrument"},
                               {"FIELD", std::int64_t(o.index), "number of the field drawn from SEED"},
                               {"BUNIT", std::string(e.rate ? "electron/s" : "adu"), ""},
                               {"EXPTIME", e.exptime_s, "[s] total"},
                               {"NCOMBINE", std::int64_t(e.exposures), "exposures added up"},
                               {"GAIN", e.gain, "[electron/adu]"},
                               {"RDNOISE", e.read_noise, "[electron] rms per exposure"},
                               {"SATURATE", saturation_level(e), "level at which pixels clip"},
                               {"MAGZERO", e.zeropoint + (e.rate ? 0 : 2.5 * std::log10(e.exptime_s / e.gain)),
                                "[mag] of one unit of the image"},
                               {"MAGSYS", std::string("AB"), ""},
                               {"PIXSCALE", setup.instrument.pixel_scale, "[arcsec/pix]"},
                               {"PSF_FWHM", simulator.psf().fwhm(), "[pix] azimuthal average"}});
    append_config(cards, setup.config);
    out.image("", field.image, field.width, field.height, cards);
    out.table(truth_units(field.truth));
    out.table(truth_stars(field.truth, e));
    out.commit();
    std::size_t ignored = 0;
    for (const TruthUnit& u : field.truth.units) ignored += u.label < 0;
    console.say(
        "{}: {}x{} px, {} units ({} too faint to ask for), {} stars; PSF FWHM {:.2f} px, sky {:.4g}, noise {:.4g} {} "
        "per pixel",
        o.output, field.width, field.height, field.truth.units.size(), ignored, field.truth.stars.size(),
        simulator.psf().fwhm(), background_level(e), background_sigma(e), e.rate ? "e/s" : "ADU");
    return 0;
}

}  // namespace

Command add_simulate(CLI::App& program, Common& common) {
    CLI::App* app = program.add_subcommand("simulate", "Simulate a crowded field, with its truth as tables");
    auto o = std::make_shared<Options>();
    app->add_option("-o,--output", o->output, "FITS file: image, TRUTH_UNITS, TRUTH_STARS; - for standard output")
        ->required();
    std::string names;
    for (const auto& n : preset_names()) names += (names.empty() ? "" : ", ") + n;
    app->add_option("--preset", o->preset, "Instrument: " + names)->capture_default_str();
    app->add_option("--width", o->width, "Pixels")->capture_default_str()->check(CLI::Range(8, 65536));
    app->add_option("--height", o->height, "Pixels; 0: as wide")->capture_default_str()->check(CLI::Range(0, 65536));
    app->add_option("--index", o->index, "Which field of the seed")->capture_default_str();
    return {app, [o, &common] { return simulate(*o, common); }};
}

}  // namespace star
