// Normalisation and windows on the CPU.
#include "kernels/normalise.h"

#include <algorithm>
#include <cmath>

#include "kernels/dispatch.h"

namespace star {
namespace {

float stretch(float flux, float background, float sigma, Normalise how) {
    if (how.by == Normalise::By::paper) return (std::max(flux, background) - background) / (how.full - background);
    // in double: a pixel of 3e38 is finite, and must stay so
    return float(std::asinh((double(flux) - background) / (double(how.softening) * sigma)));
}

}  // namespace

namespace cpu {

void normalise(Stream stream, View<const float> image, View<const std::uint8_t> mask, View<const float> background,
               const float* sigma, Normalise how, View<float> y) {
    const float noise = how.by == Normalise::By::asinh ? *sigma : 1;
    const bool known = noise > 0;
    stream.pool->for_range(image.size(), 1 << 14, [&](std::int64_t first, std::int64_t last, int) {
        for (std::int64_t i = first; i < last; ++i) {
            const bool usable = known && std::isfinite(image.data[i]) && !(mask.data && mask.data[i]);
            y.data[i] = usable ? stretch(image.data[i], background.data[i], noise, how) : 0;
        }
    });
}

template <class T>
void cut_window(Stream stream, View<const float> image, int y0, int x0, View<T> y) {
    const Shape s = image.shape, t = y.shape;
    const std::int64_t left = std::clamp<std::int64_t>(-std::int64_t{x0}, 0, t.w);           // columns before the image
    const std::int64_t right = std::clamp<std::int64_t>(std::int64_t{s.w} - x0, left, t.w);  // and the first after it
    stream.pool->for_range(t.h, 64, [&](std::int64_t first, std::int64_t last, int) {
        for (std::int64_t i = first; i < last; ++i) {
            T* const to = y.data + i * t.w;
            const std::int64_t row = y0 + i;
            if (row < 0 || row >= s.h) {
                std::fill_n(to, t.w, T{});
                continue;
            }
            std::fill(to, to + left, T{});
            for (std::int64_t j = left; j < right; ++j) to[j] = narrow<T>(image.data[row * s.w + x0 + j]);
            std::fill(to + right, to + t.w, T{});
        }
    });
}

}  // namespace cpu

void normalise(Stream stream, View<const float> image, View<const std::uint8_t> mask, View<const float> background,
               const float* sigma, Normalise how, View<float> y) {
    require(background.shape == image.shape && y.shape == image.shape && (!mask.data || mask.shape == image.shape),
            "normalise: shapes differ");
    require(how.by != Normalise::By::asinh || how.softening > 0, "normalise: softening ", how.softening);
    on<cpu::normalise, cuda::normalise>(stream, image, mask, background, sigma, how, y);
}

template <class T>
void cut_window(Stream stream, View<const float> image, int y0, int x0, View<T> y) {
    require(image.shape.n == 1 && image.shape.c == 1 && y.shape.n == 1 && y.shape.c == 1,
            "cut_window: not one image of one channel");
    on<cpu::cut_window<T>, cuda::cut_window<T>>(stream, image, y0, x0, y);
}

template void cut_window(Stream, View<const float>, int, int, View<float>);
template void cut_window(Stream, View<const float>, int, int, View<bf16>);

}  // namespace star
