// From the field in a pupil to the intensity in the image: the matrix Fourier transform.
#pragma once
#include <complex>
#include <span>
#include <vector>

namespace star {

/// field: row-major, cells x cells (an even number) over the square [-1, 1]^2; cell i is centred at (2 i + 1) / cells -
/// 1. Returns, row-major, |E|^2 for the (2 half + 1)^2 image positions (u, v) = step (column - half, row - half):
///   E(u, v) = sum over cells of field(y, x) exp(-i pi (u x + v y)),
/// so u and v are angles in units of lambda / D. A direct sum, factored into two matrix products that use the symmetry
/// of the positions (Soummer et al. 2007, Opt. Express 15, 15935). Sums in a fixed order.
std::vector<double> diffracted(std::span<const std::complex<double>> field, int cells, int half, double step);

}  // namespace star
