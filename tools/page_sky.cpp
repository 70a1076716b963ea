// Nodes, and how wrong the middle between them is.
#include "tools/page_sky.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numbers>

namespace star {
namespace {

using Json = nlohmann::json;
using Direction = std::array<double, 3>;

constexpr double degree = std::numbers::pi / 180;

Direction direction(const Wcs& wcs, double x, double y) {
    const SkyPosition s = wcs.to_sky({x, y});
    const double a = s.ra * degree, d = s.dec * degree;
    return {std::cos(d) * std::cos(a), std::cos(d) * std::sin(a), std::sin(d)};
}

struct Grid {
    int n;
    double dx, dy;
    std::vector<Direction> nodes;
    const Direction& at(int i, int j) const { return nodes[std::size_t(j) * std::size_t(n + 1) + std::size_t(i)]; }
};

Grid grid_of(const Wcs& wcs, int width, int height, int n) {
    Grid g{n, double(width) / n, double(height) / n, {}};
    for (int j = 0; j <= n; ++j)
        for (int i = 0; i <= n; ++i) g.nodes.push_back(direction(wcs, 0.5 + i * g.dx, 0.5 + j * g.dy));
    return g;
}

// Radians between the middle of a cell and the mean of its corners, turned to length 1; the largest.
double worst_of(const Grid& g, const Wcs& wcs) {
    double worst = 0;
    for (int j = 0; j < g.n; ++j)
        for (int i = 0; i < g.n; ++i) {
            Direction mean{};
            double length = 0, apart = 0;
            for (std::size_t k = 0; k < 3; ++k) {
                mean[k] = (g.at(i, j)[k] + g.at(i + 1, j)[k] + g.at(i, j + 1)[k] + g.at(i + 1, j + 1)[k]) / 4;
                length += mean[k] * mean[k];
            }
            const Direction truth = direction(wcs, 0.5 + (i + 0.5) * g.dx, 0.5 + (j + 0.5) * g.dy);
            for (std::size_t k = 0; k < 3; ++k) apart += std::pow(mean[k] / std::sqrt(length) - truth[k], 2);
            if (std::isfinite(apart)) worst = std::max(worst, std::sqrt(apart));
        }
    return worst;
}

}  // namespace

Json packed_sky(const Wcs& wcs, int width, int height) {
    const double pixel = wcs.pixel_scale() / 3600 * degree;
    int n = 8;
    Grid g = grid_of(wcs, width, height, n);
    double worst = worst_of(g, wcs);
    while (worst > 0.02 * pixel && n < 128) g = grid_of(wcs, width, height, n *= 2), worst = worst_of(g, wcs);
    Json nodes = Json::array();
    for (const Direction& d : g.nodes)
        for (const double v : d) nodes.push_back(std::isfinite(v) ? Json(v) : Json());
    return {{"frame", wcs.frame()},  {"nx", n}, {"ny", n}, {"dx", g.dx}, {"dy", g.dy}, {"at", nodes},
            {"worst", worst / pixel}};
}

}  // namespace star
