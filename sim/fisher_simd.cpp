// Draws stamps and their derivatives, a vector of columns at a time.
#include "sim/fisher_simd.h"

#include "sim/double_vector.h"

namespace star::STAR_ISA {
namespace {

struct Taps {
    Doubles y[4], x[4], dy[4], dx[4];
    explicit Taps(const FisherPart& s) {
        for (int i = 0; i < 4; ++i) {
            y[i] = every(s.taps->y[i]), dy[i] = every(s.by_place * s.taps->dy[i]);
            x[i] = every(s.taps->x[i]), dx[i] = every(s.by_place * s.taps->dx[i]);
        }
    }
};

// All rows of some columns.
template <bool slopes, class Lanes>
[[gnu::always_inline]] inline void draw_columns(const FisherPart& s, const Taps& t, int column, Lanes some) {
    const float* from[4];
    for (int i = 0; i < 4; ++i) from[i] = s.table + s.taps->at_y[i] + column;
    const std::int64_t at[4] = {s.taps->at_x[0], s.taps->at_x[1], s.taps->at_x[2], s.taps->at_x[3]};
    double* out = s.out + column;
    for (int row = 0; row < s.rows; ++row) {
        Doubles value{}, by_x{}, by_y{};
#pragma GCC unroll 4
        for (int i = 0; i < 4; ++i) {
            Doubles c = some.widen(from[i] + at[0]), along = t.x[0] * c, slope = t.dx[0] * c;
#pragma GCC unroll 4
            for (int j = 1; j < 4; ++j) {
                c = some.widen(from[i] + at[j]);
                along = multiply_add(t.x[j], c, along);
                if (slopes) slope = multiply_add(t.dx[j], c, slope);
            }
            value = multiply_add(t.y[i], along, value);
            if (slopes) by_x = multiply_add(t.y[i], slope, by_x), by_y = multiply_add(t.dy[i], along, by_y);
            from[i] += s.table_stride;
        }
        if (slopes) {
            some.store(out, by_x), some.store(out + s.plane, by_y), some.store(out + 2 * s.plane, value);
        } else {
            some.store(out, value);
        }
        out += s.line;
    }
}

template <bool slopes>
void draw(const FisherPart& s) {
    const Taps taps(s);
    for_columns(
        s.columns, [&](int column, auto some)
                       __attribute__((always_inline)) { draw_columns<slopes>(s, taps, column, some); });
}

}  // namespace

const FisherKernels fisher_kernels{draw<true>, draw<false>};

}  // namespace star::STAR_ISA
