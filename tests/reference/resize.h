// Bilinear enlargement in double precision, with bounds.
#pragma once
#include "tests/reference/array.h"

namespace star::reference {

struct At {  // where a pixel of the result lies in x: between low and low + 1
    int low, high;
    double part;
};

inline At at(int i, int factor, int extent) {
    const double v = std::clamp((i + 0.5) / factor - 0.5, 0.0, double(extent - 1));
    const int low = int(v);
    return {low, std::min(low + 1, extent - 1), v - low};
}

/// The definition, and how far a float evaluation may be from it: a position is wrong by at most 2 u (position + 1),
/// which moves the result by no more than that times the largest difference of neighbours; ten further roundings.
template <class T>
Bounds enlarged(const Array<T>& x, int factor) {
    const Shape s = x.shape();
    const int height = s.h * factor, width = s.w * factor;
    Bounds out(std::int64_t{s.n} * height * width * s.c);
    double largest = 0;
    for (std::int64_t i = 0; i < x.size(); ++i) largest = std::max(largest, std::fabs(double(widen(x[i]))));
    std::size_t to = 0;
    for (int n = 0; n < s.n; ++n)
        for (int i = 0; i < height; ++i)
            for (int j = 0; j < width; ++j)
                for (int c = 0; c < s.c; ++c, ++to) {
                    const At v = at(i, factor, s.h), h = at(j, factor, s.w);
                    const auto pixel = [&](int y, int w) {
                        return double(widen(x[((std::int64_t{n} * s.h + y) * s.w + w) * s.c + c]));
                    };
                    const double above = (1 - h.part) * pixel(v.low, h.low) + h.part * pixel(v.low, h.high);
                    const double below = (1 - h.part) * pixel(v.high, h.low) + h.part * pixel(v.high, h.high);
                    const double value = (1 - v.part) * above + v.part * below;
                    const double error = 0x1p-24 * largest * (4 * (v.low + 1 + h.low + 1) + 10);
                    out.value[to] = value;
                    out.bound[to] = error + (sizeof(T) == 2 ? rounding<T>(std::fabs(value) + error) : 0);
                }
    return out;
}

/// Image, factor.
struct EnlargeCase {
    Shape x;
    int factor;
};
inline const EnlargeCase enlarge_cases[] = {{{1, 1, 1, 1}, 1},  {{1, 1, 1, 1}, 4},   {{2, 3, 5, 1}, 2},
                                            {{1, 7, 11, 3}, 3}, {{1, 5, 129, 1}, 2}, {{1, 2, 3, 8}, 7}};

}  // namespace star::reference
