// On paper: what an H100 allows the convolutions of the networks, layer by layer. Each tensor crosses the memory once,
// each multiply-add runs at the rate of a large matrix product; the slower of the two is the layer's limit.
#include <algorithm>
#include <cstdio>
#include <string>

#include "bench/layers.h"

using namespace star;
using namespace star::bench;

namespace {

constexpr double product_flops = 798e12, copy_bytes = 3.0e12;  // per second, measured on one H100 (bf16 product, copy)

struct Limit {
    double flops = 0, bytes = 0, seconds = 0;
    void add(double f, double b, int times) {
        flops += times * f, bytes += times * b, seconds += times * std::max(f / product_flops, b / copy_bytes);
    }
};

void print(const char* name, Network network, int images) {
    std::printf("%s, batch %d, bf16 activations, float weight gradients\n", name, images);
    Limit forward, step;
    for (Layer l : network.layers) {
        l.x.n = images;
        const double x = 2.0 * double(l.x.size()), w = 2.0 * double(l.w.size()), y = 2.0 * double(l.y().size());
        Limit f, i, g;
        f.add(l.flops(), x + w + y, 1);
        if (l.input_gradient) i.add(l.flops(), x + w + y, 1);
        g.add(l.flops(), x + y + 2 * w, 1);
        for (const Limit* part : {&f, &i, &g}) step.add(part->flops, part->bytes, l.times);
        forward.add(f.flops, f.bytes, l.times);
        std::printf(
            "  %-10s %4dx%-4d %4d ->%4d %dx%d/%d x%-3d %8.2f GFLOP %8.1f MB  forward %7.1f us, %s; gradients %7.1f "
            "us\n",
            l.name.c_str(), l.x.h, l.x.w, l.x.c, l.w.n, l.w.h, l.w.w, l.how.stride, l.times, 1e-9 * f.flops,
            1e-6 * f.bytes, 1e6 * f.seconds, f.flops / product_flops >= f.bytes / copy_bytes ? "compute" : "memory ",
            1e6 * (i.seconds + g.seconds));
    }
    for (const auto& [what, limit] : {std::pair{"forward", forward}, {"forward and gradients", step}})
        std::printf("  %s: %.1f GFLOP and %.1f MB per image; at most %.0f images/s, %.0f TFLOP/s\n", what,
                    1e-9 * limit.flops / images, 1e-6 * limit.bytes / images, images / limit.seconds,
                    1e-12 * limit.flops / limit.seconds);
}

}  // namespace

int main() {
    print("paper: 800x800 px", paper_network(), 16);
    print("native: 128x128 px", native_network(), 128);
}
