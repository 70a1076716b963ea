// Non-maximum suppression on the CPU: kept boxes go into a hashed grid, so each box meets only kept ones near it.
#include "kernels/nms.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/dispatch.h"
#include "kernels/nms_grid.h"

namespace star {
namespace {

using namespace nms_grid;

struct KeptLayer : Layer {
    int first;  // its kept boxes, newest first
};

struct Work {              // of one image
    std::uint64_t* order;  // (M)
    int* in_cell;          // (M) the next kept box of the same hash
    int* in_layer;         // (M) the next kept box of the same layer
    int* heads;            // (slots) first kept box of a hash
    std::int64_t slots;    // a power of two
    KeptLayer* layers;     // (all_layers)
    int* layer_of;         // (all_layers) index into layers, or -1
};

std::int64_t slots_for(std::int64_t boxes) { return std::int64_t(std::bit_ceil(std::uint64_t(2 * boxes + 1))); }

/// Lays an image's part of the workspace out from `start`; returns an image's size in bytes.
std::int64_t lay_out(Work& w, std::byte* start, std::int64_t rows) {
    std::int64_t used = 0;
    const auto take = [&]<class T>(T*& p, std::int64_t count) {
        p = start ? reinterpret_cast<T*>(start + used) : nullptr;
        used += (count * std::int64_t{sizeof(T)} + 255) / 256 * 256;
    };
    w.slots = slots_for(rows);
    take(w.order, rows), take(w.in_cell, rows), take(w.in_layer, rows), take(w.heads, w.slots);
    take(w.layers, all_layers), take(w.layer_of, all_layers);
    return used;
}

class Suppressor {
public:
    Suppressor(const Box* boxes, const int* groups, Nms how, Work work)
        : boxes_(boxes), groups_(groups), how_(how), work_(work) {
        std::fill_n(work_.heads, work_.slots, -1);
        std::fill_n(work_.layer_of, all_layers, -1);
    }

    bool suppressed(int i) const {
        if (!matters(boxes_[i], how_)) return false;
        for (int l = 0; l < layers_; ++l)
            if (suppressed_in(i, work_.layers[l])) return true;
        return false;
    }

    void keep(int i) {
        const Box b = boxes_[i];
        if (!matters(b, how_)) return;
        const int x = layer_class(how_, b.width()), y = layer_class(how_, b.height());
        int& at = work_.layer_of[(y - smallest) * sizes + (x - smallest)];
        if (at < 0) at = layers_, work_.layers[layers_++] = {{x, y, 0, 0, 0}, -1};
        KeptLayer& layer = work_.layers[at];
        layer.width = std::max(layer.width, b.width()), layer.height = std::max(layer.height, b.height());
        work_.in_layer[i] = layer.first;
        layer.first = i;
        ++layer.count;
        int& head = work_.heads[slot(layer, group(i), cell_x(how_, layer, b), cell_y(how_, layer, b))];
        work_.in_cell[i] = head;
        head = i;
    }

private:
    int group(int i) const { return groups_ ? groups_[i] : 0; }

    bool falls(int i, int kept) const {
        if (group(i) != group(kept)) return false;
        const Box a = boxes_[kept], b = boxes_[i];
        if (how_.by == Nms::By::iou) return iou(a, b) > how_.threshold;
        const float dx = a.x() - b.x(), dy = a.y() - b.y();
        return dx * dx + dy * dy < how_.threshold * how_.threshold;
    }

    bool suppressed_in(int i, const KeptLayer& layer) const {
        const Window w = window(how_, layer, boxes_[i]);
        if (w.cells() > layer.count) {  // fewer boxes than cells
            for (int k = layer.first; k >= 0; k = work_.in_layer[k])
                if (falls(i, k)) return true;
            return false;
        }
        for (std::int64_t cy = w.y0; cy <= w.y1; ++cy)
            for (std::int64_t cx = w.x0; cx <= w.x1; ++cx)
                for (int k = work_.heads[slot(layer, group(i), cx, cy)]; k >= 0; k = work_.in_cell[k])
                    if (falls(i, k)) return true;  // a box of another cell with the same hash is as good as any
        return false;
    }

    std::int64_t slot(const Layer& l, int group, std::int64_t cx, std::int64_t cy) const {
        return std::int64_t(cell_hash(l, group, cx, cy) & std::uint64_t(work_.slots - 1));
    }

    const Box* boxes_;
    const int* groups_;
    Nms how_;
    Work work_;
    int layers_ = 0;
};

}  // namespace

namespace cpu {

std::int64_t nms_workspace(Stream, int images, int rows) {
    Work w;
    return images * lay_out(w, nullptr, rows);
}

void nms(Stream stream, Suppression s, std::byte* workspace) {
    const std::int64_t rows = s.boxes.shape.c;
    stream.pool->for_each(s.boxes.shape.n, [&](std::int64_t n, int) {
        const std::int64_t at = n * rows;
        Work mine;
        lay_out(mine, workspace + n * lay_out(mine, nullptr, rows), rows);
        const int used = std::clamp<int>(s.count.data[n], 0, int(rows));
        for (int i = 0; i < used; ++i) mine.order[i] = order_key(s.scores.data[at + i], std::uint32_t(i));
        std::sort(mine.order, mine.order + used);
        Suppressor suppressor(s.boxes.data + at, s.groups.data ? s.groups.data + at : nullptr, s.how, mine);
        int out = 0;
        for (int i = 0; i < used; ++i) {
            const int box = int(std::uint32_t(mine.order[i]));
            if (suppressor.suppressed(box)) continue;
            suppressor.keep(box);
            s.kept.data[at + out++] = box;
        }
        s.kept_count.data[n] = out;
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
    const auto bytes = measure<cpu::nms_workspace, cuda::nms_workspace>(stream, s.n, s.c);
    std::byte* workspace = scratch.take<std::byte>(bytes).data;
    const Suppression suppression{boxes, scores, groups, count, how, kept, kept_count};
    on<cpu::nms, cuda::nms>(stream, suppression, workspace);
}

}  // namespace star
