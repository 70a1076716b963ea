// Between the nodes of a PSF's table (sim/psf.h): which of them a star's pixels are made of, and how that changes as
// the star moves. One arithmetic for every device.
#pragma once
#include <cmath>

namespace star {

/// Along one axis, e in a pixel is the sum over i < 4 of spline_weight(f, i) times the coefficient of node first + i:
/// in the plane of phase (first + i) % oversampling, where the star's own pixel is number (first + i) / oversampling.
struct SplineNodes {
    int first;
    double f;  // in [0, 1), from node first + 1 to the next
};

/// offset: px, in [-0.5, 0.5], of the star from its own pixel's centre. middle: that pixel's place in a plane.
constexpr SplineNodes spline_nodes(double offset, int middle, int oversampling) {
    const double u = (middle - offset) * oversampling;  // in nodes from the first; above 0
    return {int(u) - 1, u - int(u)};
}

constexpr float spline_weight(double f, int i) {
    const double g = 1 - f;
    if (i == 0) return float(g * g * g / 6);
    if (i == 1) return float(2.0 / 3 - f * f * (1 - f / 2));
    if (i == 2) return float(2.0 / 3 - g * g * (1 - g / 2));
    return float(f * f * f / 6);
}

/// f, read back from the outer weights, of which float holds the larger well: what the weights say, not what they were
/// rounded from.
constexpr double spline_place(float first, float last) {
    const double low = cbrt(6.0 * double(first)), high = cbrt(6.0 * double(last));
    return low > high ? 1 - low : high;
}

/// The derivative of a weight by the star's offset, per px: f falls as the star moves up.
constexpr double spline_slope(double f, int i, int oversampling) {
    const double g = 1 - f;
    if (i == 0) return -oversampling * (-g * g / 2);
    if (i == 1) return -oversampling * (f * (1.5 * f - 2));
    if (i == 2) return -oversampling * (g * (2 - 1.5 * g));
    return -oversampling * (f * f / 2);
}

}  // namespace star
