// Decoding on the CPU. Pieces of each level keep their best k, which are then merged: exact, however it is cut.
#include "kernels/decode.h"

#include <algorithm>
#include <cmath>
#include <functional>

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

// Candidates that an anchor can yield.
int per_anchor(Decode how) { return how.scoring == Scoring::each_class ? how.classes : 1; }

int level_anchors(const AnchorGrid& grid, int l) { return grid.level[l].h * grid.level[l].w * grid.per_cell; }

int level_most(const AnchorGrid& grid, Decode how, int l) {
    return int(std::min<std::int64_t>(how.top_k, std::int64_t{level_anchors(grid, l)} * per_anchor(how)));
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

float sigmoid(float z) { return 1 / (1 + std::exp(-z)); }
float softplus(float z) { return (z > 0 ? z : 0.0f) + std::log1p(std::exp(-std::fabs(z))); }

template <class T>
void scan_each(const T* z, int classes, float hopeless, float threshold, std::uint32_t index, Best& best) {
    for (int k = 0; k < classes; ++k)
        if (const float v = widen(z[k]); v > hopeless)
            if (const float score = sigmoid(v); score > threshold) best.push(key_of(score, index + std::uint32_t(k)));
}

template <class T>
int likeliest(const T* z, int classes) {
    int best = 0;
    for (int k = 1; k < classes; ++k)
        if (widen(z[k]) > widen(z[best])) best = k;
    return best;
}

template <class T>
void scan_any(const T* z, int classes, float hopeless, float threshold, std::uint32_t index, Best& best) {
    bool hope = false;
    for (int k = 0; k < classes; ++k) hope |= widen(z[k]) > hopeless;
    if (!hope) return;
    float sum = 0;  // -log of the product: no cancellation for small scores
    for (int k = 0; k < classes; ++k) sum += softplus(widen(z[k]));
    if (const float score = -std::expm1(-sum); score > threshold) best.push(key_of(score, index));
}

template <class T>
void scan(const T* level_logits, Shape s, int per_cell, Decode how, const Piece& piece, Best& best) {
    const float hopeless = hopeless_logit(how), threshold = how.threshold;
    for (int anchor = piece.first; anchor < piece.last; ++anchor) {
        const std::int64_t cell = std::int64_t{piece.image} * s.h * s.w + anchor / per_cell;
        const T* const z = level_logits + cell * s.c + anchor % per_cell * how.classes;
        if (how.scoring == Scoring::each_class)
            scan_each(z, how.classes, hopeless, threshold, std::uint32_t(anchor) * std::uint32_t(how.classes), best);
        else
            scan_any(z, how.classes, hopeless, threshold, std::uint32_t(anchor), best);
    }
    best.shrink();
}

float clip(float v, float most) { return v < 0 ? 0 : v > most ? most : v; }  // NaN stays NaN

bool finite(Box b) { return std::isfinite(b.x0) && std::isfinite(b.y0) && std::isfinite(b.x1) && std::isfinite(b.y1); }

// The pieces' best, together, in descending order.
Best merge(Key* keys, const int* counts, int pieces, std::int64_t room, int top_k) {
    Best best{keys, top_k, counts[0]};
    for (int p = 1; p < pieces; ++p)
        for (int i = 0; i < counts[p]; ++i) best.push(keys[p * room + i]);
    best.shrink();
    std::sort(best.keys, best.keys + best.count, std::greater<>());
    return best;
}

// Writes one candidate of image n; false if its box is NaN.
template <class T>
bool write_row(const HeadOutputs<T>& heads, const AnchorGrid& grid, Decode how, int l, std::int64_t n, Key key,
               const Candidates& out, std::int64_t row) {
    const AnchorLevel& level = grid.level[l];
    const View<const T> logits = heads.logits[l], deltas = heads.deltas[l];
    const int at = int(index_of(key)) / per_anchor(how), cell = at / grid.per_cell, a = at % grid.per_cell;
    const std::int64_t pixel = n * level.h * level.w + cell;
    const T* const z = logits.data + pixel * logits.shape.c + a * how.classes;
    const T* const d = deltas.data + pixel * deltas.shape.c + 4 * a;
    const Box raw = decode(Delta{widen(d[0]), widen(d[1]), widen(d[2]), widen(d[3])},
                           anchor_box(level, cell / level.w, cell % level.w, a));
    const Box box{clip(raw.x0, how.width), clip(raw.y0, how.height), clip(raw.x1, how.width), clip(raw.y1, how.height)};
    if (!finite(box)) return false;
    out.boxes.data[row] = box;
    out.scores.data[row] = score_of(key);
    out.labels.data[row] =
        how.scoring == Scoring::each_class ? int(index_of(key)) % how.classes : likeliest(z, how.classes);
    out.anchors.data[row] = level.first + at;
    if (out.chances.data)
        for (int k = 0; k < how.classes; ++k) out.chances.data[row * how.classes + k] = sigmoid(widen(z[k]));
    return true;
}

}  // namespace

namespace cpu {

template <class T>
void decode_boxes(Stream stream, HeadOutputs<T> heads, AnchorGrid grid, Decode how, Candidates out, Key* keys,
                  int* counts) {
    const int images = heads.logits[0].shape.n, per_image = pieces_of(grid);
    const std::int64_t room = 2 * std::int64_t{how.top_k};
    stream.pool->for_each(std::int64_t{images} * per_image, [&](std::int64_t item, int) {
        int l = 0, at = int(item % per_image);
        for (; at >= pieces_of(grid, l); ++l) at -= pieces_of(grid, l);
        const std::int64_t anchors = level_anchors(grid, l), pieces = pieces_of(grid, l);
        const Piece piece{int(item / per_image), int(anchors * at / pieces), int(anchors * (at + 1) / pieces)};
        Best best{keys + item * room, how.top_k};
        scan(heads.logits[l].data, heads.logits[l].shape, grid.per_cell, how, piece, best);
        counts[item] = best.count;
    });
    stream.pool->for_each(images, [&](std::int64_t n, int) {
        const std::int64_t start = n * out.boxes.shape.c;
        std::int64_t row = start, item = n * per_image;
        for (int l = 0; l < grid.levels; item += pieces_of(grid, l++)) {
            const Best best = merge(keys + item * room, counts + item, pieces_of(grid, l), room, how.top_k);
            for (int i = 0; i < best.count; ++i) row += write_row(heads, grid, how, l, n, best.keys[i], out, row);
        }
        out.count.data[n] = int(row - start);
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
    const std::int64_t items = std::int64_t{images} * pieces_of(grid);
    const auto keys = scratch.take<Key>(items * 2 * how.top_k);
    const auto counts = scratch.take<int>(items);
    on_cpu_only<cpu::decode_boxes<T>>(stream, "decode_boxes", heads, grid, how, out, keys.data, counts.data);
}

template void decode_boxes(Stream, const HeadOutputs<float>&, const AnchorGrid&, Decode, Candidates, Arena&);
template void decode_boxes(Stream, const HeadOutputs<bf16>&, const AnchorGrid&, Decode, Candidates, Arena&);

}  // namespace star
