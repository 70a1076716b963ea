// What a detector does beside its convolutions, at the sizes that count: the sky's mesh, decoding with the best k, and
// suppression. Each is checked against its definition before it is timed.
#pragma once
#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernels/background.h"
#include "kernels/decode.h"
#include "kernels/elementwise.h"
#include "kernels/nms.h"
#include "kernels/random.h"

namespace star::bench {

struct Task {
    std::string name, shape;
    double bytes = 0;             ///< that must be moved at least
    std::function<void()> queue;  ///< on the stream
    std::function<void()> check;  ///< throws Error if what was queued last is wrong; waits
};

template <class T>
Buffer<T> on_device(Stream stream, const std::vector<T>& v) {
    Buffer<T> b(stream.device, std::int64_t(v.size()));
    copy_to_device(stream, b.data(), v.data(), v.size() * sizeof(T));
    synchronize(stream);
    return b;
}

template <class T>
std::vector<T> on_host(Stream stream, const Buffer<T>& b) {
    std::vector<T> v(static_cast<std::size_t>(b.size()));
    copy_to_host(stream, v.data(), b.data(), v.size() * sizeof(T));
    synchronize(stream);
    return v;
}

/// An arena as large as queue(stream, arena) wants.
template <class F>
Arena arena_for(Stream stream, F queue) {
    Arena measure = Arena::measuring();
    queue(dry(stream), measure);
    return Arena(stream.device, measure.peak());
}

/// The definition of suppression, box by box, with the kept ones in cells as wide as a box.
inline std::vector<int> greedily_kept(const std::vector<Box>& boxes, const std::vector<float>& scores,
                                      float threshold) {
    std::vector<int> order(boxes.size()), kept;
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](int a, int b) { return scores[std::size_t(a)] > scores[std::size_t(b)]; });
    const float width = boxes[0].width();
    const auto cell = [&](float x, float y) {
        return std::int64_t(std::floor(x / width)) << 32 ^ std::int64_t(std::floor(y / width));
    };
    std::unordered_map<std::int64_t, std::vector<int>> cells;
    for (int i : order) {
        const Box b = boxes[std::size_t(i)];
        bool falls = false;
        for (int dy = -1; dy <= 1; ++dy)
            for (int dx = -1; dx <= 1; ++dx)
                if (const auto at = cells.find(cell(b.x() + float(dx) * width, b.y() + float(dy) * width));
                    at != cells.end())
                    for (int other : at->second) falls |= iou(boxes[std::size_t(other)], b) > threshold;
        if (falls) continue;
        kept.push_back(i);
        cells[cell(b.x(), b.y())].push_back(i);
    }
    return kept;
}

/// Boxes of 8 px, all in one place or anywhere in a field in which each overlaps a few others.
inline Task suppression(Stream stream, int count, bool identical) {
    struct State {
        std::vector<Box> boxes;
        std::vector<float> scores;
        Buffer<Box> b;
        Buffer<float> s;
        Buffer<int> total, kept, kept_count;
        Arena scratch = Arena::measuring();
    };
    auto at = std::make_shared<State>();
    Random random(11, 0);
    const double side = identical ? 0 : 8 * std::sqrt(double(count));
    for (int i = 0; i < count; ++i) {
        const auto x = float(side * random.uniform()), y = float(side * random.uniform());
        at->boxes.push_back({x, y, x + 8, y + 8});
        at->scores.push_back(float(random.uniform()));
    }
    at->b = on_device(stream, at->boxes), at->s = on_device(stream, at->scores);
    at->total = on_device(stream, std::vector<int>{count});
    at->kept = {stream.device, count}, at->kept_count = {stream.device, 1};
    const Shape rows{1, 1, 1, count}, one{1, 1, 1, 1};
    constexpr float threshold = 0.3f;
    const auto queue = [=](Stream s, Arena& scratch) {
        nms(s, at->b.view(rows), at->s.view(rows), {nullptr, {0, 0, 0, 0}}, at->total.view(one),
            {Nms::By::iou, threshold}, at->kept.view(rows), at->kept_count.view(one), scratch);
    };
    at->scratch = arena_for(stream, queue);
    const auto check = [=] {
        std::vector<int> kept = on_host(stream, at->kept);
        kept.resize(std::size_t(on_host(stream, at->kept_count)[0]));
        require(kept == greedily_kept(at->boxes, at->scores, threshold), "nms of ", count, " boxes is wrong");
    };
    return {identical ? "nms identical" : "nms", std::to_string(count) + " boxes", 20.0 * count,
            [=] { queue(stream, at->scratch); }, check};
}

