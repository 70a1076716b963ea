// starblend simulate: crowded fields with their truth.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>

#include "io/atomic_file.h"
#include "kernels/check.h"
#include "tools/command.h"
#include "tools/field_file.h"
#include "tools/setup.h"
#include "tools/truth.h"

namespace star {
namespace {

struct Options {
    std::string output, preset = "csst-g", png;
    int width = 512, height = 0;
    std::uint64_t index = 0;
    std::int64_t count = 0;  // 0: one field, in one file
    bool resume = false, cube = false;
};

// What all fields of a run have in common.
struct Run {
    const Options& options;
    const Common& common;
    const Setup setup;
    const FieldSimulator simulator;
    std::vector<Card> cards;

    Field make(ThreadPool& pool, std::uint64_t index) const {
        const int height = options.height > 0 ? options.height : options.width;
        return simulator.make(pool, {options.width, height, setup.margin, common.seed, index}, true);
    }
    std::vector<Card> cards_of(std::uint64_t index) const {
        std::vector<Card> all = cards;
        all.push_back({"FIELD", std::int64_t(index), "number of the field drawn from SEED"});
        append_config(all, setup.config);
        return all;
    }
    void write(const std::string& path, const Field& field, std::uint64_t index) const {
        write_field(path, common.overwrite, field, setup, cards_of(index));
    }
};

int one(const Run& run, Console& console, ThreadPool& pool) {
    const Options& o = run.options;
    std::optional<AtomicFile> picture;
    if (!o.png.empty()) picture.emplace(o.png, run.common.overwrite);
    if (o.output != "-" && !run.common.overwrite && std::filesystem::exists(o.output))
        fail(Fault::output, o.output, ": exists; --overwrite replaces it");
    const Field field = run.make(pool, o.index);
    run.write(o.output, field, o.index);
    if (picture) picture->commit(field_png(field, run.setup.instrument.exposure));
    console.say("{}: {}", o.output, field_summary(field, run.setup.instrument.exposure, run.simulator.psf().fwhm()));
    return 0;
}

// A file per field, several fields at once; each is complete when it appears, so that nothing is lost by stopping.
int many(const Run& run, Console& console, ThreadPool& pool) {
    namespace fs = std::filesystem;
    const Options& o = run.options;
    std::error_code error;
    fs::create_directories(o.output, error);
    if (error || !fs::is_directory(o.output)) fail(Fault::output, o.output, ": isn't a folder and can't be made one");
    const auto path = [&](std::int64_t i) {
        return (fs::path(o.output) / fmt::format("field-{:06d}.fits", o.index + std::uint64_t(i))).string();
    };
    std::vector<std::int64_t> wanted;
    for (std::int64_t i = 0; i < o.count; ++i) {
        const bool there = fs::exists(path(i));
        if (there && o.resume) continue;
        if (there && !run.common.overwrite)
            fail(Fault::output, path(i), ": exists; --resume keeps it, --overwrite replaces it");
        wanted.push_back(i);
    }
    std::atomic<std::int64_t> done{0};
    std::mutex talking;
    pool.for_each(std::int64_t(wanted.size()), [&](std::int64_t k, int) {
        if (interrupt::requested()) return;
        const std::uint64_t index = o.index + std::uint64_t(wanted[std::size_t(k)]);
        run.write(path(wanted[std::size_t(k)]), run.make(pool, index), index);
        const std::int64_t n = ++done;
        const std::lock_guard guard(talking);
        console.progress("simulating", n, std::int64_t(wanted.size()), "field");
    });
    console.say("{}: {} fields written, {} were there", o.output, done.load(), o.count - std::int64_t(wanted.size()));
    if (done < std::int64_t(wanted.size())) {
        console.say("stopped; --resume goes on");
        return interrupt::exit_code();
    }
    return 0;
}

// All fields in one file, in their order: as many at once as there are threads.
int cube(const Run& run, Console& console, ThreadPool& pool) {
    const Options& o = run.options;
    const int height = o.height > 0 ? o.height : o.width;
    FieldCube out(o.output, run.common.overwrite, run.setup, run.cards_of(o.index),
                  {o.width, height, int(o.count), o.index});
    for (std::int64_t done = 0; done < o.count;) {
        std::vector<Field> fields(std::size_t(std::min<std::int64_t>(pool.threads(), o.count - done)));
        pool.for_each(std::int64_t(fields.size()), [&](std::int64_t k, int) {
            fields[std::size_t(k)] = run.make(pool, o.index + std::uint64_t(done + k));
        });
        for (const Field& field : fields) out.add(field);
        done += std::int64_t(fields.size());
        console.progress("simulating", done, o.count, "field");
        if (!interrupt::requested()) continue;
        console.say("stopped; nothing was written");
        return interrupt::exit_code();
    }
    out.commit();
    console.say("{}: {} fields of {}x{} px", o.output, o.count, o.width, height);
    return 0;
}

int simulate(const Options& o, const Common& common) {
    Console console = common.console();
    if (o.cube && o.count == 0) fail(Fault::usage, "--cube: is for --count");
    if (o.cube && o.index > std::uint64_t(most_field - o.count))
        fail(Fault::usage, "--index ", o.index, ": a cube's column FIELD ends at ", most_field);
    if (o.count > 0 && !o.cube && o.output == "-") fail(Fault::usage, "--count: needs a folder, not standard output");
    if (o.count > 0 && !o.png.empty()) fail(Fault::usage, "--png: is for one field, not for --count");
    if ((o.count == 0 || o.cube) && o.resume) fail(Fault::usage, "--resume: is for --count and a file per field");
    Setup setup = read_setup(common.layers(o.preset, "native"));
    if (common.dump_config) return std::fputs(setup.config.c_str(), stdout), 0;
    FieldSimulator simulator = setup.simulator();
    Run run{o, common, std::move(setup), std::move(simulator), common.provenance()};
    run.cards.push_back({"PRESET", o.preset, "instrument"});
    ThreadPool pool(common.threads);
    return o.cube ? cube(run, console, pool) : o.count > 0 ? many(run, console, pool) : one(run, console, pool);
}

}  // namespace

Command add_simulate(CLI::App& program, Common& common) {
    CLI::App* app = program.add_subcommand("simulate", "Simulate crowded fields, with their truth as tables");
    auto o = std::make_shared<Options>();
    app->add_option("-o,--output", o->output,
                    "FITS file: image, VARIANCE, MASK, UNITS, STARS; - for standard output. With --count: a folder")
        ->required();
    std::string names;
    for (const auto& n : preset_names()) names += (names.empty() ? "" : ", ") + n;
    app->add_option("--preset", o->preset, "Instrument: " + names)->capture_default_str();
    app->add_option("--width", o->width, "Pixels")->capture_default_str()->check(CLI::Range(8, 65536));
    app->add_option("--height", o->height, "Pixels; 0: as wide")->capture_default_str()->check(CLI::Range(0, 65536));
    app->add_option("--index", o->index, "Which field of the seed; the first one, with --count")->capture_default_str();
    app->add_option("--count", o->count, "How many fields, each a file field-NNNNNN.fits in the folder -o")
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{most_fields}));
    app->add_flag("--cube", o->cube,
                  "With --count: all in the one file -o, images with a third axis, tables with a column FIELD");
    app->add_flag("--resume", o->resume, "With --count: keep the fields that are there already");
    app->add_option("--png", o->png, "A picture for a quick look too (8-bit grey, asinh)");
    return {app, [o, &common] { return simulate(*o, common); }};
}

}  // namespace star
