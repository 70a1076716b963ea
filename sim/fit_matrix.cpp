// Overlaps and Cholesky.
#include "sim/fit_matrix.h"

#include <algorithm>

#include "kernels/fit_rules.h"

namespace star {
namespace {

struct Shared {
    int x0, x1, y0, y1;
};

Shared shared(const FitPatch& a, const FitPatch& b) {
    return {std::max(a.x0, b.x0), std::min(a.x0 + a.w, b.x0 + b.w), std::max(a.y0, b.y0),
            std::min(a.y0 + a.h, b.y0 + b.h)};
}

const double* at(const FitPatch& p, int plane, int x, int y) {
    return p.first + plane * p.plane + (y - p.y0) * p.line + (x - p.x0);
}

// Two stars: nine sums in one go over the pixels.
void overlap_stars(const FitPatch& a, const FitPatch& b, const double* weight, int width, double out[9]) {
    const Shared s = shared(a, b);
    double sum[9] = {};
    for (int y = s.y0; y < s.y1; ++y) {
        const double *p = at(a, 0, s.x0, y), *q = at(b, 0, s.x0, y), *w = weight + std::ptrdiff_t(y) * width + s.x0;
        for (int x = 0; x < s.x1 - s.x0; ++x) {
            if (w[x] == 0) continue;
            const double u[3] = {w[x] * p[x], w[x] * p[x + a.plane], w[x] * p[x + 2 * a.plane]};
            const double v[3] = {q[x], q[x + b.plane], q[x + 2 * b.plane]};
            for (int i = 0; i < 3; ++i)
                for (int j = 0; j < 3; ++j) sum[3 * i + j] += u[i] * v[j];
        }
    }
    std::copy_n(sum, 9, out);
}

double overlap_planes(const FitPatch& a, int i, const FitPatch& b, int j, const double* weight, int width) {
    const Shared s = shared(a, b);
    double sum = 0;
    for (int y = s.y0; y < s.y1; ++y) {
        const double *p = at(a, i, s.x0, y), *q = at(b, j, s.x0, y), *w = weight + std::ptrdiff_t(y) * width + s.x0;
        for (int x = 0; x < s.x1 - s.x0; ++x) sum += w[x] * p[x] * q[x];
    }
    return sum;
}

}  // namespace

void overlap_matrix(const std::vector<FitPatch>& patches, const double* weight, int width, SymmetricMatrix& out) {
    int n = 0;
    for (const FitPatch& p : patches) n += p.planes;
    out.reset(n);
    int row = 0;
    for (std::size_t a = 0; a < patches.size(); row += patches[a++].planes) {
        int column = row;
        for (std::size_t b = a; b < patches.size(); column += patches[b++].planes) {
            const FitPatch &p = patches[a], &q = patches[b];
            const Shared s = shared(p, q);
            if (s.x0 >= s.x1 || s.y0 >= s.y1) continue;
            double block[9];
            if (p.planes == 3 && q.planes == 3)
                overlap_stars(p, q, weight, width, block);
            else
                for (int i = 0; i < p.planes; ++i)
                    for (int j = 0; j < q.planes; ++j)
                        block[i * q.planes + j] = overlap_planes(p, i, q, j, weight, width);
            for (int i = 0; i < p.planes; ++i)
                for (int j = 0; j < q.planes; ++j)
                    if (row + i <= column + j) out(row + i, column + j) = block[i * q.planes + j];
        }
    }
}

void cholesky(SymmetricMatrix& m) {
    const int n = m.n;
    std::vector<double> diagonal(static_cast<std::size_t>(n));
    for (int k = 0; k < n; ++k) diagonal[std::size_t(k)] = m(k, k);
    for (int k = 0; k < n; ++k) {
        double* row = &m(k, 0);
        if (!(diagonal[std::size_t(k)] > 0)) {
            std::fill(row + k, row + n, 0.0);
            continue;
        }
        const double root = fit_rules::pivot(row[k], diagonal[std::size_t(k)]);
        row[k] = root;
        for (int j = k + 1; j < n; ++j) row[j] /= root;
        for (int i = k + 1; i < n; ++i) {
            const double factor = row[i];
            if (factor == 0) continue;
            double* to = &m(i, 0);
            for (int j = i; j < n; ++j) to[j] -= factor * row[j];
        }
    }
}

void solve_cholesky(const SymmetricMatrix& u, std::vector<double>& x) {
    const int n = u.n;
    for (int i = 0; i < n; ++i) {
        const double pivot = u(i, i);
        double& v = x[std::size_t(i)];
        v = pivot > 0 ? v / pivot : 0;
        for (int j = i + 1; j < n; ++j) x[std::size_t(j)] -= u(i, j) * v;
    }
    for (int i = n - 1; i >= 0; --i) {
        double v = x[std::size_t(i)];
        for (int j = i + 1; j < n; ++j) v -= u(i, j) * x[std::size_t(j)];
        x[std::size_t(i)] = u(i, i) > 0 ? v / u(i, i) : 0;
    }
}

}  // namespace star
