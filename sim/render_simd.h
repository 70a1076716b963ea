// What rendering needs of each instruction set: render_simd.cpp is compiled once per instruction set.
#pragma once
#include "kernels/isa.h"
#include "kernels/stamps.h"

namespace star {

/// A part of one star's stamp: for r < rows, n < columns
///   out[r * out_stride + n] += sum over i, j < 4 of y[i] x[j] table[at_y[i] + at_x[j] + r * table_stride + n].
/// Nothing else is read or written.
struct StampPart {
    const StampTaps* taps;
    float* out;
    const float* table;
    int out_stride, table_stride, rows, columns;
};

struct RenderKernels {
    /// A pixel's value is a function of the sixteen table values, the weights and what the pixel held, alone: the same
    /// bits wherever the part begins and however large it is.
    void (*add)(const StampPart&);
};

const RenderKernels& render_kernels(Isa);

namespace baseline {
extern const RenderKernels render_kernels;
}
namespace avx2 {
extern const RenderKernels render_kernels;
}
namespace avx512 {
extern const RenderKernels render_kernels;
}

}  // namespace star
