// Cubic B-splines on a uniform grid: the interpolation that PSF tables use, of fourth order and twice differentiable.
#pragma once
#include <span>
#include <vector>

namespace star {

/// The cubic B-spline: support (-2, 2), integral 1.
constexpr double spline(double t) {
    const double a = t < 0 ? -t : t;
    if (a >= 2) return 0;
    if (a >= 1) return (2 - a) * (2 - a) * (2 - a) / 6;
    return 2.0 / 3 + a * a * (a / 2 - 1);
}

/// Its integral from -infinity to t.
constexpr double spline_integral(double t) {
    if (t > 0) return 1 - spline_integral(-t);
    if (t <= -2) return 0;
    const double a = -t;
    if (a >= 1) return (2 - a) * (2 - a) * (2 - a) * (2 - a) / 24;
    return 0.5 - a * (2.0 / 3 - a * a * (1.0 / 3 - a / 8));
}

/// Row-major samples (h rows of w) become the coefficients c of the spline through them: sample(i) = (c(i-1) + 4 c(i) +
/// c(i+1)) / 6 along each axis, coefficients outside the array being zero.
void spline_coefficients(std::vector<double>& samples, int w, int h);

/// One output of a separable filter along an axis: the weighted sum of source[first], source[first + 1], ...
struct Filter {
    int first;
    std::vector<double> weights;
};

/// out(i, j) = sum over y, x of rows[i](y) columns[j](x) source(y, x); zero outside the source (h rows of w).
std::vector<double> filtered(std::span<const double> source, int w, int h, std::span<const Filter> rows,
                             std::span<const Filter> columns);

}  // namespace star