/// The heads' outputs of square images: levels of strides 8 to 128, 9 anchors, 5 classes, the best 1000 of each.
inline Task decoding(Stream stream, int images, int side_px) {
    struct State {
        AnchorGrid grid;
        std::vector<std::vector<float>> host;
        std::vector<Buffer<float>> logits, deltas;
        HeadOutputs<float> heads;
        Buffer<Box> boxes;
        Buffer<float> scores;
        Buffer<int> labels, anchors, count;
        Arena scratch = Arena::measuring();
    };
    auto at = std::make_shared<State>();
    Decode how;
    how.width = how.height = float(side_px);
    double bytes = 0;
    AnchorGrid& g = at->grid;
    g.levels = 5, g.per_cell = 9;
    for (int l = 0; l < g.levels; ++l) {
        const int stride = 8 << l, side = ceil_div(side_px, stride);
        AnchorLevel& level = g.level[l];
        level.h = level.w = side, level.first = g.total;
        level.stride_y = level.stride_x = float(stride);
        for (int a = 0; a < 9; ++a)
            level.cell[a] = {-2.0f * float(stride), -2.0f * float(stride), 2.0f * float(stride), 2.0f * float(stride)};
        g.total += side * side * 9;
        Random random(13, std::uint64_t(l));
        std::vector<float> z(std::size_t(images) * std::size_t(side * side * 48)),
            d(std::size_t(images) * std::size_t(side * side * 40));
        for (float& v : z) v = float(-4 + 1.5 * random.normal());
        for (float& v : d) v = float(0.3 * random.normal());
        at->logits.push_back(on_device(stream, z)), at->deltas.push_back(on_device(stream, d));
        at->heads.logits[l] = at->logits.back().view({images, side, side, 48});
        at->heads.deltas[l] = at->deltas.back().view({images, side, side, 40});
        bytes += 4.0 * double(z.size());
        at->host.push_back(std::move(z));
    }
    const int capacity = g.levels * how.top_k;
    const std::int64_t rows = std::int64_t{images} * capacity;
    at->boxes = {stream.device, rows}, at->scores = {stream.device, rows}, at->labels = {stream.device, rows};
    at->anchors = {stream.device, rows}, at->count = {stream.device, images};
    const auto queue = [=](Stream s, Arena& scratch) {
        const Shape shape{images, 1, 1, capacity};
        decode_boxes<float>(s, at->heads, at->grid, how,
                            {at->boxes.view(shape),
                             at->scores.view(shape),
                             at->labels.view(shape),
                             at->anchors.view(shape),
                             {nullptr, {0, 0, 0, 0}},
                             at->count.view({1, 1, 1, images})},
                            scratch);
    };
    at->scratch = arena_for(stream, queue);
    const auto check = [=] {  // the first image's best of the finest level, by their scores
        const std::vector<float> scores = on_host(stream, at->scores);
        std::vector<double> all;
        const int cells = at->grid.level[0].h * at->grid.level[0].w;
        for (int i = 0; i < cells; ++i)
            for (int k = 0; k < 45; ++k) {
                const double p = 1 / (1 + std::exp(-double(at->host[0][std::size_t(i * 48 + k)])));
                if (p > double(how.threshold)) all.push_back(p);
            }
        std::sort(all.rbegin(), all.rend());
        require(all.size() > std::size_t(how.top_k), "decode: too few candidates to time");
        for (int i = 0; i < how.top_k; ++i)  // an exponential, a sum and a quotient, in float
            require(std::fabs(double(scores[std::size_t(i)]) - all[std::size_t(i)]) <= 8 * 0x1p-24, "decode of row ", i,
                    " is wrong");
    };
    return {"decode + top-k",
            std::to_string(images) + "x" + std::to_string(side_px) + "x" + std::to_string(side_px) + " px, k 1000",
            bytes, [=] { queue(stream, at->scratch); }, check};
}

/// White noise: the mesh of a square image, and its map.
inline Task sky_mesh(Stream stream, int side) {
    struct State {
        Buffer<float> image, level, rms;
        Arena scratch = Arena::measuring();
    };
    auto at = std::make_shared<State>();
    const Shape shape{1, side, side, 1};
    std::vector<float> v(std::size_t(shape.size()));
    Random random(17, 0);
    for (float& x : v) x = float(100 + 5 * random.normal());
    at->image = on_device(stream, v);
    const Mesh how{};
    const Shape cells{1, mesh_cells(side, how.size), mesh_cells(side, how.size), 1};
    at->level = {stream.device, cells.size()}, at->rms = {stream.device, cells.size()};
    const auto queue = [=](Stream s, Arena& scratch) {
        background_mesh(s, at->image.view(shape), {nullptr, {0, 0, 0, 0}}, how, at->level.view(cells),
                        at->rms.view(cells), scratch);
    };
    at->scratch = arena_for(stream, queue);
    const auto check =
        [=] {  // a cell's mode errs by 2.14 sigma / size (nn_sky.cpp), clipping takes 1.3 to 2 % of sigma
            for (float level : on_host(stream, at->level))
                require(std::fabs(level - 100) < 6 * 2.14 * 5 / double(how.size), "the mesh's level is wrong: ", level);
            for (float rms : on_host(stream, at->rms))
                require(std::fabs(rms / 5 - 0.985) < 0.005 + 6 / std::sqrt(2.0) / double(how.size),
                        "the mesh's rms is wrong: ", rms);
        };
    return {"sky mesh", std::to_string(side) + "x" + std::to_string(side) + " px", 4.0 * double(shape.size()),
            [=] { queue(stream, at->scratch); }, check};
}

/// The tasks by name, made only when they are wanted: their inputs are large.
inline std::vector<std::pair<std::string, std::function<Task()>>> detection_tasks(Stream stream) {
    return {{"sky mesh", [=] { return sky_mesh(stream, 4096); }},
            {"decode + top-k", [=] { return decoding(stream, 1, 800); }},
            {"nms", [=] { return suppression(stream, 100'000, false); }},
            {"nms identical", [=] { return suppression(stream, 100'000, true); }}};
}

/// A copy from memory to memory, too large for a cache: what those rows are compared with.
class Copy {
public:
    explicit Copy(Stream stream) : stream_(stream), from_(stream.device, size), to_(stream.device, size) {
        fill_zero(stream, from_.data(), size * sizeof(float));
    }
    double bytes() const { return 2.0 * size * sizeof(float); }
    void run() {
        const Shape shape{1, 1, 1, size};
        convert<float, float>(stream_, from_.view(shape), to_.view(shape));
        synchronize(stream_);
    }

private:
    static constexpr int size = 1 << 25;
    Stream stream_;
    Buffer<float> from_, to_;
};

}  // namespace star::bench
