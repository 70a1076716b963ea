// Which vector instructions the processor has. The program starts on any x86-64-v2 and picks at run time.
#pragma once

namespace star {

/// x86-64-v2 (SSE4.2); AVX2 + FMA; AVX-512 F, BW, DQ, VL; those and matrix tiles of bf16 (AMX). Each includes those
/// before it.
enum class Isa { baseline, avx2, avx512, amx };

/// The best this processor and operating system offer. Asks Linux, once, for the process to use matrix tiles.
Isa best_isa();
const char* isa_name(Isa);  ///< "sse4.2", "avx2", "avx512", "amx".

}  // namespace star
