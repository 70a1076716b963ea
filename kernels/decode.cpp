// Decoding on the CPU. Pieces of each level keep their best k, which are then merged: exact, however it is cut.
#include "kernels/decode.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "kernels/decode_row.h"
#include "kernels/dispatch.h"

namespace star {
namespace {

constexpr int piece_anchors = 16384;  // anchors per piece of work, at least
constexpr int most_pieces = 32;       // of a level of an image: bounds the workspace

// A candidate as one number: score above, then the complement of its index in the level (anchor, class), so that
// greater is better and equal scores go to the lower index. Scores are positive, and positive floats are in order of
// their bits.
using Key = std::uint64_t;

Key key_of(float score, std::uint32_t index) {
    return Key{std::bit_cast<std::uint32_t>(score)} << 32 | std::uint32_t(~index);
}
float score_of(Key k) { return std::bit_cast<float>(std::uint32_t(k >> 32)); }
std::uint32_t index_of(Key k) { return ~std::uint32_t(k); }

// The best k keys pushed so far, in room for 2 k.
struct Best {
    Key* keys;
    int most, count = 0;
    Key floor = 0;  // what doesn't exceed it has no chance

    void push(Key k) {
        if (k <= floor) return;
        keys[count++] = k;
        if (count == 2 * most) shrink();
    }
    void shrink() {
        if (count <= most) return;
        std::nth_element(keys, keys + most - 1, keys + count, std::greater<>());
        count = most;
        floor = keys[most - 1];
    }
};

struct Piece {
    int image, first, last;  // anchors of the level
};

int level_most(const AnchorGrid& grid, Decode how, int l) {
    return int(std::min<std::int64_t>(how.top_k, level_candidates(grid, how, l)));
}

int pieces_of(const AnchorGrid& grid, int l) {
    return std::clamp(ceil_div(level_anchors(grid, l), piece_anchors), 1, most_pieces);
}

int pieces_of(const AnchorGrid& grid) {
    int pieces = 0;
    for (int l = 0; l < grid.levels; ++l) pieces += pieces_of(grid, l);
    return pieces;
}

// A logit whose score surely isn't above the threshold, to spare most logits an exponential. Rounding of the score is
// some 1e-7, far less than the margin.
float hopeless_logit(Decode how) {
    const double t = how.threshold / (how.scoring == Scoring::any_class ? how.classes : 1);  // 1 - prod(1-p) <= sum p
    if (!(t > 0)) return -INFINITY;
    if (t >= 1) return INFINITY;
    return float(std::log(t / (1 - t))) - 1e-3f * float(1 + std::fabs(std::log(t)));
}

template <class T>
void scan(const Decoding<T>& d, int l, const Piece& piece, Best& best) {
    for (int anchor = piece.first; anchor < piece.last; ++anchor) {
        const auto push = [&](float score, int k) {
            best.push(key_of(score, std::uint32_t(anchor) * std::uint32_t(per_anchor(d.how)) + std::uint32_t(k)));
        };
        const T* const z = logits_of(d.heads, d.grid, d.how, l, piece.image, anchor);
        if (d.how.scoring == Scoring::each_class)
            scan_each(z, d.how, d.hopeless, push);
        else
            scan_any(z, d.how, d.hopeless, push);
    }
    best.shrink();
}

// The pieces' best, together, in descending order.
Best merge(Key* keys, const int* counts, int pieces, std::int64_t room, int top_k) {
    Best best{keys, top_k, counts[0]};
    for (int p = 1; p < pieces; ++p)
        for (int i = 0; i < counts[p]; ++i) best.push(keys[p * room + i]);
    best.shrink();
    std::sort(best.keys, best.keys + best.count, std::greater<>());
    return best;
}

}  // namespace

namespace cpu {

std::int64_t decode_workspace(Stream, int images, AnchorGrid grid, Decode how) {
    const std::int64_t items = std::int64_t{images} * pieces_of(grid);
    return items * (2 * std::int64_t{how.top_k} * std::int64_t{sizeof(Key)} + std::int64_t{sizeof(int)});
}

template <class T>
void decode_boxes(Stream stream, Decoding<T> d, std::byte* workspace) {
    const AnchorGrid& grid = d.grid;
    const int images = d.heads.logits[0].shape.n, per_image = pieces_of(grid);
    const std::int64_t room = 2 * std::int64_t{d.how.top_k};
    auto* const keys = reinterpret_cast<Key*>(workspace);
    auto* const counts = reinterpret_cast<int*>(keys + std::int64_t{images} * per_image * room);
    stream.pool->for_each(std::int64_t{images} * per_image, [&](std::int64_t item, int) {
        int l = 0, at = int(item % per_image);
        for (; at >= pieces_of(grid, l); ++l) at -= pieces_of(grid, l);
        const std::int64_t anchors = level_anchors(grid, l), pieces = pieces_of(grid, l);
        const Piece piece{int(item / per_image), int(anchors * at / pieces), int(anchors * (at + 1) / pieces)};
        Best best{keys + item * room, d.how.top_k};
        scan(d, l, piece, best);
        counts[item] = best.count;
    });
    stream.pool->for_each(images, [&](std::int64_t n, int) {
        const std::int64_t start = n * d.out.boxes.shape.c;
        std::int64_t row = start, item = n * per_image;
        for (int l = 0; l < grid.levels; item += pieces_of(grid, l++)) {
            const Best best = merge(keys + item * room, counts + item, pieces_of(grid, l), room, d.how.top_k);
            for (int i = 0; i < best.count; ++i) {
                const Candidate c{int(n), l, int(index_of(best.keys[i])), score_of(best.keys[i])};
                const Box box = box_of(d.heads, grid, d.how, c);
                if (is_box(box)) write_row(d.heads, grid, d.how, c, box, d.out, row++);
            }
        }
        d.out.count.data[n] = int(row - start);
    });
}

}  // namespace cpu

template <class T>
void decode_boxes(Stream stream, const HeadOutputs<T>& heads, const AnchorGrid& grid, Decode how, Candidates out,
                  Arena& scratch) {
    require(
        grid.levels >= 1 && grid.levels <= max_levels && grid.per_cell >= 1 && grid.per_cell <= max_anchors_per_cell,
        "decode_boxes: ", grid.levels, " levels, ", grid.per_cell, " anchors per cell");
    require(how.classes >= 1 && how.top_k >= 1 && how.threshold >= 0 && how.width >= 0 && how.height >= 0,
            "decode_boxes: ", how.classes, " classes, top ", how.top_k, ", image ", how.width, " x ", how.height);
    const int images = heads.logits[0].shape.n;
    std::int64_t needed = 0;
    for (int l = 0; l < grid.levels; ++l) {
        const AnchorLevel& level = grid.level[l];
        const Shape z = heads.logits[l].shape, d = heads.deltas[l].shape;
        require(z.n == images && d.n == images && z.h == level.h && d.h == level.h && z.w == level.w &&
                    d.w == level.w && z.c >= std::int64_t{grid.per_cell} * how.classes && d.c >= 4 * grid.per_cell,
                "decode_boxes: shapes disagree at level ", l);
        require(std::int64_t{level.h} * level.w * grid.per_cell * how.classes < INT32_MAX, "decode_boxes: level ", l,
                " is too large");
        needed += level_most(grid, how, l);
    }
    const Shape rows{images, 1, 1, out.boxes.shape.c};
    require(out.boxes.shape == rows && out.scores.shape == rows && out.labels.shape == rows &&
                out.anchors.shape == rows && out.count.size() == images &&
                (!out.chances.data || out.chances.shape == Shape{images, 1, rows.c, how.classes}),
            "decode_boxes: the candidates' shapes disagree");
    require(rows.c >= needed, "decode_boxes: room for ", rows.c, " candidates, ", needed, " may come");
    const Arena::Scope scope(scratch);
    const auto bytes = measure<cpu::decode_workspace, cuda::decode_workspace>(stream, images, grid, how);
    std::byte* workspace = scratch.take<std::byte>(bytes).data;
    const Decoding<T> decoding{heads, grid, how, hopeless_logit(how), out};
    on<cpu::decode_boxes<T>, cuda::decode_boxes<T>>(stream, decoding, workspace);
}

template void decode_boxes(Stream, const HeadOutputs<float>&, const AnchorGrid&, Decode, Candidates, Arena&);
template void decode_boxes(Stream, const HeadOutputs<bf16>&, const AnchorGrid&, Decode, Candidates, Arena&);

}  // namespace star
