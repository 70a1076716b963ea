// Non-maximum suppression on the CPU: kept boxes go into a hashed grid, so each box meets only kept ones near it.
#include "kernels/nms.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/dispatch.h"

namespace star {
namespace {

// Boxes of like size share a layer: the powers of two above their width and height. A box is suppressed only by boxes
// whose width and height are within a factor `threshold` of its own and whose centre is near, so few layers and few
// cells of each can matter. By centre there is one layer. Extreme sizes share the outermost layers: layers know the
// largest box they really hold.
constexpr int smallest = -16, largest = 31, sizes = largest - smallest + 1;

struct Layer {
    int x, y;             // size class
    int count, first;     // its kept boxes, newest first
    float width, height;  // largest
};

struct Work {              // of one image
    std::uint64_t* order;  // (M)
    int* in_cell;          // (M) the next kept box of the same hash
    int* in_layer;         // (M) the next kept box of the same layer
    int* heads;            // (slots) first kept box of a hash
    std::int64_t slots;    // a power of two
    Layer* layers;         // (sizes * sizes)
    int* layer_of;         // (sizes * sizes) index into layers, or -1
};

std::int64_t slots_for(std::int64_t boxes) { return std::int64_t(std::bit_ceil(std::uint64_t(2 * boxes + 1))); }

// Ascending numbers for descending scores; equal scores (0 and -0 too) by index.
std::uint64_t order_key(float score, std::uint32_t index) {
    const auto bits = std::bit_cast<std::uint32_t>(score + 0.0f);
    const std::uint32_t ascending = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return std::uint64_t{~ascending} << 32 | index;
}

int size_class(float extent) { return std::clamp(extent > 0 ? std::ilogb(extent) : smallest, smallest, largest); }

// Monotone, and exact enough for neighbours to stay neighbours: beyond 2^40 cells everything shares the outermost.
std::int64_t cell_of(double position, double size) {
    return std::int64_t(std::floor(std::clamp(position / size, -0x1p40, 0x1p40)));
}

double centre_x(Box b) { return 0.5 * (double(b.x0) + double(b.x1)); }
double centre_y(Box b) { return 0.5 * (double(b.y0) + double(b.y1)); }

class Suppressor {
public:
    Suppressor(const Box* boxes, const int* groups, Nms how, Work work)
        : boxes_(boxes), groups_(groups), how_(how), work_(work) {
        std::fill_n(work_.heads, work_.slots, -1);
        std::fill_n(work_.layer_of, sizes * sizes, -1);
    }

    bool suppressed(int i) const {
        if (!matters(i)) return false;
        const Box b = boxes_[i];
        for (int l = 0; l < layers_; ++l) {
            const Layer& layer = work_.layers[l];
            double reach_x, reach_y;
            if (how_.by == Nms::By::centre) {
                reach_x = reach_y = how_.threshold * slack;
            } else {
                // IoU > t needs an intersection wider than t times each of the two: sizes within a factor t of each
                // other, and centres closer than (1 - t) times the larger.
                const double t = how_.threshold / slack;
                if (layer.width < t * b.width() || b.width() < t * smallest_of(layer.x)) continue;
                if (layer.height < t * b.height() || b.height() < t * smallest_of(layer.y)) continue;
                reach_x = (1 - t) * std::max(b.width(), layer.width) * slack;
                reach_y = (1 - t) * std::max(b.height(), layer.height) * slack;
            }
            if (suppressed_in(i, layer, reach_x, reach_y)) return true;
        }
        return false;
    }

    void keep(int i) {
        if (!matters(i)) return;
        const Box b = boxes_[i];
        const bool centre = how_.by == Nms::By::centre;
        const int x = centre ? 0 : size_class(b.width()), y = centre ? 0 : size_class(b.height());
        int& at = work_.layer_of[(y - smallest) * sizes + (x - smallest)];
        if (at < 0) at = layers_, work_.layers[layers_++] = {x, y, 0, -1, 0, 0};
        Layer& layer = work_.layers[at];
        layer.width = std::max(layer.width, b.width()), layer.height = std::max(layer.height, b.height());
        work_.in_layer[i] = layer.first;
        layer.first = i;
        ++layer.count;
        int& head = work_.heads[slot(layer, group(i), cell_of(centre_x(b), cell_width(layer)),
                                     cell_of(centre_y(b), cell_height(layer)))];
        work_.in_cell[i] = head;
        head = i;
    }

private:
    static constexpr double slack = 1 + 1e-5;  // for the rounding of widths, distances and IoUs, which are floats

    static double smallest_of(int size) { return size == smallest ? 0 : std::ldexp(1.0, size); }
    double cell_width(const Layer& l) const {
        return how_.by == Nms::By::centre ? how_.threshold * slack : std::ldexp(2.0, l.x);
    }
    double cell_height(const Layer& l) const {
        return how_.by == Nms::By::centre ? how_.threshold * slack : std::ldexp(2.0, l.y);
    }
    int group(int i) const { return groups_ ? groups_[i] : 0; }

