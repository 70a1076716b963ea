// The CUDA matching against brute force over all pairs, exactly: emulated, and on a GPU.
#include <doctest/doctest.h>

#include "tests/cuda_match_cases.h"

using namespace star;
using namespace star::test;

namespace {

void check(Stream stream, const MatchScene& s, Matching how) {
    const Matched got = match_on_gpu(stream, s, how);
    for (int n = 0; n < s.images(); ++n) {
        const auto want =
            reference::match(s.grid, s.boxes, s.labels, s.first[std::size_t(n)], s.first[std::size_t(n) + 1], how);
        int wrong = 0, positives = 0;
        for (int i = 0; i < s.grid.total; ++i) {
            const int m = want[std::size_t(i)];
            const std::size_t at = std::size_t(n) * std::size_t(s.grid.total) + std::size_t(i);
            wrong += got.match[at] != m;
            wrong += got.labels[at] != (m >= 0 ? s.labels[std::size_t(m)] : m == -1 ? label_background : label_ignored);
            positives += m >= 0;
        }
        CHECK(wrong == 0);
        CHECK(got.positives[std::size_t(n)] == positives);
    }
}

MatchScene one_image(std::vector<Box> boxes, std::vector<std::int8_t> labels) {
    MatchScene s;
    s.first.push_back(int(boxes.size()));
    s.boxes = std::move(boxes), s.labels = std::move(labels);
    return s;
}

}  // namespace

TEST_CASE("match_anchors on a CUDA stream is brute force, exactly") {
    if (gpu_missing()) return;
    Queue q;
    for (const int units : {1, 3, 4, 5, 31, 33, 60})
        for (const Matching how :
             {Matching{}, Matching{0.5f, 0.5f, true}, Matching{0.3f, 0.1f, false}, Matching{2, 0.2f, true}}) {
            CAPTURE(units);
            check(q.stream, match_scene(3, units, std::uint64_t(units)), how);
        }
}

TEST_CASE("match_anchors on a CUDA stream: strides and anchors of any fraction") {
    if (gpu_missing()) return;
    Queue q;
    MatchScene s = match_scene(2, 40, 8);
    for (int l = 0; l < s.grid.levels; ++l) {  // products and sums that round, where a fused one would differ
        AnchorLevel& level = s.grid.level[l];
        level.stride_x *= 1.0123456f, level.stride_y *= 0.9876543f;
        for (Box& b : level.cell) b = {b.x0 * 1.1f, b.y0 * 0.7f, b.x1 * 1.3f, b.y1 * 0.9f};
    }
    for (const float t : {0.1f, 0.2f, 0.3f, 0.4f, 0.5f}) check(q.stream, s, {t, t, t < 0.3f});
    for (Box& b : s.boxes) b = {b.x0 * 1.01f, b.y0 * 0.77f, b.x1 * 1.03f, b.y1 * 0.79f};
    for (const float t : {0.1f, 0.2f, 0.3f, 0.4f, 0.5f}) check(q.stream, s, {t, t, t < 0.3f});
}

TEST_CASE("match_anchors on a CUDA stream: best anchors of several units, nothing, regions, odd boxes") {
    if (gpu_missing()) return;
    Queue q;
    const Box a = anchor_box(reference::small_grid(), 0);
    const auto shifted = [&](float by) { return Box{a.x0 - by, a.y0, a.x1 - by, a.y1}; };
    const MatchScene several = one_image({shifted(3), shifted(2), shifted(2), shifted(2.5f)}, {0, 1, 2, 3});
    check(q.stream, several, {0.9f, 0.8f, true});
    CHECK(match_on_gpu(q.stream, several, {0.9f, 0.8f, true}).match[0] == 1);
    check(q.stream, one_image({}, {}), {});
    check(q.stream, one_image({{10, 10, 20, 20}}, {label_ignored}), {});
    check(q.stream, one_image({{0, 0, 1e30f, 1e30f}}, {label_ignored}), {});
    check(q.stream, one_image({{0, 0, 1e30f, 1e30f}, {-INFINITY, 0, INFINITY, 30}, {5, 5, 1, 9}}, {1, 2, 3}), {});
    check(q.stream, one_image({{NAN, 0, 5, 5}, {0, 0, 5, 5}, {0, NAN, 90, 90}}, {1, 2, label_ignored}), {});
    MatchScene late = match_scene(1, 20, 3);  // units before the first image's belong to none
    late.first[0] = 6;
    check(q.stream, late, {});
}
