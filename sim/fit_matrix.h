// Normal equations of stars on pixels: sums over the pixels that two of them share, and a solver that stands
// parameters of which nothing is known.
#pragma once
#include <cstddef>
#include <vector>

namespace star {

/// One to three functions of the pixels (derivatives by a star's x, y, flux; a sky), zero outside a rectangle.
struct FitPatch {
    int x0 = 0, y0 = 0, w = 0, h = 0;  ///< in the fit's rectangle of pixels, inside it
    const double* first = nullptr;     ///< planes[0] at (x0, y0)
    int planes = 3;
    std::ptrdiff_t plane = 0, line = 0;  ///< from a plane to the next, from a row to the next
};

/// n rows of n; a symmetric matrix of which the upper triangle counts.
struct SymmetricMatrix {
    int n = 0;
    std::vector<double> at;

    void reset(int size) { n = size, at.assign(std::size_t(n) * std::size_t(n), 0.0); }
    double& operator()(int i, int j) { return at[std::size_t(i) * std::size_t(n) + std::size_t(j)]; }
    double operator()(int i, int j) const { return at[std::size_t(i) * std::size_t(n) + std::size_t(j)]; }
};

/// out(i, j) = sum over pixels of weight f_i f_j, the functions of the patches one after the other. weight: rows of
/// `width`.
void overlap_matrix(const std::vector<FitPatch>& patches, const double* weight, int width, SymmetricMatrix& out);

/// m becomes its Cholesky factor U^T U (upper triangle). A pivot below 1e-10 of its diagonal is raised to that; a
/// parameter whose diagonal is 0 (nothing is known of it) gets a row of zeros.
void cholesky(SymmetricMatrix& m);

/// x = (U^T U)^-1 x; 0 for parameters of which nothing is known.
void solve_cholesky(const SymmetricMatrix& u, std::vector<double>& x);

}  // namespace star
