// Small networks and fields for the tests of nn: blobs on noise, weights that make every layer speak.
#pragma once
#include <cmath>
#include <cstring>
#include <map>

#include "nn/trainer.h"

namespace star::test {

inline Architecture tiny() {
    Architecture a;
    a.stem = {{3, 1, 8}, {3, 2, 16}};
    a.stem_pool = false;
    a.blocks = {1, 2};
    a.widths = {8, 16};
    a.strides = {1, 2};
    a.pyramid_width = 16;
    a.pyramid_first = 0;
    a.pyramid_levels = 2;
    a.pyramid_extra = 0;
    a.head_depth = 1;
    a.head_width = 16;
    a.anchor_sizes = {{6}, {12}};
    a.anchor_ratios = {1};
    a.anchors_centred = true;
    return a;
}

/// As tiny(), with all that the paper's network has besides: a pool, an extra pair of levels, three ratios.
inline Architecture tiny_paper() {
    Architecture a;
    a.stem = {{7, 2, 8}};
    a.blocks = {1, 1, 1};
    a.widths = {8, 8, 8};
    a.strides = {1, 2, 2};
    a.pyramid_width = 16;
    a.pyramid_first = 1;
    a.pyramid_levels = 2;
    a.pyramid_extra = 2;
    a.head_depth = 1;
    a.head_width = 16;
    a.anchor_sizes = {{16}, {32}, {48}, {64}};
    return a;
}

inline Training settings(int batch, int side) {
    Training t;
    t.batch = batch;
    t.height = t.width = side;
    t.steps = 400;
    t.warm_up = 10;
    t.rate = 3e-3f;
    t.weight_decay = 1e-4f;
    return t;
}

/// Adds a unit of class `label` to an image (height, width) of normalised pixels: label + 1 peaks from (x, y) on
/// rightwards.
inline void add_blob(float* image, int height, int width, double x, double y, int label) {
    for (int s = 0; s <= label; ++s)
        for (int i = 0; i < height * width; ++i) {
            const double dx = i % width + 0.5 - x - 2.2 * s, dy = i / width + 0.5 - y;
            image[i] += float(4 * std::exp(-(dx * dx + dy * dy) / 2));
        }
}
inline Box blob_box(double x, double y, int label) {
    return {float(x - 3), float(y - 3), float(x + 3 + 2.2 * label), float(y + 3)};
}

/// Three blobs a field, on noise.
inline TrainingBatch blobs(int batch, int side, std::uint64_t seed) {
    TrainingBatch b;
    b.images.resize(std::size_t(batch) * std::size_t(side) * std::size_t(side));
    b.first.push_back(0);
    for (int n = 0; n < batch; ++n) {
        Random r(seed, std::uint64_t(n));
        float* image = b.images.data() + std::size_t(n) * std::size_t(side) * std::size_t(side);
        for (int i = 0; i < side * side; ++i) image[i] = float(0.3 * r.normal());
        for (int u = 0; u < 3; ++u) {
            const int label = r.below(3);
            const double x = r.uniform(6, side - 6.0), y = r.uniform(6, side - 6.0);
            add_blob(image, side, side, x, y, label);
            b.boxes.push_back(blob_box(x, y, label));
            b.labels.push_back(std::int8_t(label));
        }
        b.first.push_back(int(b.boxes.size()));
    }
    return b;
}

inline Stream one_thread() {
    static ThreadPool pool(1);
    return {{}, &pool};
}

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

/// Tensors by name, to load a network from.
struct Weights {
    std::map<std::string, NamedTensor> by_name;

    explicit Weights(std::vector<NamedTensor> tensors) {
        for (auto& t : tensors) by_name[t.name] = std::move(t);
    }
    const NamedTensor* find(const std::string& name) const {
        const auto at = by_name.find(name);
        return at == by_name.end() ? nullptr : &at->second;
    }
    auto finder() const {
        return [this](const std::string& name) { return find(name); };
    }
};

/// Untrained weights whose outputs vary from pixel to pixel and pass any middling threshold at many places: the
/// starting values are too quiet for that (gamma = 0, heads of 0.01).
inline Weights loud_weights(const Architecture& a, std::uint64_t seed) {
    RetinaNet net(a);
    Params params(one_thread(), Params::Use::inference, [&](const VisitParam& v) { net.params(v); });
    params.initialise(one_thread(), seed);
    auto tensors = params.save(one_thread());
    std::uint64_t stream = 0;
    for (NamedTensor& t : tensors) {
        Random r(seed, ++stream);
        const bool logits = t.name.find("cls_logits") != std::string::npos,
                   deltas = t.name.find("bbox_reg") != std::string::npos;
        for (float& x : t.data) {
            if (t.name.ends_with("running_var"))
                x = float(r.uniform(0.5, 1.5));
            else if (t.name.ends_with("running_mean"))
                x = float(0.1 * r.normal());
            else if (t.shape.size() == 1 && t.name.ends_with("weight"))
                x = float(r.uniform(0.5, 1.0));
            else if (t.shape.size() == 1)
                x = float(logits ? -3.0 : deltas ? 0.0 : 0.1 * r.normal());
            else
                x = float((logits   ? 0.7
                           : deltas ? 0.1
                                    : 1.4) *
                          r.normal() / std::sqrt(double(t.shape[1] * t.shape[2] * t.shape[3])));
        }
    }
    return Weights(std::move(tensors));
}

}  // namespace star::test
