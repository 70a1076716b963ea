// How far each star reaches, and whom it meets.
#include "sim/stamp_tiles.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/check.h"

namespace star {
namespace {

class Cutter {
public:
    Cutter(const Psf& psf, const Stamps& stamps, Shape image) : psf_(psf), stamps_(stamps), image_(image) {}

    /// Whether any of the star lies in the image.
    bool cut(const PointSource& s, CutStamp& to) const {
        // Exact in double as far as pixels matter: whole numbers below 2^53.
        const double column = std::floor(s.x) - stamps_.column, row = std::floor(s.y) - stamps_.row;
        const double share = stamps_.cut / std::max(std::fabs(s.flux), 1e-300);
        const int reach = stamps_.size ? psf_.reach() : psf_.stamp_radius(share, share / stamps_.density);
        if (column + reach < 0 || row + reach < 0 || column - reach >= image_.w || row - reach >= image_.h)
            return false;
        to = {s.x, s.y, float(s.flux), int(column), int(row), 0, 0, 0, 0, reach};
        extent(s.x - stamps_.column, to.column, reach, image_.w, to.left, to.right);
        extent(s.y - stamps_.row, to.row, reach, image_.h, to.top, to.bottom);
        return to.left < to.right && to.top < to.bottom;
    }

private:
    void extent(double at, int own, int reach, int end, int& first, int& last) const {
        first = own - reach, last = own + reach + 1;
        if (stamps_.size) {  // the pixels whose centres lie within size / 2 of the star
            const int nearest = int(std::floor(at - 0.5 * stamps_.size + 0.5));
            first = std::max(first, nearest), last = std::min(last, nearest + stamps_.size);
        }
        first = std::max(first, 0), last = std::min(last, end);
    }

    const Psf& psf_;
    const Stamps& stamps_;
    Shape image_;
};

}  // namespace

StampsByTile::StampsByTile(std::span<const PointSource> sources, const Psf& psf, const Stamps& how, Shape image,
                           int rows, int columns)
    : across_(ceil_div(image.w, columns)), first_(std::size_t(across_) * std::size_t(ceil_div(image.h, rows)) + 1) {
    const Cutter cutter(psf, how, image);
    const auto for_tiles = [&](const CutStamp& s, auto&& visit) {
        for (int r = s.top / rows; r <= (s.bottom - 1) / rows; ++r)
            for (int c = s.left / columns; c <= (s.right - 1) / columns; ++c)
                visit(std::size_t(r) * std::size_t(across_) + std::size_t(c));
    };
    stamps_.reserve(sources.size());
    std::int64_t entries = 0;
    for (const PointSource& s : sources) {
        require(std::isfinite(s.x) && std::isfinite(s.y) && std::isfinite(s.flux), "render: a source at ", s.x, ", ",
                s.y, " of flux ", s.flux);
        CutStamp stamp;
        if (!cutter.cut(s, stamp)) continue;
        stamps_.push_back(stamp);
        for_tiles(stamp, [&](std::size_t tile) { ++first_[tile + 1], ++entries; });
    }
    require(entries <= std::numeric_limits<int>::max(), "render: ", entries, " stamps in all tiles");
    for (std::size_t t = 1; t < first_.size(); ++t) first_[t] += first_[t - 1];
    list_.resize(std::size_t(first_.back()));
    std::vector<int> next = first_;
    for (std::size_t i = 0; i < stamps_.size(); ++i)
        for_tiles(stamps_[i], [&](std::size_t tile) { list_[std::size_t(next[tile]++)] = int(i); });
}

}  // namespace star
