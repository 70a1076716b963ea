// Units of stars and the truth of windows. Compiled without fused products, so that boxes and centroids are the CPU's.
#include "kernels/fisher_snr.cuh"
#include "kernels/pack.cuh"
#include "kernels/scan.cuh"
#include "kernels/unit_labels.h"

namespace star::cuda {
namespace {

constexpr int label_threads = 32 * fisher_block_warps, cut_threads = 256;

struct LabelShared {
    FisherSlots slots[fisher_block_warps];
};

__device__ bool counts(const UnitField& f, const FisherWork& stars, const UnitMember& m) {
    return f.all_count || (m.star >= 0 && stars.alive[m.star]);
}

__device__ double snr_of(const FisherWork& stars, const UnitMember& m) { return m.star >= 0 ? stars.snr[m.star] : 0.0; }

// Whether the brightest star of those that count would be uncertain even if all others of the unit were known. By a
// warp.
__device__ bool last_is_lost(const UnitWork& w, const UnitMembers& u, const FisherWork& stars, int warp,
                             FisherSlots& slots) {
    const UnitField& f = w.fields[u.field];
    double best = 0;
    int counting = 0, brightest = -1;
    for (int k = 0; k < u.count; ++k) {
        const UnitMember& m = w.members[u.first + k];
        if (!counts(f, stars, m)) continue;
        if (counting++ == 0) brightest = m.star;
        const double snr = snr_of(stars, m);
        best = snr > best ? snr : best;
    }
    if (best >= f.certain_snr) return false;
    if (counting == 1) return true;
    const auto known = [&](int star) {
        bool of_unit = false;
        for (int k = 0; k < u.count; ++k) of_unit = of_unit || w.members[u.first + k].star == star;
        return of_unit;
    };
    return snr_among(stars, brightest, warp, slots, known) < f.certain_snr;
}

__global__ void __launch_bounds__(label_threads, 1)
    label(const __grid_constant__ UnitWork w, const __grid_constant__ FisherWork stars) {
    auto& shared = shared_memory<LabelShared>();
    const int in_block = int(threadIdx.x) / 32, warp = int(blockIdx.x) * fisher_block_warps + in_block;
    for (int i = warp; i < w.unit_count; i += int(gridDim.x) * fisher_block_warps) {
        const UnitMembers u = w.units[i];
        if (u.count == 0) continue;  // the whole warp
        const UnitField& f = w.fields[u.field];
        UnitShape counted, all;
        CountChances chances;
        bool soft = false;
        int counting = 0;
        for (int k = 0; k < u.count; ++k) {
            const UnitMember& m = w.members[u.first + k];
            const double chance = f.all_count ? 1 : chance_of(snr_of(stars, m), f.hopeless_snr, f.certain_snr);
            all.add(m.x, m.y, m.flux);
            if (counts(f, stars, m)) counted.add(m.x, m.y, m.flux), ++counting;
            chances.add(chance);
            soft = soft || (chance > 0 && chance < 1);
        }
        UnitShape shape = counting > 0 ? counted : all;
        shape.done();
        UnitTruth t{};
        t.box = shape.box(f.half_width);
        t.inside = shape.x >= 0 && shape.x < f.width && shape.y >= 0 && shape.y < f.height;
        t.label = label_ignored;
        if (counting > 0 && (f.all_count || !last_is_lost(w, u, stars, warp, shared.slots[in_block]))) {
            t.label = std::int8_t((counting < 5 ? counting : 5) - 1), t.soft = soft;
            chances.write(t.chance);
        }
        if (lane() == 0) w.truth[i] = t;
    }
}

struct CutShared {
    int per_warp[32];
};

__global__ void __launch_bounds__(cut_threads) cut(const __grid_constant__ UnitWork w, TruthWindows windows, int room,
                                                   Box* boxes, std::int8_t* labels, int* first) {
    auto& shared = shared_memory<CutShared>();
    const int thread = int(threadIdx.x);
    const auto x_edge = float(windows.width), y_edge = float(windows.height);
    int written = 0, window = 0;
    for (int field = 0; field < w.field_count; ++field) {
        const UnitField& f = w.fields[field];
        int soft_before = 0;
        for (int base = f.first_unit; base < f.last_unit; base += cut_threads) {
            const int i = base + thread;
            const UnitTruth* const t = i < f.last_unit ? w.truth + i : nullptr;
            const bool draws = t && t->inside && is_drawn(t->soft, t->label);
            const Scanned soft = block_scan(draws, shared.per_warp);
            if (t)
                w.drawn[i] = draws ? drawn_label(t->chance, t->label, uniform_at(f.seed, 0, soft_before + soft.before))
                                   : t->label;
            soft_before += soft.total;
        }
        sync_block();  // the labels are drawn
        for (int r = 0; r < windows.rows; ++r)
            for (int c = 0; c < windows.columns; ++c, ++window) {
                if (thread == 0) first[window] = written < room ? written : room;
                const float x0 = float(c * windows.width), y0 = float(r * windows.height);
                for (int base = f.first_unit; base < f.last_unit; base += cut_threads) {
                    const int i = base + thread;
                    WindowBox seen{};
                    if (i < f.last_unit && w.truth[i].inside) seen = window_box(w.truth[i].box, x0, y0, x_edge, y_edge);
                    const Scanned place = block_scan(seen.reaches, shared.per_warp);
                    const int to = written + place.before;
                    if (seen.reaches && to < room) {
                        const Box& b = seen.box;
                        const float s = windows.scale;
                        boxes[to] = {b.x0 * s, b.y0 * s, b.x1 * s, b.y1 * s};
                        labels[to] = seen.centred ? w.drawn[i] : label_ignored;
                    }
                    written += place.total;
                }
            }
    }
    if (thread == 0) first[window] = written < room ? written : room;
}

}  // namespace

void label_units(Stream stream, const UnitWork& units, const FisherWork& stars) {
    if (units.unit_count == 0 || stars.count == 0) return;
    launch(stream, {{unsigned(stars.count)}, label_threads, sizeof(LabelShared)}, label, units, stars);
}

void cut_truths(Stream stream, const UnitWork& units, const TruthWindows& windows, int room, Box* boxes,
                std::int8_t* labels, int* first) {
    launch(stream, {{1}, cut_threads, sizeof(CutShared)}, cut, units, windows, room, boxes, labels, first);
}

}  // namespace star::cuda
