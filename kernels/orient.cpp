// Orientations on the CPU: a row of the result is a task.
#include "kernels/orient.h"

#include <algorithm>

#include "kernels/dispatch.h"

namespace star {
namespace cpu {

template <class T>
void orient(Stream stream, View<const T> x, View<T> y) {
    const int S = x.shape.h, C = x.shape.c;
    stream.pool->for_each(std::int64_t{y.shape.n} * S, [&](std::int64_t row, int) {
        const int g = int(row / S % orientations), i = int(row % S);
        const T* const image = x.data + row / S / orientations * S * S * C;
        T* to = y.data + row * S * C;
        for (int j = 0; j < S; ++j, to += C) {
            const Cell from = seen_at(g, {i, j}, S);
            std::copy_n(image + (std::int64_t{from.row} * S + from.column) * C, C, to);
        }
    });
}

template <class T>
void average_orientations(Stream stream, View<const T> x, Turning turning, View<T> y) {
    const int S = y.shape.h, C = y.shape.c;
    const std::int64_t map = std::int64_t{S} * S * C;
    stream.pool->for_each(std::int64_t{y.shape.n} * S, [&](std::int64_t row, int) {
        const T* const first = x.data + row / S * orientations * map;
        T* to = y.data + row * S * C;
        for (int j = 0; j < S; ++j)
            for (int c = 0; c < C; ++c) {
                float sum = 0;
                for (int g = 0; g < orientations; ++g) {
                    const Cell at = shown_at(g, {int(row % S), j}, S);
                    const Turned from = turned(g, turning, c);
                    sum +=
                        from.sign * widen(first[g * map + (std::int64_t{at.row} * S + at.column) * C + from.channel]);
                }
                *to++ = narrow<T>(sum / orientations);
            }
    });
}

}  // namespace cpu

template <class T>
void orient(Stream stream, View<const T> x, View<T> y) {
    const Shape s = x.shape;
    require(s.h == s.w && y.shape == Shape{orientations * s.n, s.h, s.w, s.c}, "orient: ", s.h, "x", s.w,
            " pixels, or y has the wrong shape");
    on<cpu::orient<T>, cuda::orient<T>>(stream, x, y);
}

template <class T>
void average_orientations(Stream stream, View<const T> x, Turning turning, View<T> y) {
    const Shape s = y.shape;
    require(s.h == s.w && x.shape == Shape{orientations * s.n, s.h, s.w, s.c}, "average_orientations: ", s.h, "x", s.w,
            " cells, or x has the wrong shape");
    require(turning == Turning::never || s.c % 4 == 0, "average_orientations: ", s.c, " channels of offsets");
    on<cpu::average_orientations<T>, cuda::average_orientations<T>>(stream, x, turning, y);
}

template void orient(Stream, View<const float>, View<float>);
template void orient(Stream, View<const bf16>, View<bf16>);
template void average_orientations(Stream, View<const float>, Turning, View<float>);
template void average_orientations(Stream, View<const bf16>, Turning, View<bf16>);

}  // namespace star
