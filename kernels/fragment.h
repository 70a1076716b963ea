// Who holds what in a 16x8x16 tensor-core product (PTX ISA, mma.m16n8k16 with .bf16, and ldmatrix; sm_80 and later).
// This file is the only description of the layout: loads, the emulator, epilogues and tests all use it.
#pragma once
#include "kernels/types.h"

namespace star {

struct FragA {  ///< a lane's part of 16 rows (m) x 16 columns (k)
    bf16 x[8];
};
struct FragB {  ///< of 16 rows (k) x 8 columns (n)
    bf16 x[4];
};
struct FragC {  ///< of 16 rows (m) x 8 columns (n)
    float x[4];
};
struct FragB2 {  ///< two FragB side by side: 16 rows (k) x 16 columns (n)
    FragB n[2];
};

/// Element i of lane's fragment is at this row and column of the matrix.
constexpr int a_row(int lane, int i) { return lane / 4 + i / 2 % 2 * 8; }
constexpr int a_col(int lane, int i) { return lane % 4 * 2 + i % 2 + i / 4 * 8; }
constexpr int b_row(int lane, int i) { return lane % 4 * 2 + i % 2 + i / 2 * 8; }
constexpr int b_col(int lane, int) { return lane / 4; }
constexpr int c_row(int lane, int i) { return lane / 4 + i / 2 * 8; }
constexpr int c_col(int lane, int i) { return lane % 4 * 2 + i % 2; }

/// Matrix loads fetch 8 elements (16 bytes) of one row per lane and hand them round. These are the first of the
/// elements that a lane must point at. B is stored as its transpose, [n][k]: both operands are rows of k.
struct Element {
    int row, k;
    constexpr int offset(int stride) const { return row * stride + k; }
};
constexpr Element a_source(int lane) { return {lane % 16, lane / 16 * 8}; }
constexpr Element b_source(int lane) { return {lane % 8, lane / 8 % 2 * 8}; }  // lanes 16...31 repeat 0...15; unused
constexpr Element b2_source(int lane) { return {lane % 8 + lane / 16 * 8, lane / 8 % 2 * 8}; }
/// The same where memory holds lines of rows, one per k, and the load turns each 8 x 8 elements.
constexpr Element a_source_across(int lane) { return {lane / 8 % 2 * 8, lane % 8 + lane / 16 * 8}; }
constexpr Element b2_source_across(int lane) { return {lane / 16 * 8, lane % 8 + lane / 8 % 2 * 8}; }

}  // namespace star
