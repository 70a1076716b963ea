// Scenes to match: cuda_match.cpp compares them with brute force, emulated_match.cpp runs them in all orders.
#pragma once
#include "kernels/arena.h"
#include "kernels/match.h"
#include "tests/cuda_support.h"
#include "tests/reference/match.h"

namespace star::test {

struct MatchScene {
    AnchorGrid grid = reference::small_grid();
    std::vector<Box> boxes;
    std::vector<std::int8_t> labels;
    std::vector<int> first{0};
    int images() const { return int(first.size()) - 1; }
};

/// Units on a quarter-pixel raster, so that IoUs are often equal; one box in eight is an ignored region, some have no
/// width. The second image is empty. Behind the last image's units there is room with boxes that nobody may read.
inline MatchScene match_scene(int images, int units, std::uint64_t seed) {
    MatchScene s;
    Random r(seed, 1);
    for (int n = 0; n < images; ++n) {
        for (int u = 0; n != 1 && u < units; ++u) {
            const float x = float(r.below(400) - 40) / 4, y = float(r.below(320) - 20) / 4;
            const float w = float(1 + r.below(80)) / 4, h = float(1 + r.below(80)) / 4;
            s.boxes.push_back(r.below(16) ? Box{x, y, x + w, y + h} : Box{x, y, x, y + h});
            s.labels.push_back(r.below(8) ? std::int8_t(r.below(5)) : label_ignored);
            if (r.below(5) == 0) s.boxes.push_back(s.boxes.back()), s.labels.push_back(std::int8_t(r.below(5)));
        }
        s.first.push_back(int(s.boxes.size()));
    }
    for (int i = 0; i < 7; ++i) s.boxes.push_back({0, 0, 20, 20}), s.labels.push_back(1);
    return s;
}

struct Matched {
    std::vector<int> match, positives;
    std::vector<std::int8_t> labels;
    bool operator==(const Matched&) const = default;
};

/// The public operation's result on the device.
inline Matched match_on_gpu(Stream stream, const MatchScene& s, Matching how) {
    const int units = int(s.boxes.size()), images = s.images();
    const Buffer<Box> boxes = upload(stream, s.boxes);
    const Buffer<std::int8_t> truth = upload(stream, s.labels);
    const Buffer<int> first = upload(stream, s.first);
    const Shape shape{images, 1, 1, s.grid.total};
    const Output<int> match(stream, shape), positives(stream, images);
    const Output<std::int8_t> labels(stream, shape);
    const auto run = [&](Stream q, Arena& arena) {
        match_anchors(q, s.grid,
                      {boxes.view({1, 1, 1, units}), truth.view({1, 1, 1, units}), first.view({1, 1, 1, images + 1})},
                      how, {match.data(), shape}, {labels.data(), shape}, {positives.data(), {1, 1, 1, images}}, arena);
    };
    Arena measured = Arena::measuring();
    run(dry(stream), measured);
    Arena scratch(gpu, measured.peak());
    run(stream, scratch);
    synchronize(stream);
    require(match.intact() && positives.intact() && labels.intact(), "match_anchors wrote outside its outputs");
    if (units > 0)
        require(same_bits(download<Box>(stream, boxes.data(), units), s.boxes) &&
                    same_bits(download<std::int8_t>(stream, truth.data(), units), s.labels),
                "match_anchors changed its inputs");
    return {match.values(), positives.values(), labels.values()};
}

}  // namespace star::test
