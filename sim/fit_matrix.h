// Normal equations of stars on pixels: sums over the pixels that two of them share, and a solver that stands
// parameters of which nothing is known.
#pragma once
#include <cstddef>
#include <vector>

#include "sim/fit_simd.h"

namespace star {

/// n rows of n; a symmetric matrix of which the upper triangle counts.
struct SymmetricMatrix {
    int n = 0;
    std::vector<double> at;

    void reset(int size) { n = size, at.assign(std::size_t(n) * std::size_t(n), 0.0); }
    double& operator()(int i, int j) { return at[std::size_t(i) * std::size_t(n) + std::size_t(j)]; }
    double operator()(int i, int j) const { return at[std::size_t(i) * std::size_t(n) + std::size_t(j)]; }
};

/// out(i, j) = sum over pixels of weight f_i f_j, the functions of the patches one after the other. weight: rows of
/// `width`. scratch: overwritten.
void overlap_matrix(const FitKernels& kernels, const std::vector<FitPatch>& patches, const double* weight, int width,
                    std::vector<double>& scratch, SymmetricMatrix& out);

/// out[i] = sum over pixels of image f_i. image: rows of `width`.
void overlap_image(const FitKernels& kernels, const std::vector<FitPatch>& patches, const double* image, int width,
                   std::vector<double>& out);

/// m becomes its Cholesky factor U^T U (upper triangle). A pivot below 1e-10 of its diagonal is raised to that; a
/// parameter whose diagonal is 0 (nothing is known of it) gets a row of zeros. diagonal: scratch, overwritten.
void cholesky(const FitKernels& kernels, SymmetricMatrix& m, std::vector<double>& diagonal);

}  // namespace star
