// An image's eight orientations, its flips and quarter turns: what a network sees in each, and the mean of what it
// says.
#pragma once
#include "kernels/device.h"

namespace star {

inline constexpr int orientations = 8;

/// Row and column of a square map.
struct Cell {
    int row, column;
};

/// Which cell of a map of `side` cells orientation g (0 ... 7) shows at `at`. Bit 2 of g swaps rows and columns, bit 0
/// then mirrors columns, bit 1 rows; orientation 0 is the map itself.
constexpr Cell seen_at(int g, Cell at, int side) {
    if (g & 4) at = {at.column, at.row};
    return {g & 2 ? side - 1 - at.row : at.row, g & 1 ? side - 1 - at.column : at.column};
}

/// The inverse: where orientation g shows cell `of` of the map.
constexpr Cell shown_at(int g, Cell of, int side) {
    const Cell c{g & 2 ? side - 1 - of.row : of.row, g & 1 ? side - 1 - of.column : of.column};
    return g & 4 ? Cell{c.column, c.row} : c;
}

/// y[8 n + g] = x[n] in orientation g.
///   x  (N,S,S,C) T;  y  (8 N,S,S,C) T, overwritten
/// Queued on `stream`. Throws Error if the shapes disagree.
template <class T>
void orient(Stream stream, View<const T> x, View<T> y);

/// What a channel means decides how it turns with the image.
enum class Turning {
    never,   ///< a number of the cell: a logit
    offsets  ///< four by four, of a box against its anchor: along columns, along rows, log width, log height
};

/// The mean over the orientations of maps seen in them, turned back: in y[n,i,j] the mean over g of x[8 n + g] at
/// shown_at(g, {i, j}); of offsets, those along columns and rows change places under bit 2, then signs under bits 0 and
/// 1, and sizes change places under bit 2. Summed in float by rising g.
///   x  (8 N,S,S,C) T;  y  (N,S,S,C) T, overwritten; C a multiple of 4 for offsets
/// Queued on `stream`. Throws Error if the shapes disagree.
template <class T>
void average_orientations(Stream stream, View<const T> x, Turning turning, View<T> y);

/// The channel of orientation g that becomes channel c, and its sign.
struct Turned {
    int channel;
    float sign;
};
constexpr Turned turned(int g, Turning turning, int c) {
    if (turning == Turning::never) return {c, 1};
    const int part = c % 4;  // 0 and 1: along columns and rows; 2 and 3: width and height
    const bool mirrored = (part == 0 && (g & 1)) || (part == 1 && (g & 2));
    return {g & 4 ? c - part + (part ^ 1) : c, mirrored ? -1.0f : 1.0f};
}

namespace cuda {
template <class T>
void orient(Stream, View<const T> x, View<T> y);
template <class T>
void average_orientations(Stream, View<const T> x, Turning, View<T> y);
}  // namespace cuda

}  // namespace star
