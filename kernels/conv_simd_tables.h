// The tables of functions that each instruction set's build of the *_simd.cpp files defines.
#pragma once
#include "kernels/conv_simd.h"

namespace star {

namespace baseline {
extern const ConvKernels<float> conv_kernels_float;
extern const ConvKernels<bf16> conv_kernels_bf16;
template <class T>
void conv_multiply(const ConvProduct<T>&);
void conv_multiply_packed(const ConvPackedProduct&);
}  // namespace baseline
namespace avx2 {
extern const ConvKernels<float> conv_kernels_float;
extern const ConvKernels<bf16> conv_kernels_bf16;
template <class T>
void conv_multiply(const ConvProduct<T>&);
void conv_multiply_packed(const ConvPackedProduct&);
}  // namespace avx2
namespace avx512 {
extern const ConvKernels<float> conv_kernels_float;
extern const ConvKernels<bf16> conv_kernels_bf16;
template <class T>
void conv_multiply(const ConvProduct<T>&);
void conv_multiply_packed(const ConvPackedProduct&);
}  // namespace avx512

}  // namespace star
