// A box's walk through its earlier neighbours in suppression's grid, on a GPU: it falls at a kept one, waits at one
// that isn't decided, is kept behind the last. Only for nms.cu.
#pragma once
#include "kernels/nms_grid.h"
#include "kernels/rounded.h"
#include "kernels/simt.h"

namespace star::cuda::nms_walk {

using namespace nms_grid;

enum State { waiting = 0, kept = 1, fallen = 2 };

struct GridLayer : Layer {
    int first;                       // its boxes are entries first ... first + count - 1
    std::uint32_t first_slot, mask;  // its slots: first_slot + (hash & mask)
};

struct Place {  // where a walk goes on
    int layer, cell;
    int at;  // entry, or -1: at the cell's first
};

struct Image {  // what a walk reads
    Nms how;
    const GridLayer* layers;
    int layer_count;
    const std::uint64_t* entries;
    const int *starts, *groups, *state;
    const Box* boxes;
};

__device__ inline std::uint32_t slot_at(const GridLayer& l, int group, std::int64_t cx, std::int64_t cy) {
    return l.first_slot + (std::uint32_t(cell_hash(l, group, cx, cy)) & l.mask);
}

// The CPU's comparison, with its rounding.
__device__ inline bool overlap(Nms how, Box a, Box b) {
    if (how.by == Nms::By::iou) return rounded_iou(a, b) > how.threshold;
    const float dx = a.x() - b.x(), dy = a.y() - b.y();
    return rounded_product(dx, dx) + rounded_product(dy, dy) < rounded_product(how.threshold, how.threshold);
}

// Looks from `at` on, in a cell (or a whole layer) that ends before `end`; where it ends, at the first who stops r.
__device__ inline int next_in_cell(const Image& m, int rank, int& at, int end, bool whole_layer) {
    const auto slot = std::uint32_t(m.entries[at] >> 32);
    for (; at < end; ++at) {
        const std::uint64_t entry = m.entries[at];
        const int other = int(std::uint32_t(entry));
        if (!whole_layer && (std::uint32_t(entry >> 32) != slot || other >= rank)) break;  // cells are in order of rank
        if (other >= rank || m.state[other] == fallen || m.groups[other] != m.groups[rank]) continue;
        if (overlap(m.how, m.boxes[other], m.boxes[rank])) return other;
    }
    return -1;
}

// The next earlier box, from `place` on, that overlaps this one and hasn't fallen; -1 if none is left.
__device__ inline int next_overlap(const Image& m, int rank, Place& place) {
    const Box b = m.boxes[rank];
    for (; place.layer < m.layer_count; ++place.layer, place.cell = 0, place.at = -1) {
        const GridLayer l = m.layers[place.layer];
        const Window w = window(m.how, l, b);
        const bool whole_layer = w.cells() > l.count;  // fewer boxes than cells
        const int cells = whole_layer ? 1 : int(w.cells()),
                  columns = whole_layer || cells == 0 ? 1 : int(w.x1 - w.x0 + 1);
        for (; place.cell < cells; ++place.cell, place.at = -1) {
            if (place.at < 0)
                place.at = whole_layer ? l.first
                                       : m.starts[slot_at(l, m.groups[rank], w.x0 + place.cell % columns,
                                                          w.y0 + place.cell / columns)] -
                                             1;
            if (place.at < 0) continue;  // nobody there
            const int other = next_in_cell(m, rank, place.at, l.first + l.count, whole_layer);
            if (other >= 0) return other;
        }
    }
    return -1;
}

struct Step {
    State state;
    int waits_for;
};

// As far as rank's box gets with the states of now.
__device__ inline Step walk(const Image& m, int rank, Place& kept_place) {
    Place place = kept_place;
    const int other = next_overlap(m, rank, place);
    kept_place = place;
    if (other < 0) return {kept, -1};
    if (m.state[other] == kept) return {fallen, -1};
    return {waiting, other};
}

}  // namespace star::cuda::nms_walk
