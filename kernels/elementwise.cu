// Additions, ReLU and conversions on a GPU: one kernel that maps a function over arrays.
#include <algorithm>

#include "kernels/elementwise.h"
#include "kernels/pack.cuh"

namespace star::cuda {
namespace {

constexpr int threads = 256;

// The functions: floats in, a float out. v <= 0 this way round, so that NaN stays NaN.

struct Sum {
    bool relu;
    constexpr float operator()(float a, float b) const { return relu && a + b <= 0 ? 0.0f : a + b; }
};
struct Positive {
    constexpr float operator()(float x) const { return x <= 0 ? 0.0f : x; }
};
struct WherePositive {
    constexpr float operator()(float y, float dy) const { return y > 0 ? dy : 0.0f; }
};
struct Same {
    constexpr float operator()(float x) const { return x; }
};

template <class B, int n, class F, class... A>
__device__ Pack<B, n> mapped(F f, const Pack<A, n>&... from) {
    Pack<B, n> to;
#pragma unroll
    for (int i = 0; i < n; ++i) to.x[i] = narrow<B>(f(widen(from.x[i])...));
    return to;
}

template <int n, class F, class B, class... A>
__global__ void __launch_bounds__(threads) map(std::int64_t count, F f, B* to, const A*... from) {
    const std::int64_t first = (std::int64_t{blockIdx.x} * threads + threadIdx.x) * n;
    if (first + n <= count) {
        store_pack(to + first, mapped<B>(f, load_pack<n>(from + first)...));
    } else {
        for (std::int64_t i = first; i < count; ++i) to[i] = narrow<B>(f(widen(from[i])...));
    }
}

template <class F, class B, class... A>
void launch_map(Stream stream, F f, View<B> to, View<const A>... from) {
    using Largest = std::conditional_t<std::max({sizeof(B), sizeof(A)...}) == 4, float, bf16>;
    if (to.size() == 0) return;
    with_packs<Largest>(aligned(to.data, from.data...), [&](auto pack) {
        const unsigned blocks = block_count(ceil_div(to.size(), std::int64_t{threads} * pack.value));
        launch(stream, {{blocks}, threads}, map<pack.value, F, B, A...>, to.size(), f, to.data, from.data...);
    });
}

}  // namespace

template <class T>
void add(Stream stream, View<const T> a, View<const T> b, bool relu, View<T> y) {
    launch_map(stream, Sum{relu}, y, a, b);
}
template <class T>
void relu_backward(Stream stream, View<const T> y, View<const T> dy, View<T> dx) {
    launch_map(stream, WherePositive{}, dx, y, dy);
}
template <class T>
void relu_forward(Stream stream, View<const T> x, View<T> y) {
    launch_map(stream, Positive{}, y, x);
}
template <class A, class B>
void convert(Stream stream, View<const A> from, View<B> to) {
    launch_map(stream, Same{}, to, from);
}

template void add(Stream, View<const float>, View<const float>, bool, View<float>);
template void add(Stream, View<const bf16>, View<const bf16>, bool, View<bf16>);
template void relu_backward(Stream, View<const float>, View<const float>, View<float>);
template void relu_backward(Stream, View<const bf16>, View<const bf16>, View<bf16>);
template void relu_forward(Stream, View<const float>, View<float>);
template void relu_forward(Stream, View<const bf16>, View<bf16>);
template void convert(Stream, View<const float>, View<float>);
template void convert(Stream, View<const float>, View<bf16>);
template void convert(Stream, View<const bf16>, View<float>);
template void convert(Stream, View<const bf16>, View<bf16>);

}  // namespace star::cuda
