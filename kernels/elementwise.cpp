// Additions, ReLU and conversions on the CPU.
#include "kernels/elementwise.h"

#include "kernels/dispatch.h"

namespace star {
namespace {

constexpr std::int64_t grain = 1 << 15;  // elements per piece of work: well above the cost of handing one out

}  // namespace

namespace cpu {

// Element i of an output depends on element i of the inputs alone, also where they share memory: hence ivdep.

template <class T>
void add(Stream stream, View<const T> a, View<const T> b, bool relu, View<T> y) {
    stream.pool->for_range(y.size(), grain, [&](std::int64_t first, std::int64_t last, int) {
        if (relu) {
#pragma GCC ivdep
            for (std::int64_t i = first; i < last; ++i) {
                const float v = widen(a.data[i]) + widen(b.data[i]);
                y.data[i] = narrow<T>(v <= 0 ? 0.0f : v);
            }
        } else {
#pragma GCC ivdep
            for (std::int64_t i = first; i < last; ++i) y.data[i] = narrow<T>(widen(a.data[i]) + widen(b.data[i]));
        }
    });
}

template <class T>
void relu_backward(Stream stream, View<const T> y, View<const T> dy, View<T> dx) {
    stream.pool->for_range(dx.size(), grain, [&](std::int64_t first, std::int64_t last, int) {
#pragma GCC ivdep
        for (std::int64_t i = first; i < last; ++i) {
            const float g = widen(dy.data[i]);  // read in any case: a conditional read isn't vectorised
            dx.data[i] = narrow<T>(widen(y.data[i]) > 0 ? g : 0.0f);
        }
    });
}

template <class T>
void relu_forward(Stream stream, View<const T> x, View<T> y) {
    stream.pool->for_range(y.size(), grain, [&](std::int64_t first, std::int64_t last, int) {
#pragma GCC ivdep
        for (std::int64_t i = first; i < last; ++i) {
            const float v = widen(x.data[i]);
            y.data[i] = narrow<T>(v <= 0 ? 0.0f : v);  // this way round NaN stays NaN
        }
    });
}

template <class A, class B>
void convert(Stream stream, View<const A> from, View<B> to) {
    stream.pool->for_range(to.size(), grain, [&](std::int64_t first, std::int64_t last, int) {
        for (std::int64_t i = first; i < last; ++i) to.data[i] = narrow<B>(widen(from.data[i]));
    });
}

}  // namespace cpu

template <class T>
void add(Stream stream, View<const T> a, View<const T> b, bool relu, View<T> y) {
    require(a.shape == y.shape && b.shape == y.shape, "add: shapes differ");
    on<cpu::add<T>, cuda::add<T>>(stream, a, b, relu, y);
}

template <class T>
void relu_backward(Stream stream, View<const T> y, View<const T> dy, View<T> dx) {
    require(y.shape == dx.shape && dy.shape == dx.shape, "relu_backward: shapes differ");
    on<cpu::relu_backward<T>, cuda::relu_backward<T>>(stream, y, dy, dx);
}

template <class T>
void relu_forward(Stream stream, View<const T> x, View<T> y) {
    require(x.shape == y.shape, "relu_forward: shapes differ");
    on<cpu::relu_forward<T>, cuda::relu_forward<T>>(stream, x, y);
}

template <class A, class B>
void convert(Stream stream, View<const A> from, View<B> to) {
    require(from.shape == to.shape, "convert: shapes differ");
    on<cpu::convert<A, B>, cuda::convert<A, B>>(stream, from, to);
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

}  // namespace star
