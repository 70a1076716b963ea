// The operations beside the convolutions, to be counted by the emulator: what each moves through global memory against
// the least, every input read once and every output written once. Printed by bench_kernels_emulated, held by a test.
#pragma once
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/detection.h"
#include "kernels/adam.h"
#include "kernels/batch_norm.h"
#include "kernels/box_loss.h"
#include "kernels/focal.h"
#include "kernels/match.h"
#include "kernels/max_pool.h"
#include "kernels/noise.h"
#include "kernels/normalise.h"
#include "kernels/orient.h"
#include "kernels/resize.h"
#include "kernels/simt.h"
#include "kernels/stamps.h"
#include "kernels/upsample_add.h"

namespace star::bench {

struct TrafficTask {
    std::string name, shape;
    double least;  ///< bytes: all inputs once, all outputs once
    std::function<void(Stream, Arena& scratch)> queue;
};

/// Numbers on the emulated device, whose memory is the host's.
template <class T>
Buffer<T> numbers(std::int64_t count, std::uint64_t seed = 1) {
    Buffer<T> b({Device::Kind::cuda, 0}, count);
    Random random(seed, 0);
    for (std::int64_t i = 0; i < count; ++i) {
        if constexpr (std::is_integral_v<T>)
            b.data()[i] = T(random.below(5));
        else if constexpr (std::is_same_v<T, float> || std::is_same_v<T, bf16>)
            b.data()[i] = narrow<T>(float(random.uniform(0.1, 1)));
        else
            b.data()[i] = T{};
    }
    return b;
}

/// Arrays that live as long as the tasks that use them.
class Arrays {
public:
    template <class T>
    View<T> make(Shape s) {  // of numbers, or of empty structs
        auto b = std::make_shared<Buffer<T>>(numbers<T>(s.size(), ++made_));
        kept_.push_back(b);
        return b->view(s);
    }
    template <class T>
    T* make(std::int64_t count) {
        return make<T>(Shape{1, 1, 1, int(count)}).data;
    }

private:
    std::uint64_t made_ = 0;
    std::vector<std::shared_ptr<void>> kept_;
};

inline std::string words(Shape s) {
    return std::to_string(s.n) + 'x' + std::to_string(s.h) + 'x' + std::to_string(s.w) + 'x' + std::to_string(s.c);
}

/// Anchors of two levels over `side` px, as the native network has them.
inline AnchorGrid two_levels(int side, int per_cell) {
    AnchorGrid g;
    g.levels = 2, g.per_cell = per_cell;
    for (int l = 0; l < 2; ++l) {
        AnchorLevel& level = g.level[l];
        const int stride = 2 << l;
        level.h = level.w = side / stride, level.first = g.total;
        level.stride_x = level.stride_y = float(stride);
        for (int a = 0; a < per_cell; ++a) {
            const float half = float(stride) * float(1 + a);
            level.cell[a] = {-half, -half, half, half};
        }
        g.total += level.h * level.w * per_cell;
    }
    return g;
}

inline void network_tasks(Arrays& a, std::vector<TrafficTask>& tasks) {
    const Shape s{2, 24, 24, 64}, half{2, 12, 12, 64};
    const double x = 2.0 * double(s.size()), h = 2.0 * double(half.size());
    const View<bf16> u = a.make<bf16>(s), v = a.make<bf16>(s), y = a.make<bf16>(s), z = a.make<bf16>(s);
    const View<bf16> small = a.make<bf16>(half);
    const View<float> wide = a.make<float>(s);
    const auto from = a.make<std::uint8_t>(half);
    const auto add_task = [&](const char* name, double least, auto queue) {
        tasks.push_back({name, words(s), least, queue});
    };
    add_task("add + ReLU", 3 * x, [=](Stream q, Arena&) { add<bf16>(q, u, v, true, y); });
    add_task("ReLU", 2 * x, [=](Stream q, Arena&) { relu_forward<bf16>(q, u, y); });
    add_task("ReLU backward", 3 * x, [=](Stream q, Arena&) { relu_backward<bf16>(q, u, v, y); });
    add_task("float to bf16", 3 * x, [=](Stream q, Arena&) { convert<float, bf16>(q, wide, y); });
    add_task("max pool", x + 1.5 * h, [=](Stream q, Arena&) { max_pool_forward<bf16>(q, u, {}, small, from); });
    add_task("max pool backward", x + 1.5 * h,
             [=](Stream q, Arena&) { max_pool_backward<bf16>(q, small, from, {}, y); });
    add_task("upsample + add", h + 2 * x, [=](Stream q, Arena&) { upsample_add<bf16>(q, small, u, y); });
    add_task("upsample backward", h + x, [=](Stream q, Arena&) { upsample_add_backward<bf16>(q, u, small); });

    float* const c[6] = {a.make<float>(64), a.make<float>(64), a.make<float>(64),
                         a.make<float>(64), a.make<float>(64), a.make<float>(64)};
    const BatchNormParams p{c[0], c[1], c[2], c[3]};
    const View<float> saved = a.make<float>(Shape{2, 1, 1, 64});
    const View<bf16> none{nullptr, {0, 0, 0, 0}};
    add_task("batch norm", 2 * x, [=](Stream q, Arena& scratch) {
        batch_norm_forward<bf16>(q, u, p, {.relu = true}, none, y, saved, scratch);
    });
    add_task("batch norm backward", 4 * x, [=](Stream q, Arena& scratch) {
        batch_norm_backward<bf16>(q, u, v, z, saved, c[0], {.relu = true}, y, none, c[4], c[5], scratch);
    });

    const Shape filter{64, 3, 3, 64};
    const View<float> weights = a.make<float>(filter);
    const View<bf16> folded = a.make<bf16>(filter);
    tasks.push_back({"batch norm, folded", words(filter), 6.0 * double(filter.size()),
                     [=](Stream q, Arena&) { batch_norm_fold<bf16>(q, weights, p, 1e-5f, folded, c[5]); }});

    const std::int64_t count = 1 << 16;
    const Shape flat{1, 1, 1, int(count)};
    const View<float> g = a.make<float>(flat), w = a.make<float>(flat), m = a.make<float>(flat),
                      m2 = a.make<float>(flat), mean = a.make<float>(flat);
    const View<bf16> rounded = a.make<bf16>(flat);
    float* const norm = a.make<float>(1);
    const auto step = std::make_shared<Buffer<AdamStep>>(Device{Device::Kind::cuda, 0}, 1);
    *step->data() = AdamStep{};
    tasks.push_back({"gradient norm", words(flat), 4.0 * double(count),
                     [=](Stream q, Arena& scratch) { gradient_norm(q, g, norm, scratch); }});
    tasks.push_back({"Adam", words(flat), 38.0 * double(count),
                     [=](Stream q, Arena&) { adam_step(q, g, norm, step->data(), count, w, m, m2, mean, rounded); }});
}

inline void loss_tasks(Arrays& a, std::vector<TrafficTask>& tasks) {
    constexpr int images = 2, side = 64, per_cell = 1, units = 60, one_in = 7;
    const AnchorGrid grid = two_levels(side, per_cell);
    const Shape anchors{images, 1, 1, grid.total}, level{images, side / 2, side / 2, 8}, all{1, 1, 1, images * units};
    const double cells = double(level.size()) / level.c, x = 2.0 * double(level.size());
    const View<Box> truth = a.make<Box>(all);
    Random random(5, 0);
    for (std::int64_t u = 0; u < truth.size(); ++u) {
        const auto at_x = float(random.uniform(0, side)), at_y = float(random.uniform(0, side));
        truth.data[u] = {at_x - 3, at_y - 3, at_x + 3, at_y + 3};
    }
    const View<std::int8_t> classes = a.make<std::int8_t>(all), found = a.make<std::int8_t>(anchors);
    const View<int> first = a.make<int>(Shape{1, 1, 1, images + 1}), matched = a.make<int>(anchors),
                    counted = a.make<int>(Shape{1, 1, 1, images});
    for (int n = 0; n <= images; ++n) first.data[n] = n * units;
    tasks.push_back(
        {"anchor matching",
         std::to_string(images) + "x" + std::to_string(grid.total) + " anchors, " + std::to_string(units) + " units",
         5.0 * double(anchors.size()) + 17.0 * images * units, [=](Stream q, Arena& scratch) {
             match_anchors(q, grid, {truth, classes, first}, {}, matched, found, counted, scratch);
         }});

    // Labels of their own, one anchor in seven a unit's.
    const View<bf16> logits = a.make<bf16>(level), dlogits = a.make<bf16>(level);
    const View<std::int8_t> labels = a.make<std::int8_t>(anchors);
    const View<int> match = a.make<int>(anchors), positives = a.make<int>(Shape{1, 1, 1, images});
    for (std::int64_t i = 0; i < match.size(); ++i) {
        match.data[i] = i % one_in ? -1 : int(i % units);
        if (i % one_in) labels.data[i] = label_background;
    }
    float* const loss = a.make<float>(1);
    Focal focal;
    focal.per_cell = per_cell;
    tasks.push_back({"focal loss", words(level), 2 * x + cells, [=](Stream q, Arena& scratch) {
                         focal_loss<bf16>(q, logits, labels.data, grid.total, positives, focal, dlogits, loss, scratch);
                     }});
    // all gradients are written, but of the numbers only those of anchors with a unit are read, half of the channels
    tasks.push_back(
        {"box loss", words(level), x + x / 2 / one_in + (4 + 16.0 / one_in) * cells, [=](Stream q, Arena& scratch) {
             box_loss<bf16>(q, logits, grid, 0, match, truth, positives, {}, dlogits, loss, scratch);
         }});
}

inline void image_tasks(Arrays& a, std::vector<TrafficTask>& tasks) {
    const Shape s{1, 128, 128, 1};
    const double x = 4.0 * double(s.size());
    const View<float> image = a.make<float>(s), background = a.make<float>(s), y = a.make<float>(s);
    const View<const std::uint8_t> none{nullptr, {0, 0, 0, 0}};
    float* const sigma = a.make<float>(1);
    const Mesh mesh;
    const Shape cells{1, mesh_cells(s.h, mesh.size), mesh_cells(s.w, mesh.size), 1};
    const View<float> level = a.make<float>(cells), rms = a.make<float>(cells);
    const auto add_task = [&](const char* name, double least, auto queue) {
        tasks.push_back({name, words(s), least, queue});
    };
    add_task("sky mesh", x,
             [=](Stream q, Arena& scratch) { background_mesh(q, image, none, mesh, level, rms, scratch); });
    add_task("sky map", x, [=](Stream q, Arena&) { mesh_to_image(q, level, mesh.size, y); });
    add_task("noise of the image", x,
             [=](Stream q, Arena& scratch) { high_frequency_noise(q, image, none, mesh, sigma, scratch); });
    add_task("normalise", 3 * x, [=](Stream q, Arena&) { normalise(q, image, none, background, sigma, {}, y); });
    const Shape tile{1, 96, 96, 1}, twice{1, 192, 192, 1}, ways{8, 96, 96, 1};
    const View<bf16> cut = a.make<bf16>(tile), large = a.make<bf16>(twice), turned = a.make<bf16>(ways);
    tasks.push_back({"cut a tile", words(tile), 6.0 * double(tile.size()),
                     [=](Stream q, Arena&) { cut_window<bf16>(q, image, 16, 16, cut); }});
    tasks.push_back({"enlarge", words(tile), 2.0 * double(tile.size() + twice.size()),
                     [=](Stream q, Arena&) { enlarge<bf16>(q, cut, 2, large); }});
    tasks.push_back({"eight orientations", words(tile), 18.0 * double(tile.size()),
                     [=](Stream q, Arena&) { orient<bf16>(q, cut, turned); }});
    const Shape maps{8, 48, 48, 8}, mean{1, 48, 48, 8};
    const View<bf16> outputs = a.make<bf16>(maps);
    const View<bf16> averaged = a.make<bf16>(mean);
    tasks.push_back({"mean of orientations", words(mean), 2.0 * double(maps.size() + mean.size()),
                     [=](Stream q, Arena&) { average_orientations<bf16>(q, outputs, Turning::never, averaged); }});
    add_task("photon noise", 2 * x, [=](Stream q, Arena&) {
        if (!q.dry) cuda::expose(q, {y.data, nullptr, nullptr, s.size(), 1, 0, 50, 65535, 5, 1, 1});
    });
    const View<float> noise = a.make<float>(s), rows = a.make<float>(s);
    add_task("drizzled noise", 3 * x, [=](Stream q, Arena&) {
        const double kernel[5] = {0.05, 0.25, 0.4, 0.25, 0.05};
        if (!q.dry) cuda::drizzle_noise(q, y, noise, kernel, 5, 1, rows.data);
    });
}

/// Twenty stars on stamps of 31 px, of a table with 4 x 4 places a pixel.
inline void stamp_tasks(Arrays& a, std::vector<TrafficTask>& tasks) {
    constexpr int side = 64, stars = 20, half = 15, phases = 4, stride = 40, plane = stride * stride;
    const Shape s{1, side, side, 1};
    const View<float> table = a.make<float>(Shape{1, phases * phases, stride, stride}), image = a.make<float>(s);
    const View<Stamp> stamps = a.make<Stamp>(Shape{1, 1, 1, stars});
    Random random(6, 0);
    for (int i = 0; i < stars; ++i) {
        Stamp& star = stamps.data[i];
        star.column = random.below(side), star.row = random.below(side);
        star.left = std::max(0, star.column - half), star.right = std::min(side, star.column + half + 1);
        star.top = std::max(0, star.row - half), star.bottom = std::min(side, star.row + half + 1);
        for (int tap = 0; tap < 4; ++tap) {
            star.taps.x[tap] = star.taps.y[tap] = 0.25f;
            star.taps.at_x[tap] = tap * plane + stride / 2,
            star.taps.at_y[tap] = tap * phases * plane + stride / 2 * stride;
        }
    }
    std::vector<int> lists, firsts{0};
    double pairs = 0;
    for (int y = 0; y < side; y += stamp_tile_rows)
        for (int x = 0; x < side; x += stamp_tile_columns) {
            for (int i = 0; i < stars; ++i) {
                const Stamp& t = stamps.data[i];
                if (t.left < x + stamp_tile_columns && t.right > x && t.top < y + stamp_tile_rows && t.bottom > y)
                    lists.push_back(i);
            }
            firsts.push_back(int(lists.size()));
        }
    pairs = double(lists.size());
    const View<int> list = a.make<int>(Shape{1, 1, 1, int(lists.size())}),
                    first = a.make<int>(Shape{1, 1, 1, int(firsts.size())});
    std::copy(lists.begin(), lists.end(), list.data);
    std::copy(firsts.begin(), firsts.end(), first.data);
    tasks.push_back({"stars' stamps", words(s) + ", 20 stars",
                     8.0 * side * side + 4.0 * double(table.size()) + double(sizeof(Stamp)) * pairs,
                     [=](Stream q, Arena&) {
                         if (!q.dry)
                             cuda::add_stamps(q, {stamps.data, first.data, list.data}, table.data, stride, image);
                     }});
}

inline std::vector<TrafficTask> traffic_tasks(Arrays& arrays, Stream stream) {
    std::vector<TrafficTask> tasks;
    network_tasks(arrays, tasks);
    loss_tasks(arrays, tasks);
    image_tasks(arrays, tasks);
    stamp_tasks(arrays, tasks);
    for (const Task& task :
         {decoding(stream, 1, 160), suppression(stream, 3000, false), suppression(stream, 3000, true)})
        tasks.push_back({task.name, task.shape, task.bytes, [queue = task.queue](Stream q, Arena&) {
                             if (!q.dry) queue();
                         }});
    return tasks;
}

/// Runs a task on the stream and counts what it did.
inline simt::Counters count(const TrafficTask& task, Stream stream) {
    Arena measure = Arena::measuring();
    task.queue(dry(stream), measure);
    Arena scratch(stream.device, measure.peak());
    return simt::counted([&] { task.queue(stream, scratch), synchronize(stream); });
}

}  // namespace star::bench
