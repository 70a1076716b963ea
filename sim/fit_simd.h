// Sums over the pixels that stars share, and triangular systems, for each instruction set: fit_simd.cpp is compiled
// once per instruction set.
#pragma once
#include <cstddef>

#include "kernels/isa.h"

namespace star {

/// One or three functions of the pixels (derivatives by a star's x, y, flux; a star's light; a sky), zero outside a
/// rectangle.
struct FitPatch {
    int x0 = 0, y0 = 0, w = 0, h = 0;  ///< in the fit's rectangle of pixels, inside it
    const double* first = nullptr;     ///< planes[0] at (x0, y0)
    int planes = 3;
    std::ptrdiff_t plane = 0, line = 0;  ///< from a plane to the next, from a row to the next
};

/// Pixels that two patches share: from where each holds the first of them.
struct FitMeeting {
    const double *a, *b;
    int a_planes, b_planes;
    std::ptrdiff_t a_plane, a_line, b_plane, b_line;
    int rows, columns;
};

/// Each instruction set sums in its own, fixed order.
struct FitKernels {
    /// out[i * b_planes + j] = sum of a_i b_j over the shared pixels.
    void (*meet)(const FitMeeting&, double* out);
    /// out = planes of h rows of w: weight * f. weight: rows of `width`, from the fit's first pixel on.
    void (*weigh)(const FitPatch&, const double* weight, int width, double* out);
    /// image += factor * the patch's last plane. image: as weight.
    void (*add)(const FitPatch&, double factor, double* image, int width);
    /// out[i] = sum over t < taps of factors[t] in[i + t * step], i < count.
    void (*blend)(const double* in, std::ptrdiff_t step, const double* factors, int taps, double* out, int count);
    /// For k < i <= j < n: m[i][j] -= m[k][i] m[k][j], rows of n.
    void (*eliminate)(double* m, int n, int k);
    /// x = (U^T U)^-1 x, U an upper triangle in n rows of n; 0 for rows whose diagonal isn't above 0. x is 0 before
    /// its number `from`.
    void (*solve)(const double* u, int n, int from, double* x);
    /// x^T M x, of M the upper triangle in n rows of n.
    double (*form)(const double* m, int n, const double* x);
};

const FitKernels& fit_kernels(Isa);

namespace baseline {
extern const FitKernels fit_kernels;
}
namespace avx2 {
extern const FitKernels fit_kernels;
}
namespace avx512 {
extern const FitKernels fit_kernels;
}

}  // namespace star
