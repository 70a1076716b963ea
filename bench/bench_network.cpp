// The speed of whole networks on one device: a training step and a forward pass, in images and FLOP/s, for `paper` (100
// px fields enlarged to 800) and `native`; on a CPU also what share of a step its parts take. And of detection, from an
// image's pixels to its units. bench/torch_network.py times torchvision's RetinaNet in the same way.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "bench/ceiling.h"
#include "bench/problem.h"
#include "bench/timing.h"
#include "nn/detector.h"
#include "nn/trainer.h"
#include "tools/fields.h"
#include "tools/model_file.h"

using namespace star;
using namespace star::bench;

namespace {

struct Options {
    Device device;
    int threads = 0, batch = 0;  // batch 0: 16 on a GPU, 1 on a CPU (paper); eight times that for native
    double seconds = 5;          // per row, at least
    std::string only, json;
    bool parts = false;
};

double flops(const Network& net) {
    double sum = 0;
    for (const Layer& l : net.layers) sum += l.times * l.flops();
    return sum;
}

/// Noise with a unit on every 100 pixels or so.
TrainingBatch fields(int batch, int side) {
    TrainingBatch b;
    Random r(1, 0);
    b.images.resize(std::size_t(batch) * std::size_t(side) * std::size_t(side));
    for (float& p : b.images) p = float(r.normal());
    b.first.push_back(0);
    for (int n = 0; n < batch; ++n) {
        for (int u = 0; u < side * side / 100; ++u) {
            const float x = float(r.uniform(0, side)), y = float(r.uniform(0, side));
            b.boxes.push_back({x - 3, y - 3, x + 3, y + 3});
            b.labels.push_back(std::int8_t(r.below(5)));
        }
        b.first.push_back(int(b.boxes.size()));
    }
    return b;
}

struct Named {
    std::string network, what;
    int batch, side;
    double flops;
};

void add_row(const Named& n, const Times& t, nlohmann::json& rows) {
    std::printf(
        "%-7s %-14s batch %3d of %dx%d px: %9.2f ms +-%4.1f %%  %9.1f images/s  %8.2f GFLOP/s; %9.2f ms of "
        "processors\n",
        n.network.c_str(), n.what.c_str(), n.batch, n.side, n.side, 1e3 * t.median, 100 * t.spread, n.batch / t.median,
        1e-9 * n.flops / t.median, 1e3 * t.least_processor);
    std::fflush(stdout);
    rows.push_back({{"network", n.network},
                    {"what", n.what},
                    {"batch", n.batch},
                    {"side", n.side},
                    {"median_s", t.median},
                    {"spread", t.spread},
                    {"least_processor_s", t.least_processor},
                    {"flops", n.flops}});
}

Setup setup_of(const std::string& name, int batch, int side) {
    Config config;
    config.load_text(preset_text("csst-g"), "csst-g");
    config.load_text(architecture_text(name), name);
    config.load_text("[training]\nbatch = " + std::to_string(batch) + "\nside = " + std::to_string(side) + "\n",
                     "bench");
    return read_setup(config);
}

/// The parts of a training step, each timed alone in processor time, beside the step: its convolutions layer by layer,
/// and what else it does as the difference; and the fields that it eats, simulated, labelled and prepared.
template <class T>
void time_parts(const std::string& name, const Options& o, Stream stream, int batch, const Times& step,
                nlohmann::json& rows) {
    const double whole = step.least_processor;
    Ceiling ceiling(*stream.pool);
    double sum = 0, least = 0;
    const auto print = [&](const std::string& part, double seconds) {
        std::printf("  %-40s %9.2f ms of processors, %5.1f %% of the step\n", part.c_str(), 1e3 * seconds,
                    100 * seconds / whole);
        rows.push_back({{"network", name}, {"part", part}, {"least_processor_s", seconds}, {"share", seconds / whole}});
    };
    for (const char* operation : conv_operations) {
        double seconds = 0;
        for (Layer layer : (name == "paper" ? paper_network() : native_network()).layers) {
            if (!layer.input_gradient && std::string(operation) == "input gradient") continue;
            layer.x.n = batch;
            Problem<T> problem(layer, stream);
            const PairedTimes t = time_in_turns(
                o.seconds / 50, [&] { problem.queue(operation); }, [&] { ceiling.run(); });
            seconds += layer.times * t.work.least_processor;
            least += layer.times * layer.flops() * t.ceiling.least_processor / ceiling.flops();
        }
        sum += seconds;
        print(std::string("convolutions, ") + operation, seconds);
    }
    print("all else: norm, ReLU, sums, loss, Adam", whole - sum);
    print("the convolutions at the ceiling", least);
    const Setup setup = setup_of(name, batch, 100);
    FieldSource source(stream, setup, Curriculum(setup.simulator()));
    std::uint64_t number = 0;
    const auto fresh = [&] {
        std::vector<std::uint64_t> numbers(std::size_t(setup.training.fields));
        for (std::uint64_t& n : numbers) n = number++;
        source.batch(1, numbers);
    };
    const PairedTimes fields = time_in_turns(o.seconds / 5, fresh, [] {});
    print("beside it: fields of 100x100 px", fields.work.least_processor);
}

template <class T>
void time_network(const std::string& name, const Options& o, Stream stream, nlohmann::json& rows) {
    Config config;
    config.load_text(architecture_text(name), name);
    const Architecture a = read_architecture(config);
    const int scale = name == "paper" ? 8 : 1;
    Training how;
    const bool gpu = stream.device.kind == Device::Kind::cuda;
    how.batch = (o.batch ? o.batch : gpu ? 16 : 1) * (name == "paper" ? 1 : 8);
    how.height = how.width = name == "paper" ? 100 : 128;
    const double work = how.batch * (name == "paper" ? flops(paper_network()) : flops(native_network()) / 8);
    Trainer<T> trainer(stream, a, scale, how, 1);
    const TrainingBatch batch = fields(how.batch, how.width);
    const auto time = [&](const char* what, double flops, const auto& once) {
        const Times t = time_in_turns(
                            o.seconds, [&] { once(), synchronize(stream); }, [] {})
                            .work;
        add_row({name, what, how.batch, how.width, flops}, t, rows);
        return t;
    };
    const Times step = time("training step", 3 * work, [&] { trainer.step(batch); });
    time("forward + loss", work, [&] { trainer.validate(batch, false); });
    if (o.parts) time_parts<T>(name, o, stream, how.batch, step, rows);
}

/// A shipped model of the native network on one image with as many stars as the training's fields.
template <class T>
void time_detection(const Options& o, Stream stream, nlohmann::json& rows) {
    const Model model = read_model("csst-g");
    Config config;
    config.load_text(architecture_text("native"), "native");
    require(model.architecture == read_architecture(config) && model.procedure.orientations == 1 &&
                model.procedure.input_scale == 1,
            "csst-g isn't the native network as it was: its work isn't that of these layers");
    const Detector<T> detector(stream, model.architecture, model.procedure,
                               [&](const std::string& name) { return model.find(name); });
    const bool gpu = stream.device.kind == Device::Kind::cuda;
    const int side = gpu ? 4096 : 512, stars = side * side / 400;
    std::vector<float> pixels(std::size_t(side) * std::size_t(side));
    Random r(1, 0);
    for (float& p : pixels) p = float(100 + 10 * r.normal());
    for (int star = 0; star < stars; ++star) {
        const int x = 1 + r.below(side - 2), y = 1 + r.below(side - 2);
        for (int dy = -1; dy <= 1; ++dy)
            for (int dx = -1; dx <= 1; ++dx)
                pixels[std::size_t(y + dy) * std::size_t(side) + std::size_t(x + dx)] +=
                    400.0f / float(1 << (dx * dx + dy * dy));
    }
    const Sky sky{{pixels.data(), {1, side, side, 1}}};
    Flow flow = usual_flow(stream);
    if (o.batch) flow.tiles = o.batch;
    std::size_t found = 0;
    const auto detect = [&] { found = detector.detect(stream, sky, flow).units.size(); };
    detect();
    // stars 40 sigma bright, one in 400 px: a few fall together
    require(found > std::size_t(0.8 * stars) && found < std::size_t(1.1 * stars), "detection is wrong: ", found,
            " units from ", stars, " stars");
    const Times t = time_in_turns(o.seconds, detect, [] {}).work;
    add_row({"native", "detection", 1, side, double(side) * side / (128 * 128) * flops(native_network()) / 8}, t, rows);
    std::printf(
        "  %zu units; tiles of %d px with halos of %d (not counted as work), %d at once on each of %d streams\n", found,
        model.procedure.core, model.procedure.halo, flow.tiles, flow.streams);
}

Options parse(int argc, char** argv) {
    Options o;
    for (int i = 1; i < argc; i += 2) {
        const std::string key = argv[i], value = i + 1 < argc ? argv[i + 1] : "";
        if (key == "--parts" && i-- > 0)  // has no value
            o.parts = true;
        else if (key == "--device" && (value == "cpu" || value == "cuda"))
            o.device.kind = value == "cuda" ? Device::Kind::cuda : Device::Kind::cpu;
        else if (key == "--threads" && !value.empty())
            o.threads = std::atoi(value.c_str());
        else if (key == "--batch" && !value.empty())
            o.batch = std::atoi(value.c_str());
        else if (key == "--seconds" && !value.empty())
            o.seconds = std::atof(value.c_str());
        else if (key == "--only" && (value == "paper" || value == "native"))
            o.only = value;
        else if (key == "--json" && !value.empty())
            o.json = value;
        else
            fail(Fault::usage, key, ' ', value,
                 ": usage: bench_network [--device cpu|cuda] [--only paper|native] [--batch N] [--threads N] "
                 "[--seconds PER_ROW] [--parts] [--json FILE]; --only leaves detection out");
    }
    if (o.parts && o.device.kind == Device::Kind::cuda) fail(Fault::usage, "--parts: on a CPU alone");
    return o;
}

void run(const Options& o) {
    ThreadPool pool(o.threads);
    if (o.device.kind == Device::Kind::cuda && cuda_devices() == 0)
        fail(Fault::device, "no CUDA device can be used here");
    const StreamOwner stream(o.device, &pool);
    const bool gpu = o.device.kind == Device::Kind::cuda;
    std::printf("%s, %d threads, activations in %s\n", device_name(stream).c_str(), pool.threads(),
                gpu ? "bf16" : "float");
    nlohmann::json rows = nlohmann::json::array();
    for (const char* name : {"paper", "native"}) {
        if (!o.only.empty() && o.only != name) continue;
        if (gpu)
            time_network<bf16>(name, o, stream, rows);
        else
            time_network<float>(name, o, stream, rows);
    }
    if (o.only.empty()) gpu ? time_detection<bf16>(o, stream, rows) : time_detection<float>(o, stream, rows);
    if (o.json.empty()) return;
    std::ofstream out(o.json);
    out << nlohmann::json{{"device", device_name(stream)}, {"threads", pool.threads()}, {"rows", rows}}.dump(1) << '\n';
    if (!out) fail(Fault::output, o.json, ": can't be written");
}

}  // namespace

int main(int argc, char** argv) {
    try {
        run(parse(argc, argv));
    } catch (const Error& e) {
        std::fprintf(stderr, "bench_network: %s\n", e.what());
        return int(e.fault);
    }
}
