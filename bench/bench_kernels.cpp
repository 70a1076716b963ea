// The speed of the convolutions with the networks' own shapes, in percent of what the processor's multiply-add units
// could do at most (measured in the same run). Refuses to time a wrong result.
#include <dlfcn.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <string>

#include "bench/ceiling.h"
#include "bench/layers.h"
#include "bench/timing.h"
#include "kernels/random.h"

using namespace star;
using namespace star::bench;

namespace {

struct Options {
    int threads = 0;
    Isa isa = best_isa();
    std::string filter, json;
    double seconds = 0.1;  // per row, at least
};

struct Row {
    std::string network, operation;
    Layer layer;
    double bytes, flops;
    Times times;
    double ceiling;            // FLOP/s, measured in turns with the row
    double processor_ceiling;  // FLOP per second of processor time
    double percent() const { return 100 * flops / times.median / ceiling; }
    double processor_percent() const { return 100 * flops / times.processor / processor_ceiling; }
};

std::vector<float> values(std::int64_t count, std::uint64_t seed) {
    std::vector<float> v(static_cast<std::size_t>(count));
    Random random(seed, 0);
    for (float& f : v) f = float(random.uniform(-1, 1));
    return v;
}

/// The tensors of one layer, and a check of what was computed at a few places.
class Problem {
public:
    Problem(const Layer& layer, Stream stream)
        : layer_(layer),
          stream_(stream),
          x_(values(layer.x.size(), 1)),
          w_(values(layer.w.size(), 2)),
          dy_(values(layer.y().size(), 3)),
          y_(dy_.size()),
          dx_(x_.size()),
          dw_(w_.size()),
          scratch_(measured()) {}

    void forward() { forward(stream_, scratch_); }
    void backward_input() { backward_input(stream_, scratch_); }
    void backward_weight() { backward_weight(stream_, scratch_); }

    /// Compares 24 outputs of one operation with sums in double precision.
    void check(const std::string& operation) {
        const Shape x = layer_.x, w = layer_.w, y = layer_.y();
        Random random(7, 0);
        std::fill(dw_.begin(), dw_.end(), 0.0f);
        if (operation == "forward") forward();
        if (operation == "input gradient") backward_input();
        if (operation == "weight gradient") backward_weight();
        for (int i = 0; i < 24; ++i) {
            double sum = 0, size = 0, terms = 2;
            const auto product = [&](int n, int oi, int oj, int k, int r, int s, int c, int which) {
                const int h = oi * layer_.how.stride - layer_.how.pad + r,
                          v = oj * layer_.how.stride - layer_.how.pad + s;
                if (h < 0 || h >= x.h || v < 0 || v >= x.w) return;
                const double a = x_[at(x, n, h, v, c)], b = w_[at(w, k, r, s, c)], d = dy_[at(y, n, oi, oj, k)];
                const double p = which == 0 ? a * b : which == 1 ? d * b : a * d;
                sum += p, size += std::fabs(p), terms += 1;
            };
            float got = 0;
            if (operation == "forward") {
                const int n = random.below(y.n), oi = random.below(y.h), oj = random.below(y.w), k = random.below(y.c);
                for (int r = 0; r < w.h; ++r)
                    for (int s = 0; s < w.w; ++s)
                        for (int c = 0; c < w.c; ++c) product(n, oi, oj, k, r, s, c, 0);
                got = y_[at(y, n, oi, oj, k)];
            } else if (operation == "input gradient") {
                const int n = random.below(x.n), h = random.below(x.h), v = random.below(x.w), c = random.below(x.c);
                for (int r = 0; r < w.h; ++r)
                    for (int s = 0; s < w.w; ++s) {
                        const int oi = h + layer_.how.pad - r, oj = v + layer_.how.pad - s, t = layer_.how.stride;
                        if (oi < 0 || oj < 0 || oi % t || oj % t || oi / t >= y.h || oj / t >= y.w) continue;
                        for (int k = 0; k < w.n; ++k) product(n, oi / t, oj / t, k, r, s, c, 1);
                    }
                got = dx_[at(x, n, h, v, c)];
            } else {
                const int k = random.below(w.n), r = random.below(w.h), s = random.below(w.w), c = random.below(w.c);
                for (int n = 0; n < y.n; ++n)
                    for (int oi = 0; oi < y.h; ++oi)
                        for (int oj = 0; oj < y.w; ++oj) product(n, oi, oj, k, r, s, c, 2);
                got = dw_[at(w, k, r, s, c)];
            }
            require(std::fabs(got - sum) <= terms * 0x1p-24 * size, operation, " of ", layer_.name, " is wrong: ", got,
                    " instead of ", sum);
        }
    }

private:
    static std::size_t at(Shape s, int n, int h, int w, int c) {
        return std::size_t(((std::int64_t{n} * s.h + h) * s.w + w) * s.c + c);
    }
    void forward(Stream stream, Arena& arena) {
        conv_forward<float>(stream, {x_.data(), layer_.x}, {w_.data(), layer_.w}, nullptr, layer_.how,
                            {y_.data(), layer_.y()}, arena);
    }
    void backward_input(Stream stream, Arena& arena) {
        conv_backward_input<float>(stream, {dy_.data(), layer_.y()}, {w_.data(), layer_.w}, layer_.how,
                                   {dx_.data(), layer_.x}, arena);
    }
    void backward_weight(Stream stream, Arena& arena) {
        conv_backward_weight<float>(stream, {x_.data(), layer_.x}, {dy_.data(), layer_.y()}, layer_.how,
                                    {dw_.data(), layer_.w}, nullptr, arena);
    }
    Arena measured() {
        Arena measure = Arena::measuring();
        forward(dry(stream_), measure), backward_input(dry(stream_), measure), backward_weight(dry(stream_), measure);
        return Arena({}, measure.peak());
    }

