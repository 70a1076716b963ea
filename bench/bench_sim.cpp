// Speed of the simulator and of the fits on this machine, on a GPU of what they do there, and stars drawn for
// comparison with peers (galsim.py).
#include <cmath>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "bench/timing.h"
#include "kernels/random.h"
#include "sim/device_sky.h"
#include "sim/field.h"
#include "sim/fit_field.h"

using namespace star;

namespace {

struct Options {
    int threads = 0, psf_width = 0, columns = 0, rows = 0;
    double oversampling = 4;
    bool fields = true;
    Device device;
    std::string json, psf, stars, image;  // files; psf, stars and image are raw little-endian numbers
};

struct Row {
    std::string operation;
    double per_core_second;  // per second of processor time, all threads together: on a GPU that of a host that waits
    double per_second;       // by the clock
    std::string unit;
    bench::Times times;
};

template <class T>
std::vector<T> read(const std::string& path) {
    std::ifstream in(path, std::ios::binary | std::ios::ate);
    std::vector<T> values(in ? std::size_t(in.tellg()) / sizeof(T) : 0);
    in.seekg(0);
    if (!in.read(reinterpret_cast<char*>(values.data()), std::streamsize(values.size() * sizeof(T))))
        fail(Fault::input, path, ": can't be read");
    return values;
}

Psf load_psf(const Options& o) {
    if (o.psf.empty()) return Psf::moffat(1.7, 3, {4, 50});
    const auto pixels = read<float>(o.psf);
    const int height = o.psf_width ? int(pixels.size() / std::size_t(o.psf_width)) : 0;
    return Psf::from_image({pixels, o.psf_width, height, o.oversampling, PsfValues::effective, false});
}

// Draws the stars of a file (x, y, flux; whole tables, no cut) and writes the image.
void draw(const Options& o, ThreadPool& pool) {
    const auto numbers = read<double>(o.stars);
    std::vector<PointSource> stars;
    for (std::size_t i = 0; i + 2 < numbers.size(); i += 3)
        stars.push_back({numbers[i], numbers[i + 1], numbers[i + 2]});
    std::vector<float> image(std::size_t(o.rows) * std::size_t(o.columns));
    render(pool, stars, load_psf(o), {image.data(), {1, o.rows, o.columns, 1}});
    std::ofstream out(o.image, std::ios::binary);
    out.write(reinterpret_cast<const char*>(image.data()), std::streamsize(image.size() * sizeof(float)));
    if (!out.flush()) fail(Fault::output, o.image, ": can't be written");
}

class Bench {
public:
    explicit Bench(ThreadPool& pool) : pool_(pool) {}

    void stamps(const Psf& psf, int size, int count) {
        const int n = 1000;
        std::vector<float> image(n * n);
        std::vector<PointSource> stars;
        Random r(1, 1);
        for (int i = 0; i < count; ++i) {
            const double x = r.uniform(0.5 * size, n - 0.5 * size);
            stars.push_back({x, r.uniform(0.5 * size, n - 0.5 * size), 1000});
        }
        Stamps how;
        how.size = size;
        run("render " + std::to_string(size) + " x " + std::to_string(size), count, "stars", [&] {
            render(pool_, stars, psf, {image.data(), {1, n, n, 1}}, how);
        });
    }

    void noise(double mean, Exposure e) {
        const int n = 1000;
        e.sky = mean / e.exptime_s, e.dark = 0;
        char what[64];
        std::snprintf(what, sizeof what, "a mean of %g e%s", mean, e.drizzle_sigma > 0 ? ", drizzled" : "");
        std::vector<float> image(n * n);
        std::uint64_t index = 0;
        run(std::string("expose ") + what, n * n * 1e-6, "Mpx", [&] {
            std::fill(image.begin(), image.end(), 0.0f);
            expose(pool_, {image.data(), {1, n, n, 1}}, {}, e, 1, index++);
        });
    }

    void fields(int size, int count) {
        SceneOptions jammed;
        jammed.mock.emplace();
        const FieldSimulator simulator(Psf::moffat_enclosing(0.8, 0.12 / 0.074, 3.0), {}, jammed, {});
        std::vector<std::size_t> stars(static_cast<std::size_t>(count));
        const std::string of = std::to_string(count) + " fields of " + std::to_string(size) + " px at jamming";
        run("catalogues of " + of, count, "fields", [&] {
            pool_.for_each(count, [&](std::int64_t i, int) {
                make_mock({}, simulator.psf(), {}, {size, size, 16, 1, std::uint64_t(i)});
            });
        });
        run(of, count, "fields", [&] {
            pool_.for_each(count, [&](std::int64_t i, int) {
                stars[std::size_t(i)] = simulator.make(pool_, {size, size, 16, 1, std::uint64_t(i)}).scene.stars.size();
            });
        });
        std::size_t drawn = 0;
        for (std::size_t n : stars) drawn += n;
        std::printf("  %zu stars in the fields and their margins of 16 px\n", drawn);
    }

