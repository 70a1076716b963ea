// Heads' outputs to decode: cuda_decode.cpp compares rows with the definition, emulated_decode.cpp with the CPU's.
#pragma once
#include "kernels/arena.h"
#include "kernels/decode.h"
#include "tests/cuda_support.h"
#include "tests/reference/match.h"

namespace star::test {

template <class T>
struct DecodeCase {
    AnchorGrid grid = reference::small_grid();
    int images = 2;
    Decode how;
    std::vector<std::vector<T>> logits, deltas;  // of each level

    DecodeCase(AnchorGrid g, int images, Decode how, double sigma = 2, double mean = -1)
        : grid(g), images(images), how(how) {
        Random r(7, 3);
        for (int l = 0; l < grid.levels; ++l) {
            logits.emplace_back(std::size_t(logits_shape(l).size()));
            deltas.emplace_back(std::size_t(deltas_shape(l).size()));
            for (auto& v : logits.back()) v = narrow<T>(float(mean + sigma * r.normal()));
            for (auto& v : deltas.back()) v = narrow<T>(float(0.7 * r.normal()));
        }
    }
    Shape logits_shape(int l) const {
        return {images, grid.level[l].h, grid.level[l].w, padded_channels(grid.per_cell * how.classes)};
    }
    Shape deltas_shape(int l) const {
        return {images, grid.level[l].h, grid.level[l].w, padded_channels(4 * grid.per_cell)};
    }
    int capacity() const { return grid.levels * how.top_k; }
};

/// Rows of all images; those behind an image's count are as they were: bytes 0xff.
struct DecodedRows {
    std::vector<Box> boxes;
    std::vector<float> scores, chances;
    std::vector<int> labels, anchors, count;
    bool operator==(const DecodedRows& o) const {
        return same_bits(boxes, o.boxes) && same_bits(scores, o.scores) && same_bits(chances, o.chances) &&
               labels == o.labels && anchors == o.anchors && count == o.count;
    }
};

/// The public operation's result on the device.
template <class T>
DecodedRows decode_on_gpu(Stream stream, const DecodeCase<T>& c) {
    const Shape rows{c.images, 1, 1, c.capacity()}, chance{c.images, 1, c.capacity(), c.how.classes};
    const Output<Box> boxes(stream, rows);
    const Output<float> scores(stream, rows), chances(stream, chance);
    const Output<int> labels(stream, rows), anchors(stream, rows), count(stream, c.images);
    std::vector<Buffer<T>> logits, deltas;
    HeadOutputs<T> heads;
    for (int l = 0; l < c.grid.levels; ++l) {
        logits.push_back(upload(stream, c.logits[std::size_t(l)]));
        deltas.push_back(upload(stream, c.deltas[std::size_t(l)]));
        heads.logits[l] = logits.back().view(c.logits_shape(l));
        heads.deltas[l] = deltas.back().view(c.deltas_shape(l));
    }
    const Candidates out{{boxes.data(), rows},   {scores.data(), rows},    {labels.data(), rows},
                         {anchors.data(), rows}, {chances.data(), chance}, {count.data(), {1, 1, 1, c.images}}};
    Arena measured = Arena::measuring();
    decode_boxes<T>(dry(stream), heads, c.grid, c.how, out, measured);
    Arena scratch(gpu, measured.peak());
    decode_boxes<T>(stream, heads, c.grid, c.how, out, scratch);
    synchronize(stream);
    require(
        boxes.intact() && scores.intact() && labels.intact() && anchors.intact() && chances.intact() && count.intact(),
        "decode_boxes wrote outside its outputs");
    for (std::size_t l = 0; l < logits.size(); ++l)
        require(same_bits(download<T>(stream, logits[l].data(), logits[l].size()), c.logits[l]) &&
                    same_bits(download<T>(stream, deltas[l].data(), deltas[l].size()), c.deltas[l]),
                "decode_boxes changed its inputs");
    return {boxes.values(), scores.values(), chances.values(), labels.values(), anchors.values(), count.values()};
}

/// One level that takes several tiles of anchors, and a few cells of another.
inline AnchorGrid tall_grid() {
    AnchorGrid g{2, 2, 0, {}};
    g.level[0] = {29, 37, 4, 4, 0, {{-4, -4, 4, 4}, {-8, -8, 8, 8}}};
    g.level[1] = {1, 3, 40, 40, 29 * 37 * 2, {{-20, -20, 20, 20}, {-40, -40, 40, 40}}};
    g.total = 29 * 37 * 2 + 6;
    return g;
}

}  // namespace star::test
