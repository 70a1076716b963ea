// The CUDA suppression against the plain quadratic loop, exactly: both criteria, groups, images, odd boxes; and many
// boxes, against the CPU. A GPU gets a hundred thousand, the emulator fewer.
#include <doctest/doctest.h>

#include "kernels/nms.h"
#include "tests/cuda_nms_cases.h"

using namespace star;
using namespace star::test;

[[gnu::weak]] int star::test::many_boxes() { return 100000; }  // emulated_nms.cpp has fewer

namespace {

void check(Stream stream, const std::vector<BoxSet>& images, Nms how) {
    const BoxBatch batch(images);
    KeptRows want{std::vector<int>(batch.boxes.size(), -1), {}};
    for (std::size_t n = 0; n < images.size(); ++n) {
        const auto kept = reference::nms(images[n].boxes, images[n].scores, images[n].groups, how);
        std::copy(kept.begin(), kept.end(), want.index.begin() + std::ptrdiff_t(n) * batch.shape.c);
        want.count.push_back(int(kept.size()));
    }
    CHECK(kept_on_gpu(stream, batch, how) == want);
}

}  // namespace

TEST_CASE("nms by IoU on a CUDA stream is the quadratic loop, exactly") {
    if (gpu_missing()) return;
    Queue q;
    for (const float threshold : {0.0f, 0.05f, 0.5f, 0.95f, 1.0f, 2.0f})
        for (const int groups : {0, 3}) {
            CAPTURE(threshold);
            const Nms how{Nms::By::iou, threshold};
            check(q.stream,
                  {random_boxes(300, 40, 4, 8, groups, 1),
                   random_boxes(1, 60, 4, 8, groups, 2),
                   {{}, {}, {}},
                   random_boxes(257, 20, 4, 8, groups, 3)},
                  how);
            check(q.stream, {random_boxes(255, 60, 0.01, 300, groups, 4)}, how);  // all sizes
            check(q.stream,
                  {random_boxes(100, 1e6, 1e-3, 1e7, groups, 5), random_boxes(100, 1e-7, 1e-9, 1e-6, groups, 6),
                   random_boxes(100, 1e15, 1e13, 1e15, groups, 7)},  // beyond the layers, both ways
                  how);
        }
}

TEST_CASE("nms by centre on a CUDA stream is the quadratic loop, exactly") {
    if (gpu_missing()) return;
    Queue q;
    for (const float threshold : {0.0f, 0.3f, 3.0f, 50.0f, 1e9f})
        for (const int groups : {0, 3})
            check(q.stream,
                  {random_boxes(400, 60, 4, 8, groups, 1), random_boxes(5, 60, 4, 8, groups, 2),
                   random_boxes(100, 1e6, 1e-3, 1e7, groups, 5)},
                  {Nms::By::centre, threshold});
    BoxSet raster;  // distances that equal the threshold exactly: such boxes stay
    for (int i = 0; i < 400; ++i) {
        const float x = float(i % 20) * 3, y = float(i / 20) * 3;
        raster.boxes.push_back({x - 1, y - 1, x + 1, y + 1}), raster.scores.push_back(float(i * 7 % 400));
    }
    check(q.stream, {raster}, {Nms::By::centre, 3});
    check(q.stream, {raster}, {Nms::By::centre, std::nextafter(3.0f, 4.0f)});
    CHECK(kept_on_gpu(q.stream, BoxBatch({raster}), {Nms::By::centre, 3}).count[0] == 400);
}

