// Stars cut to their stamps and sorted into the tiles of an image: what rendering does first, on any device.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "sim/render.h"

namespace star {

/// A star's stamp in an image.
struct CutStamp {
    double x, y;
    float flux;
    int column, row;               ///< the image's pixel that holds the star; may lie outside
    int left, right, top, bottom;  ///< of its stamp, cut to the image's edges; right and bottom exclusive
    int reach;                     ///< px around its pixel that it was cut to
};

/// The stamps of each tile, in the stars' order.
class StampsByTile {
public:
    /// Tiles of rows x columns px. Throws Error for a source that isn't finite.
    StampsByTile(std::span<const PointSource> sources, const Psf& psf, const Stamps& how, Shape image, int rows,
                 int columns);
    std::int64_t tiles() const { return std::int64_t(first_.size()) - 1; }
    int across() const { return across_; }
    const std::vector<CutStamp>& stamps() const { return stamps_; }
    /// Tile t, row by row, has the stamps list()[first()[t]] ... list()[first()[t + 1] - 1].
    const std::vector<int>& first() const { return first_; }
    const std::vector<int>& list() const { return list_; }

private:
    int across_;
    std::vector<int> first_;
    std::vector<CutStamp> stamps_;
    std::vector<int> list_;
};

}  // namespace star
