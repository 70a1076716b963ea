// How a star's stamp is drawn by each instruction set: fisher_simd.cpp is compiled once per instruction set.
#pragma once
#include <cstddef>

#include "kernels/fisher.h"
#include "kernels/isa.h"

namespace star {

/// A part of a star's stamp: for r < rows, n < columns, c = table[at_y[i] + at_x[j] + r * table_stride + n],
///   e = sum over i, j < 4 of y[i] x[j] c, and likewise its derivatives with dx[j] and dy[i] for x[j] and y[i].
struct FisherPart {
    const FisherTaps* taps;
    const float* table;
    int table_stride, rows, columns;
    double by_place;  ///< factor of the derivatives
    double* out;
    std::ptrdiff_t line, plane;  ///< of `out`
};

struct FisherKernels {
    /// out[r * line + n] = by_place de/dx; a plane on, by_place de/dy; two planes on, e.
    void (*slopes)(const FisherPart&);
    /// out[r * line + n] = e.
    void (*light)(const FisherPart&);
};

const FisherKernels& fisher_kernels(Isa);

namespace baseline {
extern const FisherKernels fisher_kernels;
}
namespace avx2 {
extern const FisherKernels fisher_kernels;
}
namespace avx512 {
extern const FisherKernels fisher_kernels;
}

}  // namespace star
