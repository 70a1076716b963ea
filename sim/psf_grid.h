// A PSF that changes over the detector: known at the nodes of a grid, interpolated between them.
#pragma once
#include <array>
#include <functional>
#include <vector>

#include "sim/psf.h"

namespace star {

/// Node (ix, iy) has the PSF node(ix, iy), made when it is asked for: a library holds many and an image needs few. x
/// and y, in detector pixels, don't decrease. Two equal coordinates are a seam: two detectors side by side, each with
/// its own PSF there (the two chips of ACS/WFC).
class PsfField {
public:
    /// 1...64 nodes along each axis, all PSFs on one grid (Psf::mixed). Throws Error (Fault::input) for coordinates
    /// that decrease or aren't finite.
    PsfField(std::vector<double> x, std::vector<double> y, std::function<Psf(int ix, int iy)> node);

    double middle_x() const { return 0.5 * (x_.front() + x_.back()); }
    double middle_y() const { return 0.5 * (y_.front() + y_.back()); }
    /// Whether (x, y) lies between the outermost nodes, or beyond by no more than half the distance to the next one (a
    /// node in the middle of its zone speaks for all of it) or a pixel; for a single node along an axis: anywhere.
    bool covers(double x, double y) const { return covers(x_, x) && covers(y_, y); }

    /// The same grid with every node's PSF passed through `change`.
    PsfField mapped(std::function<Psf(const Psf&)> change) const {
        return {x_, y_, [node = node_, change = std::move(change)](int ix, int iy) { return change(node(ix, iy)); }};
    }

    /// Bilinear between the four nodes around (x, y); beyond the outermost nodes the nearest edge's. On a seam: the
    /// side of larger coordinates.
    Psf at(double x, double y) const;

    /// The same, as what each of at most four nodes contributes: weights are above 0 and add up to 1. Light is linear,
    /// so a star at (x, y) is its shares' stars, each with its node's PSF.
    struct Share {
        int ix, iy;
        double weight;
    };
    struct Shares {
        std::array<Share, 4> list{};
        int count = 0;
        const Share* begin() const { return list.data(); }
        const Share* end() const { return list.data() + count; }
    };
    Shares shares(double x, double y) const;
    Psf node(int ix, int iy) const { return node_(ix, iy); }

    /// The same grid, for shares() alone: keeps nothing of what its nodes are made from.
    PsfField without_nodes() const { return {x_, y_, {}}; }

private:
    static bool covers(const std::vector<double>& nodes, double at);

    std::vector<double> x_, y_;
    std::function<Psf(int, int)> node_;
};

}  // namespace star
