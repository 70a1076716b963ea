// Matching on the CPU: each unit looks only at the anchors near it, so the work is the number of overlaps.
#include "kernels/match.h"

#include <algorithm>
#include <cmath>

#include "kernels/dispatch.h"

namespace star {
namespace {

struct Range {
    int first, last;  // half open
};

// The cells j of [0, cells) for which low < j * stride < high may hold. One more on each side covers rounding.
Range cells_between(double low, double high, float stride, int cells) {
    const double first = std::floor(low / double(stride)) - 1, last = std::ceil(high / double(stride)) + 2;
    return {int(std::clamp(first, 0.0, double(cells))), int(std::clamp(last, 0.0, double(cells)))};
}

// Calls visit(index, box) for every anchor that may overlap `box` or have its centre there, in ascending order of
// level.
template <class Visit>
void anchors_near(const AnchorGrid& grid, Box box, Visit visit) {
    if (!(box.x1 > box.x0 && box.y1 > box.y0)) return;  // empty or NaN: overlaps nothing
    for (int l = 0; l < grid.levels; ++l) {
        const AnchorLevel& level = grid.level[l];
        for (int a = 0; a < grid.per_cell; ++a) {
            const Box& cell = level.cell[a];
            const Range rows =
                cells_between(double(box.y0) - cell.y1, double(box.y1) - cell.y0, level.stride_y, level.h);
            const Range columns =
                cells_between(double(box.x0) - cell.x1, double(box.x1) - cell.x0, level.stride_x, level.w);
            for (int i = rows.first; i < rows.last; ++i)
                for (int j = columns.first; j < columns.last; ++j)
                    visit(level.first + (i * level.w + j) * grid.per_cell + a, anchor_box(level, i, j, a));
        }
    }
}

struct Image {  // one image's part of the work
    const AnchorGrid& grid;
    Truths truths;
    Matching how;
    int first, last;  // its units
    int* match;
    std::int8_t* labels;
    float* best;       // per anchor: the highest IoU
    int* unit_anchor;  // per unit: the first of its best anchors
    float* unit_best;  // per unit: its IoU with that

    bool learns(int u) const { return truths.labels.data[u] != label_ignored; }

    void find_best() {
        std::fill_n(best, grid.total, 0.0f);
        std::fill_n(match, grid.total, -1);
        for (int u = first; u < last; ++u) {
            unit_best[u] = 0, unit_anchor[u] = -1;
            if (!learns(u)) continue;
            anchors_near(grid, truths.boxes.data[u], [&](int anchor, Box box) {
                const float v = iou(box, truths.boxes.data[u]);
                if (v > best[anchor]) best[anchor] = v, match[anchor] = u;
                if (v > unit_best[u] || (v == unit_best[u] && v > 0 && anchor < unit_anchor[u]))
                    unit_best[u] = v, unit_anchor[u] = anchor;
            });
        }
    }

    void apply_thresholds() {
        for (int i = 0; i < grid.total; ++i)
            if (!(best[i] >= how.foreground)) match[i] = best[i] < how.background ? -1 : -2;
    }

    // The first loop marks the anchors that some unit insists on; among these the second finds the unit of highest IoU.
    void take_best_anchors() {
        for (int u = first; u < last; ++u)
            if (unit_anchor[u] >= 0) best[unit_anchor[u]] = 0;
        for (int u = first; u < last; ++u)
            if (const int anchor = unit_anchor[u]; anchor >= 0 && unit_best[u] > best[anchor])
                best[anchor] = unit_best[u], match[anchor] = u;
    }

    void ignore_regions() {
        for (int u = first; u < last; ++u)
            if (const Box region = truths.boxes.data[u]; !learns(u))
                anchors_near(grid, region, [&](int anchor, Box box) {
                    const bool inside =
                        box.x() >= region.x0 && box.x() < region.x1 && box.y() >= region.y0 && box.y() < region.y1;
                    if (match[anchor] == -1 && inside) match[anchor] = -2;
                });
    }

    int write_labels() {
        int positives = 0;
        for (int i = 0; i < grid.total; ++i) {
            const int m = match[i];
            labels[i] = m >= 0 ? truths.labels.data[m] : m == -1 ? label_background : label_ignored;
            positives += m >= 0;
        }
        return positives;
    }
};

}  // namespace

namespace cpu {

void match_anchors(Stream stream, AnchorGrid grid, Truths truths, Matching how, View<int> match,
                   View<std::int8_t> labels, View<int> positives, float* best, int* unit_anchor, float* unit_best) {
    stream.pool->for_each(match.shape.n, [&](std::int64_t n, int) {
        const std::int64_t at = n * grid.total;
        Image image{grid,
                    truths,
                    how,
                    truths.first.data[n],
                    truths.first.data[n + 1],
                    match.data + at,
                    labels.data + at,
                    best + at,
                    unit_anchor,
                    unit_best};
        image.find_best();
        image.apply_thresholds();
        if (how.best_anchor) image.take_best_anchors();
        image.ignore_regions();
        positives.data[n] = image.write_labels();
    });
}

}  // namespace cpu

void match_anchors(Stream stream, const AnchorGrid& grid, Truths truths, Matching how, View<int> match,
                   View<std::int8_t> labels, View<int> positives, Arena& scratch) {
    const int images = match.shape.n;
    require(match.shape == Shape{images, 1, 1, grid.total} && labels.shape == match.shape &&
                positives.size() == images && truths.first.size() == images + 1 &&
                truths.labels.size() == truths.boxes.size(),
            "match_anchors: shapes disagree");
    require(
        grid.levels >= 1 && grid.levels <= max_levels && grid.per_cell >= 1 && grid.per_cell <= max_anchors_per_cell,
        "match_anchors: ", grid.levels, " levels, ", grid.per_cell, " anchors per cell");
    int anchors = 0;
    for (int l = 0; l < grid.levels; ++l) {
        const AnchorLevel& level = grid.level[l];
        require(level.first == anchors && level.stride_x > 0 && level.stride_y > 0, "match_anchors: level ", l);
        anchors += level.h * level.w * grid.per_cell;
    }
    require(anchors == grid.total, "match_anchors: ", anchors, " anchors, ", grid.total, " declared");
    require(how.background > 0 && how.background <= how.foreground, "match_anchors: background ", how.background,
            ", foreground ", how.foreground);
    const Arena::Scope scope(scratch);
    const auto best = scratch.take<float>(match.size());
    const auto unit_anchor = scratch.take<int>(truths.boxes.size());
    const auto unit_best = scratch.take<float>(truths.boxes.size());
    on_cpu_only<cpu::match_anchors>(stream, "match_anchors", grid, truths, how, match, labels, positives, best.data,
                                    unit_anchor.data, unit_best.data);
}

}  // namespace star
