// What decoding is made of on every device: an anchor's candidates with their scores, and the row of a candidate.
// Exponentials are the device's own, so scores and boxes of two devices agree within their rounding.
#pragma once
#include <bit>
#include <cmath>

#include "kernels/decode.h"

namespace star {

/// Candidates that an anchor can yield.
constexpr int per_anchor(Decode how) { return how.scoring == Scoring::each_class ? how.classes : 1; }

constexpr int level_anchors(const AnchorGrid& grid, int l) { return grid.level[l].h * grid.level[l].w * grid.per_cell; }

constexpr std::int64_t level_candidates(const AnchorGrid& grid, Decode how, int l) {
    return std::int64_t{level_anchors(grid, l)} * per_anchor(how);
}

constexpr float sigmoid(float z) { return 1 / (1 + expf(-z)); }
constexpr float softplus(float z) { return (z > 0 ? z : 0.0f) + log1pf(expf(-fabsf(z))); }

/// Logits of anchor `at` of level l of image n.
template <class T>
constexpr const T* logits_of(const HeadOutputs<T>& heads, const AnchorGrid& grid, Decode how, int l, std::int64_t n,
                             int at) {
    const Shape s = heads.logits[l].shape;
    const std::int64_t cell = n * s.h * s.w + at / grid.per_cell;
    return heads.logits[l].data + cell * s.c + at % grid.per_cell * how.classes;
}

/// Calls visit(score, k) for each class k whose score passes; a logit up to `hopeless` surely doesn't.
template <class T, class Visit>
constexpr void scan_each(const T* z, Decode how, float hopeless, Visit visit) {
    for (int k = 0; k < how.classes; ++k)
        if (const float v = widen(z[k]); v > hopeless)
            if (const float score = sigmoid(v); score > how.threshold) visit(score, k);
}

/// Calls visit(score, 0) if the anchor's score passes.
template <class T, class Visit>
constexpr void scan_any(const T* z, Decode how, float hopeless, Visit visit) {
    bool hope = false;
    for (int k = 0; k < how.classes; ++k) hope |= widen(z[k]) > hopeless;
    if (!hope) return;
    float sum = 0;  // -log of the product: no cancellation for small scores
    for (int k = 0; k < how.classes; ++k) sum += softplus(widen(z[k]));
    if (const float score = -expm1f(-sum); score > how.threshold) visit(score, 0);
}

/// A candidate: `index` is anchor * per_anchor + class, within the level.
struct Candidate {
    int image, level, index;
    float score;
};

constexpr float clip(float v, float most) { return v < 0 ? 0 : v > most ? most : v; }  // NaN stays NaN

/// Clipped to the image, which is finite: only NaN is not.
constexpr bool is_box(Box b) { return b.x0 == b.x0 && b.y0 == b.y0 && b.x1 == b.x1 && b.y1 == b.y1; }

template <class T>
constexpr Box box_of(const HeadOutputs<T>& heads, const AnchorGrid& grid, Decode how, Candidate c) {
    const AnchorLevel& level = grid.level[c.level];
    const int at = c.index / per_anchor(how), cell = at / grid.per_cell, a = at % grid.per_cell;
    const std::int64_t pixel = std::int64_t{c.image} * level.h * level.w + cell;
    const T* const d = heads.deltas[c.level].data + pixel * heads.deltas[c.level].shape.c + 4 * a;
    const Box raw = decode(Delta{widen(d[0]), widen(d[1]), widen(d[2]), widen(d[3])},
                           anchor_box(level, cell / level.w, cell % level.w, a));
    return {clip(raw.x0, how.width), clip(raw.y0, how.height), clip(raw.x1, how.width), clip(raw.y1, how.height)};
}

template <class T>
constexpr int likeliest(const T* z, int classes) {
    int best = 0;
    for (int k = 1; k < classes; ++k)
        if (widen(z[k]) > widen(z[best])) best = k;
    return best;
}

template <class T>
constexpr void write_row(const HeadOutputs<T>& heads, const AnchorGrid& grid, Decode how, Candidate c, Box box,
                         const Candidates& out, std::int64_t row) {
    const int at = c.index / per_anchor(how);
    const T* const z = logits_of(heads, grid, how, c.level, c.image, at);
    out.boxes.data[row] = box;
    out.scores.data[row] = c.score;
    out.labels.data[row] = how.scoring == Scoring::each_class ? c.index % how.classes : likeliest(z, how.classes);
    out.anchors.data[row] = grid.level[c.level].first + at;
    if (out.chances.data)
        for (int k = 0; k < how.classes; ++k) out.chances.data[row * how.classes + k] = sigmoid(widen(z[k]));
}

/// What decoding works on, on every device.
template <class T>
struct Decoding {
    HeadOutputs<T> heads;
    AnchorGrid grid;
    Decode how;
    float hopeless;  // a logit whose score surely isn't above the threshold
    Candidates out;
};

namespace cpu {
std::int64_t decode_workspace(Stream, int images, AnchorGrid, Decode);  // bytes
template <class T>
void decode_boxes(Stream, Decoding<T>, std::byte* workspace);
}  // namespace cpu
namespace cuda {
std::int64_t decode_workspace(Stream, int images, AnchorGrid, Decode);
template <class T>
void decode_boxes(Stream, Decoding<T>, std::byte* workspace);
}  // namespace cuda

}  // namespace star