    Layer layer_;
    Stream stream_;
    std::vector<float> x_, w_, dy_, y_, dx_, dw_;
    Arena scratch_;
};

std::string shape_text(const Layer& l) {
    char text[96];
    std::snprintf(text, sizeof text, "%dx%dx%d %d->%d %dx%d/%d", l.x.n, l.x.h, l.x.w, l.x.c, l.w.n, l.w.h, l.w.w,
                  l.how.stride);
    return text;
}

void time_layer(const std::string& network, const Layer& layer, Stream stream, const Options& options,
                std::vector<Row>& rows) {
    for (const char* operation : {"forward", "input gradient", "weight gradient"}) {
        if (!layer.input_gradient && std::strcmp(operation, "input gradient") == 0) continue;
        const std::string name = network + ' ' + operation + ' ' + layer.name + ' ' + shape_text(layer);
        if (name.find(options.filter) == std::string::npos) continue;
        Problem problem(layer, stream);
        problem.check(operation);
        Ceiling ceiling(*stream.pool);
        const auto work = [&] {
            if (operation[0] == 'f')
                problem.forward();
            else if (operation[0] == 'i')
                problem.backward_input();
            else
                problem.backward_weight();
        };
        const PairedTimes times = time_in_turns(options.seconds, work, [&] { ceiling.run(); });
        const double bytes = 4.0 * double(layer.x.size() + layer.w.size() + layer.y().size());
        rows.push_back({network, operation, layer, bytes, layer.flops(), times.work,
                        ceiling.flops() / times.ceiling.quartile, ceiling.flops() / times.ceiling.processor});
        const Times& took = times.work;
        std::printf("%-8s %-15s %-10s %-26s x%-3d %9.3f ms +-%4.1f %% %7.1f GB/s %8.1f GFLOP/s %6.1f %% %6.1f %%\n",
                    network.c_str(), operation, layer.name.c_str(), shape_text(layer).c_str(), layer.times,
                    1e3 * took.median, 100 * took.spread, 1e-9 * bytes / took.median,
                    1e-9 * layer.flops() / took.median, rows.back().percent(), rows.back().processor_percent());
        std::fflush(stdout);
    }
}

/// OpenBLAS, where it is installed, with as many threads: a matrix product of 1536 rows and columns.
void time_openblas(ThreadPool& pool, double seconds) {
    // It doesn't know the newest processors by name, and would fall back to code for old ones; a user's choice stands.
    if (pool.isa() != Isa::baseline) setenv("OPENBLAS_CORETYPE", pool.isa() == Isa::avx512 ? "SkylakeX" : "Haswell", 0);
    void* library = dlopen("libopenblas.so.0", RTLD_NOW);
    if (!library) return;
    using Sgemm =
        void (*)(int, int, int, int, int, int, float, const float*, int, const float*, int, float, float*, int);
    const auto sgemm = reinterpret_cast<Sgemm>(dlsym(library, "cblas_sgemm"));
    const auto set_threads = reinterpret_cast<void (*)(int)>(dlsym(library, "openblas_set_num_threads"));
    if (!sgemm || !set_threads) return;
    set_threads(pool.threads());
    constexpr int n = 1536, row_major = 101, as_it_is = 111;
    const auto a = values(n * n, 1), b = values(n * n, 2);
    std::vector<float> c(n * n);
    Ceiling ceiling(pool);
    const PairedTimes times = time_in_turns(
        seconds, [&] { sgemm(row_major, as_it_is, as_it_is, n, n, n, 1, a.data(), n, b.data(), n, 0, c.data(), n); },
        [&] { ceiling.run(); });
    const double rate = 2.0 * n * n * n / times.work.median;
    std::printf("OpenBLAS sgemm %d: %.1f GFLOP/s, %.1f %% of the ceiling, %.1f %% in processor time\n\n", n,
                1e-9 * rate, 100 * rate * times.ceiling.quartile / ceiling.flops(),
                100 * times.ceiling.processor / ceiling.flops() * (2.0 * n * n * n / times.work.processor));
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

void write_json(const std::vector<Row>& rows, const Options& options, int threads) {
    std::ofstream out(options.json);
    out << "{\"threads\": " << threads << ", \"isa\": \"" << isa_name(options.isa) << "\", \"rows\": [";
    const char* separator = "\n";
    for (const Row& r : rows) {
        out << separator << "  {\"network\": \"" << r.network << "\", \"operation\": \"" << r.operation
            << "\", \"layer\": \"" << r.layer.name << "\", \"shape\": \"" << shape_text(r.layer)
            << "\", \"times_in_network\": " << r.layer.times << ", \"median_s\": " << r.times.median
            << ", \"best_s\": " << r.times.best << ", \"spread\": " << r.times.spread << ", \"runs\": " << r.times.runs
            << ", \"bytes\": " << r.bytes << ", \"flops\": " << r.flops << ", \"ceiling_flops\": " << r.ceiling
            << ", \"percent\": " << r.percent() << ", \"processor_percent\": " << r.processor_percent() << "}";
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
                 ": unknown, or its value is missing; usage: bench_kernels [--threads N] "
                 "[--isa sse4.2|avx2|avx512] [--filter TEXT] [--seconds PER_ROW] [--json FILE]");
        const std::string value = argv[++i];
        if (key == "--threads")
            o.threads = std::atoi(value.c_str());
        else if (key == "--filter")
            o.filter = value;
        else if (key == "--json")
            o.json = value;
        else if (key == "--seconds")
            o.seconds = std::atof(value.c_str());
        else if (key == "--isa") {
            if (value == "avx512")
                o.isa = Isa::avx512;
            else if (value == "avx2")
                o.isa = Isa::avx2;
            else if (value == isa_name(Isa::baseline))
                o.isa = Isa::baseline;
            else
                fail(Fault::usage, "--isa ", value, ": choose sse4.2, avx2 or avx512");
        } else
            fail(Fault::usage, key, ": unknown option");
    }
    return o;
}

void run(const Options& options) {
    ThreadPool pool(options.threads, options.isa);
    const Stream stream{.device = {}, .pool = &pool};
    std::printf(
        "%d threads, %s, float; percent of the multiply-add ceiling measured in turns with each row, and the same in "
        "processor time\n",
        pool.threads(), isa_name(options.isa));
    std::printf("paper: RetinaNet ResNet-50-FPN, 800x800 px, batch 1; native: 128x128 px, batch 8\n\n");
    time_openblas(pool, options.seconds);
    std::vector<Row> rows;
    for (const Layer& l : paper_network().layers) time_layer("paper", l, stream, options, rows);
    for (const Layer& l : native_network().layers) time_layer("native", l, stream, options, rows);
    print_means(rows);
    if (!options.json.empty()) write_json(rows, options, pool.threads());
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
