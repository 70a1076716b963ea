// Bilinear enlargement on the CPU.
#include "kernels/resize.h"

#include <algorithm>
#include <cmath>

#include "kernels/dispatch.h"

namespace star {
namespace cpu {
namespace {

struct Tap {  // value = (1 - weight) * x[low] + weight * x[high]
    int low, high;
    float weight;
};

Tap tap(int i, int factor, int extent) {
    const float at = std::clamp((float(i) + 0.5f) / float(factor) - 0.5f, 0.0f, float(extent - 1));
    const int low = int(at);
    return {low, std::min(low + 1, extent - 1), at - float(low)};
}

}  // namespace

template <class T>
void enlarge(Stream stream, View<const T> x, int factor, View<T> y) {
    const int H = x.shape.h, W = x.shape.w, C = x.shape.c;
    stream.pool->for_each(std::int64_t{y.shape.n} * y.shape.h, [&](std::int64_t row, int) {
        const Tap v = tap(int(row % y.shape.h), factor, H);
        const T* image = x.data + row / y.shape.h * H * W * C;
        const T *above = image + std::int64_t{v.low} * W * C, *below = image + std::int64_t{v.high} * W * C;
        T* out = y.data + row * y.shape.w * C;
        for (int j = 0; j < y.shape.w; ++j) {
            const Tap h = tap(j, factor, W);
            for (int c = 0; c < C; ++c) {
                const float a = (1 - h.weight) * widen(above[h.low * C + c]) + h.weight * widen(above[h.high * C + c]);
                const float b = (1 - h.weight) * widen(below[h.low * C + c]) + h.weight * widen(below[h.high * C + c]);
                out[j * C + c] = narrow<T>((1 - v.weight) * a + v.weight * b);
            }
        }
    });
}

}  // namespace cpu

template <class T>
void enlarge(Stream stream, View<const T> x, int factor, View<T> y) {
    require(factor >= 1, "enlarge: factor ", factor);
    require(y.shape == Shape{x.shape.n, x.shape.h * factor, x.shape.w * factor, x.shape.c},
            "enlarge: y has the wrong shape");
    on<cpu::enlarge<T>, cuda::enlarge<T>>(stream, x, factor, y);
}

template void enlarge(Stream, View<const float>, int, View<float>);
template void enlarge(Stream, View<const bf16>, int, View<bf16>);

}  // namespace star
