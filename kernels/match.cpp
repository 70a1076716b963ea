// Matching on the CPU: each unit looks only at the anchors near it, so the work is the number of overlaps.
#include "kernels/match.h"

#include <algorithm>

#include "kernels/dispatch.h"
#include "kernels/match_search.h"

namespace star {
namespace {

// Calls visit(index, box) for every anchor that may overlap `box` or have its centre there.
template <class Visit>
void anchors_near(const AnchorGrid& grid, Box box, Visit visit) {
    for (int l = 0; l < grid.levels; ++l)
        for (int a = 0; a < grid.per_cell; ++a) {
            const AnchorLevel& level = grid.level[l];
            const Cells cells = cells_near(level, a, box);
            for (int i = cells.i0; i < cells.i1; ++i)
                for (int j = cells.j0; j < cells.j1; ++j)
                    visit(level.first + (i * level.w + j) * grid.per_cell + a, anchor_box(level, i, j, a));
        }
}

struct Image {  // one image's part of the work
    const AnchorGrid& grid;
    Truths truths;
    Matching how;
    int first, last;  // its units
    int* match;
    std::int8_t* labels;
    MatchWork work;

    bool learns(int u) const { return truths.labels.data[u] != label_ignored; }

    void find_best() {
        std::fill_n(work.best, grid.total, 0);
        for (int u = first; u < last; ++u) {
            OverlapKey mine = 0;
            if (learns(u))
                anchors_near(grid, truths.boxes.data[u], [&](int anchor, Box box) {
                    const float v = iou(box, truths.boxes.data[u]);
                    if (!(v > 0)) return;
                    work.best[anchor] = std::max(work.best[anchor], overlap_key(v, u));
                    mine = std::max(mine, overlap_key(v, anchor));
                });
            work.unit_best[u] = mine;
        }
    }

    void wish_for_best() {
        for (int u = first; u < last; ++u)
            if (const OverlapKey mine = work.unit_best[u]) {
                OverlapKey& best = work.best[index_of(mine)];
                best = std::max(best, wish_of(mine, u));
            }
    }

    void ignore_regions() {
        for (int u = first; u < last; ++u)
            if (const Box region = truths.boxes.data[u]; !learns(u))
                anchors_near(grid, region, [&](int anchor, Box box) {
                    if (match[anchor] == -1 && centre_inside(box, region)) match[anchor] = -2;
                });
    }

    int write_labels() {
        int positives = 0;
        for (int i = 0; i < grid.total; ++i) {
            labels[i] = label_of(match[i], truths.labels.data);
            positives += match[i] >= 0;
        }
        return positives;
    }
};

}  // namespace

namespace cpu {

void match_anchors(Stream stream, AnchorGrid grid, Truths truths, Matching how, View<int> match,
                   View<std::int8_t> labels, View<int> positives, MatchWork work) {
    stream.pool->for_each(match.shape.n, [&](std::int64_t n, int) {
        const std::int64_t at = n * grid.total;
        Image image{grid,
                    truths,
                    how,
                    truths.first.data[n],
                    truths.first.data[n + 1],
                    match.data + at,
                    labels.data + at,
                    {work.best + at, work.unit_best}};
        image.find_best();
        if (how.best_anchor) image.wish_for_best();
        for (int i = 0; i < grid.total; ++i) image.match[i] = matched(image.work.best[i], how);
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
    const MatchWork work{scratch.take<OverlapKey>(match.size()).data,
                         scratch.take<OverlapKey>(truths.boxes.size()).data};
    on<cpu::match_anchors, cuda::match_anchors>(stream, grid, truths, how, match, labels, positives, work);
}

}  // namespace star
