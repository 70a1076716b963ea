// The speed of whole networks on one device: a training step and a forward pass, in images and FLOP/s, for `paper` (100
// px fields enlarged to 800) and `native`. bench/torch_network.py times torchvision's RetinaNet in the same way.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "bench/layers.h"
#include "bench/timing.h"
#include "kernels/random.h"
#include "nn/trainer.h"
#include "tools/setup.h"

using namespace star;
using namespace star::bench;

namespace {

struct Options {
    Device device;
    int threads = 0, batch = 0;  // batch 0: 16 on a GPU, 1 on a CPU (paper); eight times that for native
    double seconds = 5;          // per row, at least
    std::string only, json;
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
    const double per_image = name == "paper" ? flops(paper_network()) : flops(native_network()) / 8;
    Trainer<T> trainer(stream, a, scale, how, 1);
    const TrainingBatch batch = fields(how.batch, how.width);
    const auto print = [&](const char* what, double work, const Times& t) {
        std::printf("%-7s %-14s batch %3d of %dx%d px: %9.2f ms +-%4.1f %%  %9.1f images/s  %8.2f TFLOP/s\n",
                    name.c_str(), what, how.batch, how.width, how.height, 1e3 * t.median, 100 * t.spread,
                    how.batch / t.median, 1e-12 * work * how.batch / t.median);
        std::fflush(stdout);
        rows.push_back({{"network", name},
                        {"what", what},
                        {"batch", how.batch},
                        {"side", how.width},
                        {"median_s", t.median},
                        {"spread", t.spread},
                        {"processor_s", t.processor},
                        {"flops", work * how.batch}});
    };
    const auto nothing_else = [] {};
    print("training step", 3 * per_image,
          time_in_turns(
              o.seconds,
              [&] {
                  trainer.step(batch);
                  synchronize(stream);
              },
              nothing_else)
              .work);
    print("forward + loss", per_image,
          time_in_turns(
              o.seconds,
              [&] {
                  trainer.validate(batch, false);
                  synchronize(stream);
              },
              nothing_else)
              .work);
}

Options parse(int argc, char** argv) {
    Options o;
    for (int i = 1; i < argc; i += 2) {
        const std::string key = argv[i], value = i + 1 < argc ? argv[i + 1] : "";
        if (key == "--device" && (value == "cpu" || value == "cuda"))
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
                 "[--seconds PER_ROW] [--json FILE]");
    }
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
