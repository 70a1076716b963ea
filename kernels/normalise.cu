// Normalisation and windows on a GPU.
#include <cmath>

#include "kernels/normalise.h"
#include "kernels/pack.cuh"

namespace star::cuda {
namespace {

constexpr int threads = 256;

struct Problem {
    std::int64_t count;
    const float* image;
    const std::uint8_t* mask;
    const float* background;
    const float* sigma;
    Normalise how;
    float* y;
};

__device__ float stretch(float flux, float background, float sigma, Normalise how) {
    if (how.by == Normalise::By::paper)
        return ((flux < background ? background : flux) - background) / (how.full - background);
    // in double: a pixel of 3e38 is finite, and must stay so
    return float(asinh((double(flux) - background) / (double(how.softening) * sigma)));
}

template <int n>
__device__ void stretch_pack(const Problem& p, std::int64_t at, float noise) {
    auto v = load_pack<n>(p.image + at);
    const auto background = load_pack<n>(p.background + at);
    Pack<std::uint8_t, n> mask{};
    if (p.mask) mask = load_pack<n>(p.mask + at);
    for (int k = 0; k < n; ++k) {
        const bool usable = noise > 0 && std::isfinite(v.x[k]) && !mask.x[k];
        v.x[k] = usable ? stretch(v.x[k], background.x[k], noise, p.how) : 0.0f;
    }
    store_pack(p.y + at, v);
}

template <int n>
__global__ void __launch_bounds__(threads) stretch_pixels(Problem p) {
    const std::int64_t first = (std::int64_t{blockIdx.x} * threads + threadIdx.x) * n;
    const float noise = p.how.by == Normalise::By::asinh ? *p.sigma : 1.0f;
    if (first + n <= p.count) {
        stretch_pack<n>(p, first, noise);
    } else {
        for (std::int64_t i = first; i < p.count; ++i) stretch_pack<1>(p, i, noise);
    }
}

template <class T>
__global__ void __launch_bounds__(threads) cut(View<const float> image, int y0, int x0, View<T> y) {
    const Shape s = image.shape, t = y.shape;
    const int i = int(blockIdx.x);
    const std::int64_t row = std::int64_t{y0} + i;
    const bool inside = row >= 0 && row < s.h;
    const float* const from = image.data + (inside ? row * s.w : 0);
    T* const to = y.data + std::int64_t{i} * t.w;
    for (std::int64_t j = threadIdx.x; j < t.w; j += threads) {
        const std::int64_t column = x0 + j;
        to[j] = inside && column >= 0 && column < s.w ? narrow<T>(from[column]) : T{};
    }
}

}  // namespace

void normalise(Stream stream, View<const float> image, View<const std::uint8_t> mask, View<const float> background,
               const float* sigma, Normalise how, View<float> y) {
    const Problem p{image.size(), image.data, mask.data, background.data, sigma, how, y.data};
    if (p.count == 0) return;
    with_packs<float>(aligned(p.image, p.mask, p.background, p.y), [&](auto pack) {
        launch(stream, {{block_count(ceil_div(p.count, std::int64_t{threads} * pack.value))}, threads},
               stretch_pixels<pack.value>, p);
    });
}

template <class T>
void cut_window(Stream stream, View<const float> image, int y0, int x0, View<T> y) {
    if (y.size() == 0) return;
    launch(stream, {{block_count(y.shape.h)}, threads}, cut<T>, image, y0, x0, y);
}

template void cut_window(Stream, View<const float>, int, int, View<float>);
template void cut_window(Stream, View<const float>, int, int, View<bf16>);

}  // namespace star::cuda