TEST_CASE("nms on a CUDA stream finds pairs that only just overlap enough") {
    if (gpu_missing()) return;
    Queue q;
    for (const double t : {0.02, 0.3, 0.9}) {
        BoxSet s;
        Random r(8, 8);
        for (int i = 0; i < 200; ++i) {  // apart; in each the IoU is t (1 +- 1e-7), where rounding decides
            const double x = 1000 * (i % 20) + r.uniform(), y = 1000 * (i / 20) + r.uniform();
            const double size = std::pow(2, r.uniform(2, 8)), iou = t * (1 + r.uniform(-1e-7, 1e-7));
            const double shift = size * (1 - iou) / (1 + iou), inner = size * iou;
            s.boxes.push_back({float(x), float(y), float(x + size), float(y + size)});
            s.boxes.push_back(i % 2 ? Box{float(x), float(y), float(x + inner), float(y + size)}
                                    : Box{float(x + shift), float(y), float(x + size + shift), float(y + size)});
            s.scores.push_back(float(r.uniform())), s.scores.push_back(float(r.uniform()));
        }
        check(q.stream, {s}, {Nms::By::iou, float(t)});
        const int count = kept_on_gpu(q.stream, BoxBatch({s}), {Nms::By::iou, float(t)}).count[0];
        CHECK((count > 220 && count < 380));  // there are pairs on either side
    }
}

TEST_CASE("nms on a CUDA stream: boxes that are empty, inverted, touching or enormous; rows that hold none") {
    if (gpu_missing()) return;
    Queue q;
    BoxSet s;
    for (int i = 0; i < 3; ++i)
        for (const Box b : {Box{0, 0, 0, 5}, Box{5, 5, 1, 9}, Box{9, 9, 1, 1}, Box{0, 0, 4, 4}, Box{4, 0, 8, 4},
                            Box{0, 0, 8, 4}, Box{-3e38f, -3e38f, 3e38f, 3e38f}, Box{-1e18f, -1e18f, 1e18f, 1e18f},
                            Box{1e30f, 0, 1.00001e30f, 4}, Box{0, 0, 1e-30f, 1e-30f}})
            s.boxes.push_back(b), s.scores.push_back(float(s.boxes.size() % 7));
    for (const float t : {0.0f, 0.5f})
        check(q.stream, {s}, {Nms::By::iou, t}), check(q.stream, {s}, {Nms::By::centre, t});
    BoxBatch odd({s, s});
    odd.count = {-5, 1 << 30};  // clamped to none and all
    const KeptRows got = kept_on_gpu(q.stream, odd, {}), all = kept_on_gpu(q.stream, BoxBatch({{{}, {}, {}}, s}), {});
    CHECK(got == all);
}

TEST_CASE("nms on a CUDA stream: a chain in order of score takes a round per box, and is exact") {
    if (gpu_missing()) return;
    Queue q;
    check(q.stream, {chain(700), chain(17)}, {Nms::By::iou, 0.2f});
    CHECK(kept_on_gpu(q.stream, BoxBatch({chain(700)}), {Nms::By::iou, 0.2f}).count[0] == 350);
}

TEST_CASE("nms on a CUDA stream: many boxes, random, identical, in clusters, of many sizes") {
    if (gpu_missing()) return;
    Queue q;
    const int count = many_boxes();
    const double field = 4000 * std::sqrt(count / 1e5);
    BoxSet clusters = random_boxes(count, field, 6, 12, 0, 4);  // a hundred boxes around each of count / 100 stars
    for (int i = 0; i < count; ++i) {
        Random r(5, std::uint64_t(i % (count / 100)));
        Random jitter(6, std::uint64_t(i));
        const float x = float(field * r.uniform() + jitter.normal()), y = float(field * r.uniform() + jitter.normal());
        clusters.boxes[std::size_t(i)] = {x, y, x + 8, y + 8};
    }
    const BoxSet sets[] = {random_boxes(count, field, 6, 12, 0, 1), random_boxes(count, field, 1, 100, 0, 2),
                           identical_boxes(count), clusters};
    for (const BoxSet& s : sets)
        for (const Nms how : {Nms{Nms::By::iou, 0.5f}, Nms{Nms::By::centre, 4}}) {
            const BoxBatch batch({s});
            CHECK(kept_on_gpu(q.stream, batch, how) == kept_on_cpu(batch, how));
        }
    CHECK(kept_on_gpu(q.stream, BoxBatch({sets[2]}), {}).count[0] == 1);
}
