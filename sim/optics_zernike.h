// Zernike polynomials in Noll's order, for round and annular pupils.
#pragma once
#include <vector>

namespace star {

/// Z_j(x, y) with j counted from 1 (piston), over the annulus obscuration <= r <= 1: Noll's order, signs and
/// normalisation (1976, J. Opt. Soc. Am. 66, 207, Table I), mean square 1 over the annulus; without obscuration they
/// are Noll's own, with it Mahajan's (1981, J. Opt. Soc. Am. 71, 75): radial polynomials orthogonal over the annulus.
/// Even j go with cos(m angle), odd j with sin.
class Zernike {
public:
    /// j in 1...231 (radial order 20), obscuration in [0, 0.95]; Error otherwise.
    explicit Zernike(int j, double obscuration = 0);
    double at(double x, double y) const;

private:
    int m_;                       // azimuthal order; negative for sines
    std::vector<double> powers_;  // of r^|m|, r^(|m| + 2), ...
};

}  // namespace star
