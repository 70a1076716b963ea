// Stars' stamps onto pixels, on a GPU: what sim/render.h does on a CPU.
#pragma once
#include "kernels/device.h"

namespace star {

/// Where a star lies between the nodes of its PSF's table (sim/psf.h, Psf::Phase); the flux is in y's weights.
struct StampTaps {
    int at_y[4], at_x[4];
    float y[4], x[4];
};

/// One star on its square of pixels.
struct Stamp {
    StampTaps taps;
    int column, row;               ///< the star's own pixel; may lie outside the image
    int left, right, top, bottom;  ///< of its stamp, inside the image; right and bottom exclusive
};

/// Pixels of a tile.
inline constexpr int stamp_tile_rows = 8, stamp_tile_columns = 32;

/// Which stamps each tile of an image meets, in the order in which they are summed. Pointers are to the device.
struct StampTiles {
    const Stamp* stamps;
    const int* first;  ///< (tiles + 1): tile t, row by row, has list[first[t]] ... list[first[t + 1] - 1]
    const int* list;   ///< indices of stamps
};

namespace cuda {

/// image(0, y, x, 0) += the sum over the tile's stamps that hold the pixel, m = y - row, n = x - column, of the sum
/// over i, j < 4 of taps.y[i] taps.x[j] table[taps.at_y[i] + taps.at_x[j] + m stride + n].
///   image  (1,H,W,1) float      table  what the stamps' taps address
/// A pixel sums its stamps in the list's order: equal bits for any grid. Queued.
void add_stamps(Stream, const StampTiles& tiles, const float* table, int stride, View<float> image);

}  // namespace cuda
}  // namespace star
