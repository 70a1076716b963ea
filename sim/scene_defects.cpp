// One draw per pixel; overflow carried along columns.
#include "sim/scene_defects.h"

#include <cmath>

#include "kernels/check.h"
#include "sim/scene_streams.h"

namespace star {
namespace {

// Charge from `from`, carried on by steps of `by` pixels.
void carry(View<float> image, int x, int from, int by, double charge, double full) {
    for (int y = from; charge > 0 && y >= 0 && y < image.shape.h; y += by) {
        float& pixel = image.data[std::int64_t{y} * image.shape.w + x];
        const double room = full - pixel;
        if (!(room > 0)) continue;
        const double taken = room < charge ? room : charge;
        pixel = float(pixel + taken), charge -= taken;
    }
}

}  // namespace

void check_defects(const Defects& d) {
    in_range("hot", d.hot, 0, 1);
    in_range("hot_rate", d.hot_rate, 0, 1e9);
    in_range("dead", d.dead, 0, 1);
}

DefectList make_defects(const Defects& d, int width, int height, std::uint64_t seed, std::uint64_t index) {
    check_defects(d);
    require(width > 0 && height > 0, "defects: a field of ", width, "x", height);
    const std::uint64_t key = scene_seed(seed, SceneDraw::defects, index);
    DefectList out;
    for (std::int64_t i = 0; i < std::int64_t{width} * height; ++i) {
        const Random4 r = philox(key, 0, std::uint64_t(i));
        const double u = uniform(r.x[0], r.x[1]);
        if (u < d.dead)
            out.dead.push_back(i);
        else if (u < d.dead + (1 - d.dead) * d.hot)
            out.hot.push_back({i, -d.hot_rate * std::log(uniform(r.x[2], r.x[3]))});
    }
    return out;
}

void add_hot_pixels(const DefectList& list, double exptime_s, View<float> image) {
    for (const DefectList::Hot& h : list.hot) {
        require(h.pixel >= 0 && h.pixel < image.size(), "defects: pixel ", h.pixel, " of ", image.size());
        image.data[h.pixel] += float(h.rate * exptime_s);
    }
}

void blank_dead_pixels(const DefectList& list, View<float> image) {
    for (std::int64_t i : list.dead) {
        require(i >= 0 && i < image.size(), "defects: pixel ", i, " of ", image.size());
        image.data[i] = 0;
    }
}

void bleed(View<float> image, double full) {
    require(full > 0 && image.shape == Shape{1, image.shape.h, image.shape.w, 1}, "bleed: a full well of ", full);
    std::vector<double> excess(std::size_t(image.shape.h));
    for (int x = 0; x < image.shape.w; ++x) {
        for (int y = 0; y < image.shape.h; ++y) {  // all are cut before any charge moves
            float& pixel = image.data[std::int64_t{y} * image.shape.w + x];
            excess[std::size_t(y)] = pixel > full ? pixel - full : 0;
            if (pixel > full) pixel = float(full);
        }
        for (int y = 0; y < image.shape.h; ++y) {
            if (!(excess[std::size_t(y)] > 0)) continue;
            carry(image, x, y + 1, 1, 0.5 * excess[std::size_t(y)], full);
            carry(image, x, y - 1, -1, 0.5 * excess[std::size_t(y)], full);
        }
    }
}

}  // namespace star