    // Boxes without area have IoU 0 with every box, and no distance is below 0.
    bool matters(int i) const {
        if (how_.by == Nms::By::centre) return how_.threshold > 0;
        return boxes_[i].width() > 0 && boxes_[i].height() > 0 && std::isfinite(boxes_[i].area());
    }

    bool falls(int i, int kept) const {
        if (group(i) != group(kept)) return false;
        const Box a = boxes_[kept], b = boxes_[i];
        if (how_.by == Nms::By::iou) return iou(a, b) > how_.threshold;
        const float dx = a.x() - b.x(), dy = a.y() - b.y();
        return dx * dx + dy * dy < how_.threshold * how_.threshold;
    }

    bool suppressed_in(int i, const Layer& layer, double reach_x, double reach_y) const {
        const double width = cell_width(layer), height = cell_height(layer), x = centre_x(boxes_[i]),
                     y = centre_y(boxes_[i]);
        const std::int64_t x0 = cell_of(x - reach_x, width), x1 = cell_of(x + reach_x, width);
        const std::int64_t y0 = cell_of(y - reach_y, height), y1 = cell_of(y + reach_y, height);
        if (double(x1 - x0 + 1) * double(y1 - y0 + 1) > layer.count) {  // fewer boxes than cells
            for (int k = layer.first; k >= 0; k = work_.in_layer[k])
                if (falls(i, k)) return true;
            return false;
        }
        for (std::int64_t cy = y0; cy <= y1; ++cy)
            for (std::int64_t cx = x0; cx <= x1; ++cx)
                for (int k = work_.heads[slot(layer, group(i), cx, cy)]; k >= 0; k = work_.in_cell[k])
                    if (falls(i, k)) return true;  // a box of another cell with the same hash is as good as any
        return false;
    }

    std::int64_t slot(const Layer& l, int group, std::int64_t cx, std::int64_t cy) const {
        std::uint64_t h = std::uint64_t(cx) * 0x9E3779B97F4A7C15u;  // SplitMix64's constants (Steele et al. 2014)
        h = (h ^ h >> 29 ^ std::uint64_t(cy)) * 0xBF58476D1CE4E5B9u;
        h = (h ^ h >> 32 ^ std::uint64_t(std::uint32_t(group)) ^ std::uint64_t(l.x - smallest) << 40 ^
             std::uint64_t(l.y - smallest) << 50) *
            0x94D049BB133111EBu;
        return std::int64_t((h ^ h >> 31) & std::uint64_t(work_.slots - 1));
    }

    const Box* boxes_;
    const int* groups_;
    Nms how_;
    Work work_;
    int layers_ = 0;
};

}  // namespace

namespace cpu {

void nms(Stream stream, View<const Box> boxes, View<const float> scores, View<const int> groups, View<const int> count,
         Nms how, View<int> kept, View<int> kept_count, Work work) {
    const std::int64_t rows = boxes.shape.c;
    stream.pool->for_each(boxes.shape.n, [&](std::int64_t n, int) {
        const std::int64_t at = n * rows;
        Work mine = work;
        mine.order += at, mine.in_cell += at, mine.in_layer += at, mine.heads += n * work.slots;
        mine.layers += n * sizes * sizes, mine.layer_of += n * sizes * sizes;
        const int used = std::clamp<int>(count.data[n], 0, int(rows));
        for (int i = 0; i < used; ++i) mine.order[i] = order_key(scores.data[at + i], std::uint32_t(i));
        std::sort(mine.order, mine.order + used);
        Suppressor suppressor(boxes.data + at, groups.data ? groups.data + at : nullptr, how, mine);
        int out = 0;
        for (int i = 0; i < used; ++i) {
            const int box = int(std::uint32_t(mine.order[i]));
            if (suppressor.suppressed(box)) continue;
            suppressor.keep(box);
            kept.data[at + out++] = box;
        }
        kept_count.data[n] = out;
    });
}

}  // namespace cpu

void nms(Stream stream, View<const Box> boxes, View<const float> scores, View<const int> groups, View<const int> count,
         Nms how, View<int> kept, View<int> kept_count, Arena& scratch) {
    const Shape s = boxes.shape;
    require(s == Shape{s.n, 1, 1, s.c} && scores.shape == s && kept.shape == s && (!groups.data || groups.shape == s) &&
                count.size() == s.n && kept_count.size() == s.n,
            "nms: shapes disagree");
    require(how.threshold >= 0 && std::isfinite(how.threshold), "nms: threshold ", how.threshold);
    const Arena::Scope scope(scratch);
    Work work{};
    work.slots = slots_for(s.c);
    work.order = scratch.take<std::uint64_t>(s.size()).data;
    work.in_cell = scratch.take<int>(s.size()).data;
    work.in_layer = scratch.take<int>(s.size()).data;
    work.heads = scratch.take<int>(s.n * work.slots).data;
    work.layers = scratch.take<Layer>(std::int64_t{s.n} * sizes * sizes).data;
    work.layer_of = scratch.take<int>(std::int64_t{s.n} * sizes * sizes).data;
    on_cpu_only<cpu::nms>(stream, "nms", boxes, scores, groups, count, how, kept, kept_count, work);
}

}  // namespace star