    // Light, noise and rounding on the device, from catalogues that are made beforehand.
    void fields_on(Stream stream, int size, int count) {
        SceneOptions jammed;
        jammed.mock.emplace();
        const FieldSimulator simulator(Psf::moffat_enclosing(0.8, 0.12 / 0.074, 3.0), {}, jammed, {});
        std::vector<std::vector<Star>> stars(static_cast<std::size_t>(count));
        pool_.for_each(count, [&](std::int64_t i, int) {
            stars[std::size_t(i)] = make_mock({}, simulator.psf(), {}, {size, size, 16, 1, std::uint64_t(i)});
        });
        DeviceSky sky(stream, simulator.psf(), simulator.exposure());
        const Buffer<float> image(stream.device, std::int64_t{size} * size);
        const auto draw = [&](std::size_t i) { sky.observe(stars[i], {1, i}, image.view({1, size, size, 1})); };

        // What is timed must be right: the CPU's field but for counts that a rounding of the light has moved by one or
        // two.
        Scene scene;
        scene.width = scene.height = size, scene.stars = stars[0];
        const SceneImage want = observe_scene(pool_, scene, {}, simulator.psf(), simulator.exposure(), {1, 0});
        std::vector<float> got(want.image.size());
        draw(0);
        copy_to_host(stream, got.data(), image.data(), got.size() * sizeof(float));
        synchronize(stream);
        std::size_t apart = 0;
        for (std::size_t i = 0; i < got.size(); ++i) apart += !(got[i] == want.image[i]);
        if (apart > got.size() / 1000) fail(Fault::internal, apart, " pixels of a field aren't the CPU's");

        run(std::to_string(count) + " fields of " + std::to_string(size) + " px drawn", count, "fields", [&] {
            for (std::size_t i = 0; i < stars.size(); ++i) draw(i);
            synchronize(stream);
        });
    }

    // Found from the image alone: search, joint fits, pruning, errors. Joint fits on the stream's device.
    void fit(Stream stream, int size) {
        SceneOptions jammed;
        jammed.mock.emplace();
        const FieldSimulator simulator(Psf::moffat_enclosing(0.8, 0.12 / 0.074, 3.0), {}, jammed, {});
        const Exposure& e = simulator.exposure();
        const Field field = simulator.make(pool_, {size, size, 16, 1, 1});
        const double sigma = background_sigma(e);
        const std::vector<float> sky(field.image.size(), float(background_level(e))),
            variance(field.image.size(), float(sigma * sigma));
        const FitImage image{size, size, field.image, sky, variance, field.mask, 1 / image_unit(e)};
        FieldFit fit(stream, image, simulator.psf(), {});
        fit.find({});
        const auto found = double(fit.stars().size());
        run("stars found and fitted in " + std::to_string(size) + " px at jamming", found, "stars",
            [&] { fit.find({}); });
        std::vector<FitStar> places;
        for (const FieldStar& s : fit.stars()) places.push_back(s.at);
        if (stream.device.kind == Device::Kind::cuda) expect_the_cpus(image, simulator.psf(), fit, places);
        run("the same stars fitted, fluxes and places", found, "stars", [&] { fit.measure(places, 0.5); });
    }

    const std::vector<Row>& rows() const { return rows_; }

private:
    // What is timed must be right: one sweep after the other, the two devices' results part by rounding alone.
    void expect_the_cpus(const FitImage& image, const PsfMap& psf, FieldFit& fit, const std::vector<FitStar>& places) {
        FieldFit cpu({{}, &pool_}, image, psf, {});
        cpu.measure(places, 0.5), fit.measure(places, 0.5);
        for (std::size_t i = 0; i < places.size(); ++i) {
            const FieldStar &a = cpu.stars()[i], &b = fit.stars()[i];
            if (!(std::fabs(a.at.flux - b.at.flux) <= 1e-3 * a.error.flux))
                fail(Fault::internal, "star ", i, " has a flux of ", b.at.flux, ", on the CPU ", a.at.flux, " +- ",
                     a.error.flux);
        }
    }

