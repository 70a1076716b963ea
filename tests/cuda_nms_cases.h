// Boxes to suppress: cuda_nms.cpp compares with the quadratic loop or the CPU, emulated_nms.cpp runs all orders.
#pragma once
#include <algorithm>
#include <cmath>

#include "kernels/arena.h"
#include "tests/cuda_support.h"
#include "tests/reference/nms.h"

namespace star::test {

struct BoxSet {
    std::vector<Box> boxes;
    std::vector<float> scores;
    std::vector<int> groups;  // empty for none
    int size() const { return int(boxes.size()); }
};

/// Widths between `least` and `most`, logarithmically; scores on a raster, so that some are equal, 0 and -0 among them.
inline BoxSet random_boxes(int count, double field, double least, double most, int groups, std::uint64_t seed) {
    BoxSet s;
    Random r(seed, 3);
    for (int i = 0; i < count; ++i) {
        const double w = least * std::pow(most / least, r.uniform()), h = w * std::exp(r.normal() * 0.3);
        const double x = r.uniform(-field / 4, field), y = r.uniform(-field / 4, field);
        s.boxes.push_back({float(x), float(y), float(x + w), float(y + h)});
        s.scores.push_back(float(r.below(201) - 100) / 100 * (r.below(2) ? 1.0f : -1.0f));
        if (groups) s.groups.push_back(r.below(groups) - 1);
    }
    return s;
}

/// Boxes of which each overlaps the one before and the one behind, in order of score: every second is kept, and
/// nothing is decided before its predecessor is.
inline BoxSet chain(int count) {
    BoxSet s;
    for (int i = 0; i < count; ++i) {
        const float x = 2 * float(i % 1000), y = 8 * float(i / 1000);
        s.boxes.push_back({x, y, x + 4, y + 4}), s.scores.push_back(-float(i));
    }
    return s;
}

inline BoxSet identical_boxes(int count) {
    BoxSet s = random_boxes(count, 100, 6, 12, 0, 1);
    for (Box& b : s.boxes) b = {10, 10, 20, 20};
    return s;
}

int many_boxes();  ///< as many as the device can do in a second or so

struct KeptRows {
    std::vector<int> index, count;  // rows behind an image's count are as they were: -1
    bool operator==(const KeptRows&) const = default;
};

/// The sets as images with equal room.
struct BoxBatch {
    Shape shape;
    std::vector<Box> boxes;
    std::vector<float> scores;
    std::vector<int> groups, count;
    explicit BoxBatch(const std::vector<BoxSet>& images) {
        int rows = 1;
        for (const BoxSet& s : images) rows = std::max(rows, s.size());
        shape = {int(images.size()), 1, 1, rows};
        boxes.assign(std::size_t(shape.size()), Box{NAN, NAN, NAN, NAN});
        scores.assign(boxes.size(), NAN);
        if (!images[0].groups.empty()) groups.assign(boxes.size(), 0);
        for (std::size_t n = 0; n < images.size(); ++n) {
            const auto at = std::ptrdiff_t(n) * rows;
            count.push_back(images[n].size());
            std::copy(images[n].boxes.begin(), images[n].boxes.end(), boxes.begin() + at);
            std::copy(images[n].scores.begin(), images[n].scores.end(), scores.begin() + at);
            if (!groups.empty()) std::copy(images[n].groups.begin(), images[n].groups.end(), groups.begin() + at);
        }
    }
};

inline KeptRows kept_on_gpu(Stream stream, const BoxBatch& b, Nms how) {
    const Buffer<Box> boxes = upload(stream, b.boxes);
    const Buffer<float> scores = upload(stream, b.scores);
    const Buffer<int> groups = upload(stream, b.groups), count = upload(stream, b.count);
    const Output<int> kept(stream, b.shape), kept_count(stream, b.shape.n);
    const auto run = [&](Stream s, Arena& arena) {
        nms(s, boxes.view(b.shape), scores.view(b.shape),
            b.groups.empty() ? View<const int>{} : read_only(groups.view(b.shape)), count.view({1, 1, 1, b.shape.n}),
            how, {kept.data(), b.shape}, {kept_count.data(), {1, 1, 1, b.shape.n}}, arena);
    };
    Arena measured = Arena::measuring();
    run(dry(stream), measured);
    Arena scratch(gpu, measured.peak());
    run(stream, scratch);
    synchronize(stream);
    require(kept.intact() && kept_count.intact(), "nms wrote outside its outputs");
    require(same_bits(download<Box>(stream, boxes.data(), boxes.size()), b.boxes) &&
                same_bits(download<float>(stream, scores.data(), scores.size()), b.scores),
            "nms changed its inputs");
    return {kept.values(), kept_count.values()};
}

inline KeptRows kept_on_cpu(const BoxBatch& b, Nms how) {
    ThreadPool pool(2);
    const Stream stream{Device{}, &pool, nullptr, false};
    KeptRows r{std::vector<int>(b.boxes.size(), -1), std::vector<int>(b.count.size())};
    const auto run = [&](Stream s, Arena& arena) {
        nms(s, {b.boxes.data(), b.shape}, {b.scores.data(), b.shape},
            b.groups.empty() ? View<const int>{} : View<const int>{b.groups.data(), b.shape},
            {b.count.data(), {1, 1, 1, b.shape.n}}, how, {r.index.data(), b.shape},
            {r.count.data(), {1, 1, 1, b.shape.n}}, arena);
    };
    Arena measured = Arena::measuring();
    run(dry(stream), measured);
    Arena scratch({}, measured.peak());
    run(stream, scratch);
    return r;
}

}  // namespace star::test
