// Flips and quarter turns as geometry: rotations of coordinates about a map's middle, and of vectors with them.
#pragma once
#include "kernels/orient.h"
#include "tests/reference/array.h"

namespace star::reference {

/// From an orientation's coordinates (along columns, along rows, from the middle) to the image's.
struct Matrix {
    int xx, xy, yx, yy;
};
inline Matrix matrix_of(int g) {
    Matrix m{1, 0, 0, 1};
    if (g & 4) m = {0, 1, 1, 0};
    if (g & 1) m.xx = -m.xx, m.xy = -m.xy;
    if (g & 2) m.yx = -m.yx, m.yy = -m.yy;
    return m;
}

/// The element of a map in the image's coordinates, doubled and from the middle.
template <class T>
T at_place(const Array<T>& x, int n, int twice_x, int twice_y, int c) {
    const Shape s = x.shape();
    const int column = (twice_x + s.w - 1) / 2, row = (twice_y + s.h - 1) / 2;
    return x[((std::int64_t{n} * s.h + row) * s.w + column) * s.c + c];
}

/// What each orientation shows.
template <class T>
Array<T> oriented(const Array<T>& x) {
    const Shape s = x.shape();
    Array<T> y({orientations * s.n, s.h, s.w, s.c});
    std::int64_t to = 0;
    for (int n = 0; n < y.shape().n; ++n) {
        const Matrix m = matrix_of(n % orientations);
        for (int i = 0; i < s.h; ++i)
            for (int j = 0; j < s.w; ++j)
                for (int c = 0; c < s.c; ++c) {
                    const int u = 2 * j + 1 - s.w, v = 2 * i + 1 - s.h;
                    y[to++] = at_place(x, n / orientations, m.xx * u + m.xy * v, m.yx * u + m.yy * v, c);
                }
    }
    return y;
}

/// The mean, in double, and its bound: eight additions in float and a division by a power of two.
template <class T>
Bounds orientations_mean(const Array<T>& x, Turning turning) {
    const Shape s = x.shape();
    Bounds out(x.size() / orientations);
    std::vector<double> size(out.value.size());
    for (int n = 0; n < s.n; ++n) {
        const Matrix m = matrix_of(n % orientations);
        for (int i = 0; i < s.h; ++i)
            for (int j = 0; j < s.w; ++j)
                for (int c = 0; c < s.c; ++c) {
                    const int u = 2 * j + 1 - s.w, v = 2 * i + 1 - s.h;
                    const int column = (m.xx * u + m.xy * v + s.w - 1) / 2, row = (m.yx * u + m.yy * v + s.h - 1) / 2;
                    const auto value = [&](int channel) { return double(widen(at_place(x, n, u, v, channel))); };
                    const int base = c - c % 4;
                    double got = value(c);
                    if (turning == Turning::offsets && c % 4 == 0) got = m.xx * value(base) + m.xy * value(base + 1);
                    if (turning == Turning::offsets && c % 4 == 1) got = m.yx * value(base) + m.yy * value(base + 1);
                    if (turning == Turning::offsets && c % 4 > 1 && m.xx == 0) got = value(base + (c % 4 == 2 ? 3 : 2));
                    const auto to =
                        std::size_t(((std::int64_t{n / orientations} * s.h + row) * s.w + column) * s.c + c);
                    out.value[to] += got / orientations, size[to] += std::fabs(got) / orientations;
                }
    }
    for (std::size_t i = 0; i < size.size(); ++i)
        out.bound[i] = sum_of_products<T>(out.value[i], size[i], orientations).bound;
    return out;
}

inline const Shape orient_cases[] = {{1, 1, 1, 1}, {2, 2, 2, 3}, {1, 3, 3, 1}, {3, 16, 16, 1}, {1, 37, 37, 8}};
inline const Shape mean_cases[] = {{1, 1, 1, 4}, {2, 2, 2, 8}, {1, 3, 3, 24}, {2, 16, 16, 20}, {1, 33, 33, 16}};

}  // namespace star::reference
