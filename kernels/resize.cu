// Bilinear enlargement on a GPU: a block per row of the result. Images have one channel here, so neighbouring threads
// write neighbouring pixels.
#include "kernels/pack.cuh"
#include "kernels/resize.h"

namespace star::cuda {
namespace {

constexpr int threads = 256;

struct Tap {  // value = (1 - weight) * x[low] + weight * x[high]
    int low, high;
    float weight;
};

constexpr Tap tap(int i, int factor, int extent) {
    const float before = (float(i) + 0.5f) / float(factor) - 0.5f, last = float(extent - 1);
    const float at = before < 0 ? 0 : before > last ? last : before;
    const int low = int(at);
    return {low, low + 1 < extent ? low + 1 : extent - 1, at - float(low)};
}

template <class T>
__global__ void __launch_bounds__(threads) bilinear(View<const T> x, int factor, View<T> y) {
    const Shape s = x.shape, t = y.shape;
    const int row = int(blockIdx.x);
    const Tap v = tap(row % t.h, factor, s.h);
    const std::int64_t length = std::int64_t{s.w} * s.c;
    const T* const image = x.data + std::int64_t{row / t.h} * s.h * length;
    const T *const above = image + v.low * length, *const below = image + v.high * length;
    T* const to = y.data + std::int64_t{row} * t.w * t.c;
    for (int item = int(threadIdx.x); item < t.w * t.c; item += threads) {
        const Tap h = tap(item / t.c, factor, s.w);
        const int c = item % t.c;
        const std::int64_t low = std::int64_t{h.low} * s.c + c, high = std::int64_t{h.high} * s.c + c;
        const float a = (1 - h.weight) * widen(above[low]) + h.weight * widen(above[high]);
        const float b = (1 - h.weight) * widen(below[low]) + h.weight * widen(below[high]);
        to[item] = narrow<T>((1 - v.weight) * a + v.weight * b);
    }
}

}  // namespace

template <class T>
void enlarge(Stream stream, View<const T> x, int factor, View<T> y) {
    const Shape t = y.shape;
    if (y.size() == 0) return;
    require(std::int64_t{t.w} * t.c < std::int64_t{1} << 30, "enlarge: rows of ", t.w, " pixels of ", t.c);
    launch(stream, {{block_count(std::int64_t{t.n} * t.h)}, threads}, bilinear<T>, x, factor, y);
}

template void enlarge(Stream, View<const float>, int, View<float>);
template void enlarge(Stream, View<const bf16>, int, View<bf16>);

}  // namespace star::cuda
