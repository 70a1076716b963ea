// A mesh map at every pixel, on a GPU: a block per row of pixels.
#include "kernels/background.h"
#include "kernels/pack.cuh"

namespace star::cuda {
namespace {

constexpr int threads = 256;

struct Between {  // along one axis: the cells below and above a pixel, and their centres
    int low, high;
    float centre_low, centre_high;
};

constexpr float centre(int cell, int cells, int extent, int size) {
    return 0.5f * float(cell * size + (cell + 1 == cells ? extent : (cell + 1) * size));
}

constexpr Between between(int at, int cells, int extent, int size) {
    int low = at / size < cells ? at / size : cells - 1;
    if (low > 0 && float(at) + 0.5f < centre(low, cells, extent, size)) --low;
    const int high = low + 1 < cells ? low + 1 : low;
    return {low, high, centre(low, cells, extent, size), centre(high, cells, extent, size)};
}

__global__ void __launch_bounds__(threads) interpolate(View<const float> mesh, int size, View<float> out) {
    const int y = int(blockIdx.x), h = mesh.shape.h, w = mesh.shape.w, width = out.shape.w;
    const Between i = between(y, h, out.shape.h, size);
    const float part =
        i.centre_high > i.centre_low ? (float(y) + 0.5f - i.centre_low) / (i.centre_high - i.centre_low) : 0.0f;
    const float fy = part < 0 ? 0.0f : part > 1 ? 1.0f : part;
    const auto column = [&](int j) {
        const float a = mesh.data[i.low * w + j], b = mesh.data[i.high * w + j];
        return a + fy * (b - a);
    };
    for (std::int64_t x = threadIdx.x; x < width; x += threads) {
        const Between j = between(int(x), w, width, size);
        const float a = column(j.low), b = column(j.high);
        const float slope = j.centre_high > j.centre_low ? (b - a) / (j.centre_high - j.centre_low) : 0.0f;
        const float past = float(x) + 0.5f - j.centre_low;
        out.data[std::int64_t{y} * width + x] = a + slope * (past < 0 ? 0.0f : past);
    }
}

}  // namespace

void mesh_to_image(Stream stream, View<const float> mesh, int size, View<float> out) {
    launch(stream, {{block_count(out.shape.h)}, threads}, interpolate, mesh, size, out);
}

}  // namespace star::cuda
