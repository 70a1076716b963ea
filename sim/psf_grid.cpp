// Bilinear interpolation of PSFs by position.
#include "sim/psf_grid.h"

#include <algorithm>
#include <cmath>

namespace star {
namespace {

struct Between {
    std::size_t low, high;
    double share;  // of high
};

Between between(const std::vector<double>& nodes, double at) {
    const double inside = std::clamp(at, nodes.front(), nodes.back());
    const auto above = std::size_t(std::upper_bound(nodes.begin(), nodes.end(), inside) - nodes.begin());
    if (above == nodes.size()) return {above - 1, above - 1, 0};
    return {above - 1, above, (inside - nodes[above - 1]) / (nodes[above] - nodes[above - 1])};
}

void check_axis(const std::vector<double>& nodes, const char* axis) {
    if (nodes.empty() || nodes.size() > 64)
        fail(Fault::input, "PSF grid: ", nodes.size(), " nodes along ", axis, "; 1...64 can be used");
    for (std::size_t i = 0; i < nodes.size(); ++i)
        if (!std::isfinite(nodes[i]) || (i > 0 && nodes[i] < nodes[i - 1]))
            fail(Fault::input, "PSF grid: its nodes along ", axis, " must not decrease: node ", i + 1, " is at ",
                 nodes[i]);
}

}  // namespace

PsfField::PsfField(std::vector<double> x, std::vector<double> y, std::function<Psf(int, int)> node)
    : x_(std::move(x)), y_(std::move(y)), node_(std::move(node)) {
    check_axis(x_, "x");
    check_axis(y_, "y");
}

bool PsfField::covers(const std::vector<double>& nodes, double at) {
    if (nodes.size() == 1) return true;
    const double before = std::max(1.0, 0.5 * (nodes[1] - nodes[0]));
    const double after = std::max(1.0, 0.5 * (nodes.back() - nodes[nodes.size() - 2]));
    return at >= nodes.front() - before && at <= nodes.back() + after;
}

PsfField::Shares PsfField::shares(double x, double y) const {
    require(std::isfinite(x) && std::isfinite(y), "PsfField: at ", x, ", ", y);
    const Between u = between(x_, x), v = between(y_, y);
    Shares out;
    const auto add = [&](std::size_t ix, std::size_t iy, double weight) {
        if (weight > 0) out.list[std::size_t(out.count++)] = {int(ix), int(iy), weight};
    };
    add(u.low, v.low, (1 - u.share) * (1 - v.share));
    add(u.high, v.low, u.share * (1 - v.share));
    add(u.low, v.high, (1 - u.share) * v.share);
    add(u.high, v.high, u.share * v.share);
    return out;
}

Psf PsfField::at(double x, double y) const {
    std::vector<Psf> parts;
    std::vector<double> weights;
    for (const Share& s : shares(x, y)) parts.push_back(node_(s.ix, s.iy)), weights.push_back(s.weight);
    return Psf::mixed(parts, weights);
}

}  // namespace star