    template <class Work>
    void run(const std::string& operation, double amount, const char* unit, Work&& work) {
        bench::Timer timer;
        double total = timer.run(work);
        if (total < 1) {  // that was the warm-up
            timer = {};
            for (total = 0; total < 0.3 || timer.runs() < 5;) total += timer.run(work);
        }
        const bench::Times t = timer.times();
        rows_.push_back({operation, amount / t.processor, amount / t.median, unit, t});
        std::printf("  %-48s %12.6g %s/s of one core, %12.6g %s/s by the clock (%.4f s)\n", operation.c_str(),
                    amount / t.processor, unit, amount / t.median, unit, t.median);
    }
    ThreadPool& pool_;
    std::vector<Row> rows_;
};

void write_json(const std::vector<Row>& rows, const std::string& path, Stream stream) {
    std::ofstream out(path);
    out << "{\"device\": \"" << device_name(stream) << "\", \"threads\": " << stream.pool->threads() << ", \"isa\": \""
        << isa_name(stream.pool->isa()) << "\", \"rows\": [";
    for (const Row& r : rows)
        out << (&r == rows.data() ? "\n" : ",\n") << "  {\"operation\": \"" << r.operation
            << "\", \"per_core_second\": " << r.per_core_second << ", \"per_second\": " << r.per_second
            << ", \"unit\": \"" << r.unit << "\", \"median_s\": " << r.times.median
            << ", \"processor_s\": " << r.times.processor << ", \"spread\": " << r.times.spread
            << ", \"runs\": " << r.times.runs << "}";
    out << "\n]}\n";
    if (!out.flush()) fail(Fault::output, path, ": can't be written");
}

Options parse(int argc, char** argv) {
    Options o;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string key = argv[i], value = argv[i + 1];
        if (key == "--threads")
            o.threads = std::stoi(value);
        else if (key == "--json")
            o.json = value;
        else if (key == "--psf")
            o.psf = value;
        else if (key == "--psf-width")
            o.psf_width = std::stoi(value);
        else if (key == "--oversampling")
            o.oversampling = std::stod(value);
        else if (key == "--stars")
            o.stars = value;
        else if (key == "--image")
            o.image = value;
        else if (key == "--fields")
            o.fields = value != "no";
        else if (key == "--device")
            o.device.kind = value == "cuda" ? Device::Kind::cuda : Device::Kind::cpu;
        else if (key == "--columns")
            o.columns = std::stoi(value);
        else if (key == "--rows")
            o.rows = std::stoi(value);
        else
            fail(Fault::usage, "unknown option ", key);
    }
    return o;
}

void bench_all(const Options& o, ThreadPool& pool) {
    std::printf("%d thread%s, %s\n", pool.threads(), pool.threads() > 1 ? "s" : "", isa_name(pool.isa()));
    const Psf psf = load_psf(o);
    Bench bench(pool);
    if (o.device.kind == Device::Kind::cuda) {  // what it does of all this
        if (cuda_devices() == 0) fail(Fault::device, "no CUDA device can be used here: ", cuda_trouble());
        const StreamOwner stream(o.device, &pool);
        std::printf("on %s\n", device_name(stream).c_str());
        bench.fields_on(stream, 512, 20), bench.fields_on(stream, 100, 1000);
        for (int size : {400, 1600}) bench.fit(stream, size);
        if (!o.json.empty()) write_json(bench.rows(), o.json, stream);
        return;
    }
    bench.stamps(psf, 31, 20000);
    bench.stamps(psf, 100, 5000);
    for (double mean : {5.0, 20.0, 46.5, 2000.8}) bench.noise(mean, {});
    Exposure drizzled;
    drizzled.drizzle_sigma = 0.4;
    bench.noise(46.5, drizzled);
    bench.fit({{}, &pool}, 400);
    if (o.fields) bench.fields(512, 20), bench.fields(100, 5000);
    if (!o.json.empty()) write_json(bench.rows(), o.json, {{}, &pool});
}

}  // namespace

int main(int argc, char** argv) try {
    const Options options = parse(argc, argv);
    ThreadPool pool(options.threads);
    options.stars.empty() ? bench_all(options, pool) : draw(options, pool);
} catch (const std::exception& e) {
    std::fprintf(stderr,
                 "bench_sim: %s\nusage: bench_sim [--threads N] [--json FILE] [--fields no] [--device cpu|cuda]\n"
                 "                 [--psf FILE --psf-width N --oversampling K]\n"
                 "       bench_sim --stars FILE --image FILE --columns N --rows N [--psf ...]\n",
                 e.what());
    return 2;
}
