// What the CUDA kernels ask of memory, counted by the emulator: sectors per request, bank conflicts, bytes moved
// against the least. Needs no GPU and says nothing of time. Convolutions go through asynchronous copies and matrix
// loads; what the others do is plain reads and writes.
#include <cstdio>

#include "bench/layers.h"
#include "bench/traffic.h"
#include "kernels/config.h"

using namespace star;
using namespace star::bench;

namespace {

constexpr Device device{Device::Kind::cuda, 0};

/// least: bytes of both operands, once.
void print(const char* operation, const Layer& l, double least, const simt::Counters& c) {
    std::printf("%-15s %-10s %dx%dx%d %d->%d %dx%d/%d  %3lld launches %6lld blocks", operation, l.name.c_str(), l.x.n,
                l.x.h, l.x.w, l.x.c, l.w.n, l.w.h, l.w.w, l.how.stride, (long long)c.launches, (long long)c.blocks);
    if (c.copy_requests)
        std::printf("  %5.2f sectors/request, %5.2f bytes/sector, %6.2f x the least bytes, %lld write conflicts",
                    double(c.copy_sectors) / double(c.copy_requests), double(c.copy_bytes) / double(c.copy_sectors),
                    double(c.copy_bytes) / least, (long long)c.copy_conflicts);
    std::printf("  %lld matrix loads, %lld conflicts", (long long)c.matrix_loads, (long long)c.bank_conflicts);
    if (accesses_seen)
        std::printf("; written and read besides: %.2f MB, %lld shared conflicts",
                    32e-6 * double(c.read_sectors + c.write_sectors), (long long)c.shared_conflicts);
    std::printf("\n");
    std::fflush(stdout);
}

void count_layer(Layer l, Stream stream) {
    l.x.n = 1;
    l.x.h = std::min(l.x.h, 25), l.x.w = std::min(l.x.w, 25);  // the emulator is slow; a few tiles say it all
    const Shape y = l.y();
    const Buffer<bf16> x = numbers<bf16>(l.x.size()), w = numbers<bf16>(l.w.size()), dy = numbers<bf16>(y.size());
    const Buffer<bf16> to(device, std::max(y.size(), l.x.size()));
    const Buffer<float> dw(device, l.w.size());
    fill_zero(stream, dw.data(), std::size_t(dw.size()) * sizeof(float));
    const auto run = [&](const char* operation, std::int64_t least, auto queue) {
        Arena measure = Arena::measuring();
        queue(dry(stream), measure);
        Arena scratch(device, measure.peak());
        print(operation, l, 2.0 * double(least), simt::counted([&] { queue(stream, scratch); }));
    };
    run("forward", l.x.size() + l.w.size(),
        [&](Stream s, Arena& a) { conv_forward<bf16>(s, x.view(l.x), w.view(l.w), nullptr, l.how, to.view(y), a); });
    if (l.input_gradient)
        run("input gradient", y.size() + l.w.size(),
            [&](Stream s, Arena& a) { conv_backward_input<bf16>(s, dy.view(y), w.view(l.w), l.how, to.view(l.x), a); });
    run("weight gradient", l.x.size() + y.size(), [&](Stream s, Arena& a) {
        conv_backward_weight<bf16>(s, x.view(l.x), dy.view(y), l.how, dw.view(l.w), nullptr, a);
    });
}

void print(const TrafficTask& task, const simt::Counters& c) {
    std::printf(
        "%-20s %-42s %3lld launches %6lld blocks  %6.2f sectors/read, %5.2f sectors/write, %5.2f x the least bytes, "
        "%lld shared requests, %lld conflicts\n",
        task.name.c_str(), task.shape.c_str(), (long long)c.launches, (long long)c.blocks,
        double(c.read_sectors) / double(std::max<std::int64_t>(c.read_requests, 1)),
        double(c.write_sectors) / double(std::max<std::int64_t>(c.write_requests, 1)),
        double(c.global_bytes()) / task.least, (long long)c.shared_requests, (long long)c.shared_conflicts);
    std::fflush(stdout);
}

}  // namespace

int main() {
    ThreadPool pool;
    const Stream stream{device, &pool};
    for (const Layer& l : native_network().layers) count_layer(l, stream);
    if (!accesses_seen) {
        std::printf("plain reads and writes aren't seen: that needs a build by GCC without sanitizers\n");
        return 0;
    }
    Arrays arrays;
    const Stream alone{device};  // a thread: what atomics retry depends on others
    for (const TrafficTask& task : traffic_tasks(arrays, alone)) print(task, count(task, alone));
}
