// The speed of the convolutions with the networks' own shapes, in percent of what could be done at most, measured in
// turns with each: on a CPU multiply-adds that never leave the registers, on a GPU a large matrix product by cuBLAS.
// And of what else a detector does, in percent of a copy's rate. Refuses to time a wrong result.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "bench/ceiling.h"
#include "bench/cudnn.h"
#include "bench/detection.h"
#include "bench/layers.h"
#include "bench/library.h"
#include "bench/matrix_product.h"
#include "bench/problem.h"
#include "bench/timing.h"
#include "kernels/random.h"

using namespace star;
using namespace star::bench;

namespace {

struct Options {
    int threads = 0;
    Isa isa = best_isa();
    Device device;
    bool bf16 = false;  // activations; on CUDA always
    std::string filter, json;
    double seconds = 0.1;  // per row, at least
    int batch = 1;         // times the networks' own
};

struct Row {
    std::string network, operation;
    Layer layer;
    double bytes, flops;
    Times times;
    double ceiling;            // FLOP/s, measured in turns with the row; 0: unknown
    double processor_ceiling;  // FLOP per second of processor time; 0 on a GPU
    double cudnn;              // seconds of cuDNN's; NaN: it has none
    double percent() const { return ceiling > 0 ? 100 * flops / times.median / ceiling : NAN; }
    double processor_percent() const {
        return processor_ceiling > 0 ? 100 * flops / times.least_processor / processor_ceiling : NAN;
    }
};

std::string shape_text(const Layer& l) {
    char text[96];
    std::snprintf(text, sizeof text, "%dx%dx%d %d->%d %dx%d/%d", l.x.n, l.x.h, l.x.w, l.x.c, l.w.n, l.w.h, l.w.w,
                  l.how.stride);
    return text;
}

/// What a row is compared with, run in turns with it.
struct Top {
    std::function<void()> run;
    double flops = 0;  ///< of a run; 0: there is none
    bool processor = true;
};

Top top_of(Stream stream, MatrixProduct& product) {
    if (stream.device.kind == Device::Kind::cuda) return {[&] { product.run(); }, product.flops(), false};
    auto loop = std::make_shared<Ceiling>(*stream.pool);
    return {[loop] { loop->run(); }, loop->flops(), true};
}

/// Where layers run, and what beside them.
struct Peers {
    Stream stream;
    Top top;
    const Cudnn& cudnn;
};

/// Seconds of one run of cuDNN's, which knows bf16 here; NaN where there is none. Its failure, said, is no reason to
/// stop.
template <class T>
double cudnn_seconds(const Peers& peers, const Problem<T>& problem, const char* operation, int at_once,
                     double seconds) {
    if constexpr (std::is_same_v<T, bf16>) try {
            if (const auto queue = peers.cudnn.convolution(problem, operation)) {
                const auto work = [&] {
                    for (int i = 0; i < at_once; ++i) queue();
                    synchronize(peers.stream);
                };
                return time_in_turns(seconds, work, peers.top.run).work.median / at_once;
            }
        } catch (const Error& e) {
            std::fprintf(stderr, "cuDNN, %s of %s: %s\n", operation, problem.layer().name.c_str(), e.what());
        }
    return NAN;
}

template <class T>
void time_layer(const std::string& network, const Layer& layer, const Peers& peers, const Options& options,
                std::vector<Row>& rows) {
    const auto& [stream, top, cudnn] = peers;
    std::unique_ptr<Problem<T>> made;  // once for the three operations: drawing its numbers takes a while
    for (const char* operation : conv_operations) {
        if (!layer.input_gradient && std::strcmp(operation, "input gradient") == 0) continue;
        const std::string name = network + ' ' + operation + ' ' + layer.name + ' ' + shape_text(layer);
        if (name.find(options.filter) == std::string::npos) continue;
        if (!made) made = std::make_unique<Problem<T>>(layer, stream);
        Problem<T>& problem = *made;
        problem.check(operation);
        // on a GPU so many at once that the launch and the wait are lost in it
        const int at_once = stream.device.kind == Device::Kind::cpu ? 1 : int(1 + 2e12 / layer.flops());
        const auto work = [&] {
            for (int i = 0; i < at_once; ++i) problem.queue(operation);
            synchronize(stream);
        };
        PairedTimes times = time_in_turns(options.seconds, work, top.run);
        times.work.divide(at_once);
        const double bytes = double(sizeof(T)) * double(layer.x.size() + layer.w.size() + layer.y().size());
        rows.push_back({network, operation, layer, bytes, layer.flops(), times.work, top.flops / times.ceiling.quartile,
                        top.processor ? top.flops / times.ceiling.least_processor : 0,
                        cudnn_seconds<T>(peers, problem, operation, at_once, options.seconds)});
        const Times& took = times.work;
        std::printf("%-8s %-15s %-10s %-26s x%-3d %9.3f ms +-%4.1f %% %7.1f GB/s %8.1f GFLOP/s %6.1f %% %6.1f %%",
                    network.c_str(), operation, layer.name.c_str(), shape_text(layer).c_str(), layer.times,
                    1e3 * took.median, 100 * took.spread, 1e-9 * bytes / took.median,
                    1e-9 * layer.flops() / took.median, rows.back().percent(), rows.back().processor_percent());
        if (rows.back().cudnn > 0) std::printf("  %5.2f times cuDNN's speed", rows.back().cudnn / took.median);
        std::printf("\n");
        std::fflush(stdout);
    }
}

struct DetectionRow {
    std::string name, shape;
    double bytes, copy_rate;
    Times times;
    double percent() const { return 100 * bytes / times.median / copy_rate; }
};

/// The rest of a detector, against a copy.
void time_detection(Stream stream, const Options& options, std::vector<DetectionRow>& rows) {
    std::unique_ptr<Copy> copy;
    for (const auto& [name, make] : detection_tasks(stream)) {
        if (("detection " + name).find(options.filter) == std::string::npos) continue;
        if (!copy) copy = std::make_unique<Copy>(stream);
        const Task task = make();
        task.queue();
        task.check();
        const PairedTimes times = time_in_turns(
            options.seconds, [&] { task.queue(), synchronize(stream); }, [&] { copy->run(); });
        rows.push_back({task.name, task.shape, task.bytes, copy->bytes() / times.ceiling.quartile, times.work});
        const DetectionRow& r = rows.back();
        std::printf("detection %-15s %-24s %9.3f ms +-%4.1f %% %7.1f GB/s of what must be moved, %5.1f %% of a copy\n",
                    r.name.c_str(), r.shape.c_str(), 1e3 * r.times.median, 100 * r.times.spread,
                    1e-9 * r.bytes / r.times.median, r.percent());
        std::fflush(stdout);
    }
}

/// OpenBLAS, where it is installed, with as many threads: a matrix product of 1536 rows and columns.
void time_openblas(ThreadPool& pool, double seconds) {
    // It doesn't know the newest processors by name, and would fall back to code for old ones; a user's choice stands.
    if (pool.isa() != Isa::baseline) setenv("OPENBLAS_CORETYPE", pool.isa() >= Isa::avx512 ? "SkylakeX" : "Haswell", 0);
    const Library library({"libopenblas.so.0"});
    if (!library) return;
    using Sgemm =
        void (*)(int, int, int, int, int, int, float, const float*, int, const float*, int, float, float*, int);
    const auto sgemm = library.look_up<Sgemm>("cblas_sgemm");
    const auto set_threads = library.look_up<void (*)(int)>("openblas_set_num_threads");
    if (!sgemm || !set_threads) return;
    set_threads(pool.threads());
    constexpr int n = 1536, row_major = 101, as_it_is = 111;
    const auto a = values<float>(n * n, 1), b = values<float>(n * n, 2);
    std::vector<float> c(n * n);
    Ceiling ceiling(pool);
    const PairedTimes times = time_in_turns(
        seconds, [&] { sgemm(row_major, as_it_is, as_it_is, n, n, n, 1, a.data(), n, b.data(), n, 0, c.data(), n); },
        [&] { ceiling.run(); });
    const double rate = 2.0 * n * n * n / times.work.median;
    std::printf("OpenBLAS sgemm %d: %.1f GFLOP/s, %.1f %% of the ceiling, %.1f %% in processor time\n\n", n,
                1e-9 * rate, 100 * rate * times.ceiling.quartile / ceiling.flops(),
                100 * times.ceiling.least_processor / ceiling.flops() * (2.0 * n * n * n / times.work.least_processor));
}

void print_means(const std::vector<Row>& rows) {
    struct Mean {
        double logs = 0, processor_logs = 0, seconds = 0, least = 0;  // least: at the ceiling
        int count = 0;
        void add(const Row& r) {
            logs += std::log(r.percent()), processor_logs += std::log(r.processor_percent()),
                seconds += r.layer.times * r.times.median, least += r.layer.times * r.flops / r.ceiling, ++count;
        }
    };
    std::map<std::string, Mean> means;
    for (const Row& r : rows) {
        means[r.operation + ", " + r.network].add(r);
        means[r.operation + ", all layers"].add(r);
    }
    std::printf("\npercent of the ceiling:             geometric mean  in processor time  whole network    its time\n");
    for (const auto& [name, m] : means)
        std::printf("%-36s %9.1f %% %16.1f %% %14.1f %% %10.1f ms  (%d layers)\n", name.c_str(),
                    std::exp(m.logs / m.count), std::exp(m.processor_logs / m.count), 100 * m.least / m.seconds,
                    1e3 * m.seconds, m.count);
}

void write_json(const std::vector<Row>& rows, const std::vector<DetectionRow>& detection, const Options& options,
                Stream stream) {
    const std::string device = device_name(stream);
    std::ofstream out(options.json);
    out << "{\"device\": \"" << device << "\", \"threads\": " << stream.pool->threads() << ", \"type\": \""
        << (options.bf16 ? "bf16" : "float") << "\", \"rows\": [";
    const char* separator = "\n";
    for (const Row& r : rows) {
        out << separator << "  {\"network\": \"" << r.network << "\", \"operation\": \"" << r.operation
            << "\", \"layer\": \"" << r.layer.name << "\", \"shape\": \"" << shape_text(r.layer)
            << "\", \"times_in_network\": " << r.layer.times << ", \"median_s\": " << r.times.median
            << ", \"best_s\": " << r.times.best << ", \"spread\": " << r.times.spread << ", \"runs\": " << r.times.runs
            << ", \"bytes\": " << r.bytes << ", \"flops\": " << r.flops;
        if (r.ceiling > 0) out << ", \"ceiling_flops\": " << r.ceiling << ", \"percent\": " << r.percent();
        if (r.processor_ceiling > 0) out << ", \"processor_percent\": " << r.processor_percent();
        if (r.cudnn > 0) out << ", \"cudnn_s\": " << r.cudnn;
        out << "}";
        separator = ",\n";
    }
    out << "\n], \"detection\": [";
    separator = "\n";
    for (const DetectionRow& r : detection) {
        out << separator << "  {\"operation\": \"" << r.name << "\", \"shape\": \"" << r.shape
            << "\", \"median_s\": " << r.times.median << ", \"best_s\": " << r.times.best
            << ", \"spread\": " << r.times.spread << ", \"runs\": " << r.times.runs << ", \"bytes\": " << r.bytes
            << ", \"copy_bytes_per_s\": " << r.copy_rate << ", \"percent\": " << r.percent() << "}";
        separator = ",\n";
    }
    out << "\n]}\n";
    if (!out) fail(Fault::output, options.json, ": can't be written");
}

Options parse(int argc, char** argv) {
    Options o;
    for (int i = 1; i < argc; ++i) {
        const std::string key = argv[i];
        if (i + 1 == argc)
            fail(Fault::usage, key,
                 ": unknown, or its value is missing; usage: bench_kernels [--device cpu|cuda] [--type float|bf16] "
                 "[--batch TIMES] [--threads N] [--isa sse4.2|avx2|avx512] [--filter TEXT] [--seconds PER_ROW] "
                 "[--json FILE]");
        const std::string value = argv[++i];
        const auto choose = [&](std::initializer_list<const char*> choices) {
            int chosen = 0;
            for (const char* choice : choices) {
                if (value == choice) return chosen;
                ++chosen;
            }
            fail(Fault::usage, key, ' ', value, ": no such choice");
        };
        if (key == "--threads")
            o.threads = std::atoi(value.c_str());
        else if (key == "--batch")
            o.batch = std::max(1, std::atoi(value.c_str()));
        else if (key == "--filter")
            o.filter = value;
        else if (key == "--json")
            o.json = value;
        else if (key == "--seconds")
            o.seconds = std::atof(value.c_str());
        else if (key == "--device")
            o.device.kind = choose({"cpu", "cuda"}) ? Device::Kind::cuda : Device::Kind::cpu;
        else if (key == "--type")
            o.bf16 = choose({"float", "bf16"});
        else if (key == "--isa")
            o.isa = Isa(choose({"sse4.2", "avx2", "avx512"}));
        else
            fail(Fault::usage, key, ": unknown option");
    }
    return o;
}

void run(const Options& options) {
    ThreadPool pool(options.threads, options.isa);
    if (options.device.kind == Device::Kind::cuda && cuda_devices() == 0)
        fail(Fault::device, "no CUDA device can be used here: ", cuda_trouble());
    const StreamOwner stream(options.device, &pool);
    MatrixProduct product(stream);
    const Cudnn cudnn(stream);
    const Peers peers{stream, top_of(stream, product), cudnn};
    std::printf("%s, %d threads, %s; percent of the float ceiling measured in turns with each row%s\n",
                device_name(stream).c_str(), pool.threads(), options.bf16 ? "bf16" : "float",
                peers.top.processor ? ", and the same in processor time" : "");
    std::printf("paper: RetinaNet ResNet-50-FPN, 800x800 px, batch %d; native: 128x128 px, batch %d\n\n", options.batch,
                8 * options.batch);
    if (options.device.kind == Device::Kind::cpu)
        time_openblas(pool, options.seconds);
    else
        std::printf("%s%s", product.flops() == 0 ? "cuBLAS wasn't found: no ceiling\n" : "",
                    cudnn.starts() ? "" : "cuDNN wasn't found, or doesn't start\n");
    std::vector<Row> rows;
    for (auto [name, network] : {std::pair{"paper", paper_network()}, {"native", native_network()}})
        for (Layer l : network.layers) {
            l.x.n *= options.batch;
            if (options.bf16)
                time_layer<bf16>(name, l, peers, options, rows);
            else
                time_layer<float>(name, l, peers, options, rows);
        }
    std::vector<DetectionRow> detection;
    time_detection(stream, options, detection);
    print_means(rows);
    if (!options.json.empty()) write_json(rows, detection, options, stream);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        run(parse(argc, argv));
    } catch (const Error& e) {
        std::fprintf(stderr, "bench_kernels: %s\n", e.what());
        return int(e.fault);
    }
}
