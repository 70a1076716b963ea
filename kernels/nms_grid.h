// Where suppression looks, on every device: boxes of like size share a layer, a layer is a grid of cells, hashed. A box
// can fall only by boxes whose width and height are within a factor `threshold` of its own and whose centre is near,
// so few layers and few cells of each matter. By centre there is one layer.
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/nms.h"

namespace star::nms_grid {

// Layers are powers of two below width and height; extreme sizes share the outermost, whose largest box is known.
inline constexpr int smallest = -16, largest = 31, sizes = largest - smallest + 1, all_layers = sizes * sizes;
inline constexpr double slack = 1 + 1e-5;  // for the rounding of widths, distances and IoUs, which are floats

/// Ascending numbers for descending scores; equal scores (0 and -0 too) by index.
constexpr std::uint64_t order_key(float score, std::uint32_t index) {
    const auto bits = std::bit_cast<std::uint32_t>(score + 0.0f);
    const std::uint32_t ascending = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return std::uint64_t{~ascending} << 32 | index;
}

constexpr double power_of_two(int e) { return std::bit_cast<double>(std::uint64_t(1023 + e) << 52); }

/// The floor of log2(extent), or an outermost layer's.
constexpr int size_class(float extent) {
    return extent > 0 ? std::clamp(int(std::bit_cast<std::uint32_t>(extent) >> 23) - 127, smallest, largest) : smallest;
}

/// Monotone, and exact enough for neighbours to stay neighbours: beyond 2^40 cells everything shares the outermost.
constexpr std::int64_t cell_of(double position, double size) {
    return std::int64_t(floor(std::clamp(position / size, -0x1p40, 0x1p40)));
}

constexpr double centre_x(Box b) { return 0.5 * (double(b.x0) + double(b.x1)); }
constexpr double centre_y(Box b) { return 0.5 * (double(b.y0) + double(b.y1)); }

/// Boxes without area have IoU 0 with every box, and no distance is below 0.
constexpr bool matters(Box b, Nms how) {
    if (how.by == Nms::By::centre) return how.threshold > 0;
    return b.width() > 0 && b.height() > 0 && b.area() <= 3.402823466e38f;
}

struct Layer {
    int x, y;             ///< size class
    int count;            ///< of its boxes
    float width, height;  ///< largest
};

/// The size class of a box along one side.
constexpr int layer_class(Nms how, float extent) { return how.by == Nms::By::centre ? 0 : size_class(extent); }

constexpr double cell_size(Nms how, int size) {
    return how.by == Nms::By::centre ? how.threshold * slack : power_of_two(size + 1);
}

constexpr std::int64_t cell_x(Nms how, Layer l, Box b) { return cell_of(centre_x(b), cell_size(how, l.x)); }
constexpr std::int64_t cell_y(Nms how, Layer l, Box b) { return cell_of(centre_y(b), cell_size(how, l.y)); }

struct Window {  // of cells; empty where x0 > x1 or y0 > y1
    std::int64_t x0 = 0, x1 = -1, y0 = 0, y1 = -1;
    constexpr double cells() const { return x0 > x1 || y0 > y1 ? 0 : double(x1 - x0 + 1) * double(y1 - y0 + 1); }
};

constexpr double smallest_of(int size) { return size == smallest ? 0 : power_of_two(size); }

/// How far apart two centres can be, along one side, where an intersection is wider than t times each of two boxes:
/// less than half the widths' sum minus t times the larger. One is `mine`, the other at most `most`: for t > 1/2 it is
/// furthest as wide as mine.
constexpr double reach(double mine, double most, double t) {
    const double other = t > 0.5 ? std::min(mine, most) : most;
    return (0.5 * (mine + other) - t * std::max(mine, other)) * slack;
}

/// The cells of a layer that hold every box by which b can fall.
constexpr Window window(Nms how, Layer l, Box b) {
    double reach_x = how.threshold * slack, reach_y = reach_x;
    if (how.by == Nms::By::iou) {
        // IoU > t needs such an intersection, so sizes within a factor t of each other too.
        const double t = how.threshold / slack;
        if (l.width < t * b.width() || b.width() < t * smallest_of(l.x)) return {};
        if (l.height < t * b.height() || b.height() < t * smallest_of(l.y)) return {};
        reach_x = reach(b.width(), l.width, t);
        reach_y = reach(b.height(), l.height, t);
    }
    const double width = cell_size(how, l.x), height = cell_size(how, l.y), x = centre_x(b), y = centre_y(b);
    return {cell_of(x - reach_x, width), cell_of(x + reach_x, width), cell_of(y - reach_y, height),
            cell_of(y + reach_y, height)};
}

/// SplitMix64's constants (Steele et al. 2014).
constexpr std::uint64_t cell_hash(Layer l, int group, std::int64_t cx, std::int64_t cy) {
    std::uint64_t h = std::uint64_t(cx) * 0x9E3779B97F4A7C15u;
    h = (h ^ h >> 29 ^ std::uint64_t(cy)) * 0xBF58476D1CE4E5B9u;
    h = (h ^ h >> 32 ^ std::uint64_t(std::uint32_t(group)) ^ std::uint64_t(l.x - smallest) << 40 ^
         std::uint64_t(l.y - smallest) << 50) *
        0x94D049BB133111EBu;
    return h ^ h >> 31;
}

/// What suppression works on, on every device.
struct Suppression {
    View<const Box> boxes;
    View<const float> scores;
    View<const int> groups, count;
    Nms how;
    View<int> kept, kept_count;
};

}  // namespace star::nms_grid

namespace star::cpu {
std::int64_t nms_workspace(Stream, int images, int rows);  // bytes
void nms(Stream, nms_grid::Suppression, std::byte* workspace);
}  // namespace star::cpu
namespace star::cuda {
std::int64_t nms_workspace(Stream, int images, int rows);
void nms(Stream, nms_grid::Suppression, std::byte* workspace);
}  // namespace star::cuda
