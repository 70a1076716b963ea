// Sums over shared pixels and triangular systems, a vector of columns at a time.
#include "sim/fit_simd.h"

#include "sim/double_vector.h"

namespace star::STAR_ISA {
namespace {

template <int a_planes, int b_planes>
void meet_planes(const FitMeeting& s, double* out) {
    Doubles sums[a_planes][b_planes] = {};
    for_columns(
        s.columns, [&](int column, auto some) __attribute__((always_inline)) {
            const double *a = s.a + column, *b = s.b + column;
            for (int row = 0; row < s.rows; ++row, a += s.a_line, b += s.b_line) {
                Doubles v[b_planes];
#pragma GCC unroll 3
                for (int j = 0; j < b_planes; ++j) v[j] = some.load(b + j * s.b_plane);
#pragma GCC unroll 3
                for (int i = 0; i < a_planes; ++i) {
                    const Doubles u = some.load(a + i * s.a_plane);
#pragma GCC unroll 3
                    for (int j = 0; j < b_planes; ++j) sums[i][j] = multiply_add(u, v[j], sums[i][j]);
                }
            }
        });
    for (int i = 0; i < a_planes; ++i)
        for (int j = 0; j < b_planes; ++j) out[i * b_planes + j] = sum(sums[i][j]);
}

void meet(const FitMeeting& s, double* out) {
    if (s.a_planes == 3)
        s.b_planes == 3 ? meet_planes<3, 3>(s, out) : meet_planes<3, 1>(s, out);
    else
        s.b_planes == 3 ? meet_planes<1, 3>(s, out) : meet_planes<1, 1>(s, out);
}

void weigh(const FitPatch& p, const double* weight, int width, double* out) {
    weight += std::ptrdiff_t(p.y0) * width + p.x0;
    for (int k = 0; k < p.planes; ++k)
        for (int y = 0; y < p.h; ++y, out += p.w) {
            const double *f = p.first + k * p.plane + y * p.line, *w = weight + std::ptrdiff_t(y) * width;
            for_columns(
                p.w, [&](int x, auto some)
                         __attribute__((always_inline)) { some.store(out + x, some.load(w + x) * some.load(f + x)); });
        }
}

void add(const FitPatch& p, double factor, double* image, int width) {
    const Doubles times = every(factor);
    for (int y = 0; y < p.h; ++y) {
        const double* f = p.first + (p.planes - 1) * p.plane + y * p.line;
        double* to = image + std::ptrdiff_t(p.y0 + y) * width + p.x0;
        for_columns(
            p.w, [&](int x, auto some) __attribute__((always_inline)) {
                some.store(to + x, multiply_add(times, some.load(f + x), some.load(to + x)));
            });
    }
}

void blend(const double* in, std::ptrdiff_t step, const double* factors, int taps, double* out, int count) {
    for_columns(
        count, [&](int i, auto some) __attribute__((always_inline)) {
            Doubles sums{};
            const double* from = in + i;
            for (int t = 0; t < taps; ++t, from += step) sums = multiply_add(every(factors[t]), some.load(from), sums);
            some.store(out + i, sums);
        });
}

// to += factor * row, from column `first` on.
[[gnu::always_inline]] inline void add_row(double factor, const double* row, int first, int n, double* to) {
    const Doubles times = every(factor);
    for_columns(
        n - first, [&](int x, auto some) __attribute__((always_inline)) {
            some.store(to + first + x, multiply_add(times, some.load(row + first + x), some.load(to + first + x)));
        });
}

[[gnu::always_inline]] inline double product(const double* a, const double* b, int first, int n) {
    Doubles sums{};
    for_columns(
        n - first, [&](int x, auto some) __attribute__((always_inline)) {
            sums = multiply_add(some.load(a + first + x), some.load(b + first + x), sums);
        });
    return sum(sums);
}

void eliminate(double* m, int n, int k) {
    const double* row = m + std::ptrdiff_t(k) * n;
    for (int i = k + 1; i < n; ++i)
        if (row[i] != 0) add_row(-row[i], row, i, n, m + std::ptrdiff_t(i) * n);
}

void solve(const double* u, int n, int from, double* x) {
    for (int i = from; i < n; ++i) {
        const double* row = u + std::ptrdiff_t(i) * n;
        x[i] = row[i] > 0 ? x[i] / row[i] : 0;
        if (x[i] != 0) add_row(-x[i], row, i + 1, n, x);
    }
    for (int i = n - 1; i >= 0; --i) {
        const double* row = u + std::ptrdiff_t(i) * n;
        x[i] = row[i] > 0 ? (x[i] - product(row, x, i + 1, n)) / row[i] : 0;
    }
}

double form(const double* m, int n, const double* x) {
    double sum = 0;
    for (int i = 0; i < n; ++i) {
        const double* row = m + std::ptrdiff_t(i) * n;
        sum += x[i] * (row[i] * x[i] + 2 * product(row, x, i + 1, n));
    }
    return sum;
}

}  // namespace

const FitKernels fit_kernels{meet, weigh, add, blend, eliminate, solve, form};

}  // namespace star::STAR_ISA
