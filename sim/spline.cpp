// Spline coefficients by a tridiagonal solve, and separable filters.
#include "sim/spline.h"

#include <algorithm>
#include <cstddef>

namespace star {
namespace {

// Gaussian elimination of the system (1 4 1)/6, without pivots: it is diagonally dominant.
void solve(double* data, int n, std::ptrdiff_t step, std::vector<double>& upper) {
    upper.resize(std::size_t(n));
    double previous = 0, factor = 0;
    for (int i = 0; i < n; ++i) {
        const double inverse = 1 / (4 - factor);
        factor = upper[std::size_t(i)] = inverse;
        previous = data[i * step] = (6 * data[i * step] - previous) * inverse;
    }
    for (int i = n - 2; i >= 0; --i) data[i * step] -= upper[std::size_t(i)] * data[(i + 1) * step];
}

}  // namespace

void spline_coefficients(std::vector<double>& samples, int w, int h) {
    std::vector<double> upper;
    for (int y = 0; y < h; ++y) solve(samples.data() + std::ptrdiff_t(y) * w, w, 1, upper);
    for (int x = 0; x < w; ++x) solve(samples.data() + x, h, w, upper);
}

std::vector<double> filtered(std::span<const double> source, int w, int h, std::span<const Filter> rows,
                             std::span<const Filter> columns) {
    const std::size_t out_w = columns.size();
    std::vector<double> half(std::size_t(h) * out_w), out(rows.size() * out_w);
    for (int y = 0; y < h; ++y)
        for (std::size_t j = 0; j < out_w; ++j) {
            const Filter& f = columns[j];
            const int from = std::max(0, -f.first), to = std::min(int(f.weights.size()), w - f.first);
            double sum = 0;
            for (int k = from; k < to; ++k) sum += f.weights[std::size_t(k)] * source[std::size_t(y) * w + f.first + k];
            half[std::size_t(y) * out_w + j] = sum;
        }
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const Filter& f = rows[i];
        const int from = std::max(0, -f.first), to = std::min(int(f.weights.size()), h - f.first);
        for (int k = from; k < to; ++k) {
            const double weight = f.weights[std::size_t(k)];
            const double* row = half.data() + std::size_t(f.first + k) * out_w;
            for (std::size_t j = 0; j < out_w; ++j) out[i * out_w + j] += weight * row[j];
        }
    }
    return out;
}

}  // namespace star
