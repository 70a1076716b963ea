// The rules of a fit of stars (sim/fit_group.h), the same on every device: where a star's stamp lies, how far a step
// goes, when it is taken, when the fit ends.
#pragma once
#include <algorithm>
#include <cmath>

#include "kernels/fit_stars.h"

namespace star::fit_rules {

inline constexpr double first_lambda = 1e-3, most_lambda = 1e6;
inline constexpr double smallest_pivot = 1e-10;  // far above rounding, far below what a blend needs

/// std::clamp by value: references to what is compared would send it through a GPU's memory.
template <class T>
constexpr T within(T v, T low, T high) {
    return v < low ? low : high < v ? high : v;
}

/// A star's stamp, in pixels of the rectangle: its first pixel, which may lie outside, and what lies inside.
struct Square {
    int left, bottom, x0, y0, x1, y1;
    constexpr bool holds(int x, int y) const { return x >= x0 && x < x1 && y >= y0 && y < y1; }
    constexpr int w() const { return x1 - x0; }
    constexpr int h() const { return y1 - y0; }
};

/// Empty for a star that no double-to-int conversion stands, or so far away that its stamp can't meet the rectangle.
constexpr Square square_of(double x, double y, int radius, const FitRectangle& p) {
    if (!(x > p.column - radius - 1.0 && x < p.column + p.w + radius + 1.0 && y > p.row - radius - 1.0 &&
          y < p.row + p.h + radius + 1.0))
        return {};
    const int side = 2 * radius + 1;
    Square s{int(floor(x)) - radius - p.column, int(floor(y)) - radius - p.row, 0, 0, 0, 0};
    s.x0 = within(s.left, 0, p.w), s.y0 = within(s.bottom, 0, p.h);
    s.x1 = within(s.left + side, 0, p.w), s.y1 = within(s.bottom + side, 0, p.h);
    return s;
}

/// Of a row of the normal equations in Cholesky's way, whose diagonal was `diagonal` at the start. That is above 0: of
/// a parameter without anything is known, and its row counts as zeros.
constexpr double pivot(double value, double diagonal) { return sqrt(std::max(value, smallest_pivot * diagonal)); }

/// Whether a step that promises so little (of chi^2: exact for a linear model and no damping) need not be made.
constexpr bool settled(const GroupLimits& l, double promised, double chi2, double lambda) {
    return lambda < 1 && promised <= l.tolerance + l.relative * chi2;
}

/// Where a step brings a coordinate.
constexpr double moved(const GroupLimits& l, double from, double by, double start) {
    return within(from + within(by, -l.step, l.step), start - l.leash, start + l.leash);
}

struct Verdict {
    bool taken, goes_on, converged;
};

/// On a step that changed chi^2; lambda becomes the next one's.
constexpr Verdict judge(const GroupLimits& l, double before, double after, double& lambda) {
    if (!(after <= before)) {
        lambda = std::max(lambda, first_lambda) * 10;
        return {false, lambda <= most_lambda, false};
    }
    lambda = lambda > 1e-6 ? lambda / 10 : 0;
    // A step held back by its leash gains less than promised, again and again.
    const bool held = before - after <= 0.1 * l.tolerance && lambda < 1;
    return {true, !held, held};
}

}  // namespace star::fit_rules
