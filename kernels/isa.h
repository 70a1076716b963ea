// Which vector instructions the processor has. The program starts on any x86-64-v2 and picks at run time.
#pragma once

namespace star {

/// x86-64-v2 (SSE4.2); AVX2 + FMA; AVX-512 F, BW, DQ, VL; those and matrix tiles of bf16 (AMX). Each includes those
/// before it.
enum class Isa { baseline, avx2, avx512, amx };

/// The best this processor and operating system offer. Asks Linux, once, for the process to use matrix tiles.
Isa best_isa();
/// What a file compiled once per instruction set (*_simd.cpp) has for this one; tiles have files of their own.
template <class T>
const T& of_isa(Isa isa, const T& baseline, const T& avx2, const T& avx512) {
    return isa >= Isa::avx512 ? avx512 : isa == Isa::avx2 ? avx2 : baseline;
}

const char* isa_name(Isa);  ///< "sse4.2", "avx2", "avx512", "amx".

}  // namespace star
