// A large image in plates of bounded size, each seen with a margin; and the rows of all plates as one catalogue.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/fits_window.h"
#include "nn/detector.h"
#include "tools/catalogue.h"
#include "tools/sources.h"

namespace star {

/// What one plate is: which pixels are read, and which of them are its own. Together the cores cover the image once.
struct Plate {
    Window seen;  ///< px of the image
    Region core;  ///< px of the image
};

/// Plates on multiples of the network's tiles (`tile_core` px), so that a tile sees the same pixels whatever plate it
/// lies in. 1792 px a side for tiles of 224, 448 of margin: seven cells of the sky's mesh of 64 px, whose median filter
/// and interpolation reach over two. An image of up to 2240 px is one plate. A function of the image's size and the
/// model alone: neither threads nor --mem-limit change it.
std::vector<Plate> plates_of(int width, int height, int tile_core);

/// Whether a place lies in a region grown by `margin` px on all sides.
bool inside(const Region& r, double x, double y, double margin = 0);

/// The core, and where stars are fitted: all that those in the core need beside them. In px of what the plate sees.
Region core_in_plate(const Plate& plate);
Region fitted_in_plate(const Plate& plate);

/// "columns 1 to 1792, rows 1793 to 4000": the core, as FITS counts.
std::string words_for(const Plate& plate);

/// Rows of one plate, coordinates of the image. Source::blend: index in blends + 1, or 0.
struct PlateRows {
    std::vector<Blend> blends;
    std::vector<Source> sources;
};

/// Moves rows from the plate's pixels to the image's and leaves those whose centre lies in the core or at most a pixel
/// outside: at a seam both plates may have them.
PlateRows rows_of_plate(std::vector<Blend> blends, std::vector<Source> sources, const Plate& plate);

/// One catalogue: of rows of two plates that are closer than `blend_radius` (units) or half a pixel (stars), within 2
/// px of a seam, the one in its own core stays, else the first by score or flux. Units by falling score, stars by
/// plate; numbers from 1. One plate's rows are as they were.
PlateRows merged(std::vector<PlateRows> plates, const std::vector<Plate>& where, double blend_radius);

}  // namespace star
