// The convolutions of the two configured networks, each distinct one once, with how often it occurs.
#pragma once
#include <string>
#include <vector>

#include "kernels/conv.h"

namespace star::bench {

struct Layer {
    std::string name;
    Shape x, w;
    Conv how;
    int times = 1;
    bool input_gradient = true;  // not of the network's first layer
    Shape y() const { return conv_shape(x, w, how); }
    double flops() const { return 2.0 * double(y().size()) * w.h * w.w * w.c; }
};

class Network {
public:
    /// A convolution with "same" padding; returns the extent of its output.
    Shape add(const std::string& name, Shape x, int k, int filter, int stride = 1, int times = 1) {
        const Layer layer{name, x, {k, filter, filter, x.c}, {stride, filter / 2}, times, !layers.empty()};
        for (Layer& known : layers)
            if (known.x == layer.x && known.w == layer.w && known.how.stride == stride) {
                known.times += times;
                return layer.y();
            }
        layers.push_back(layer);
        return layer.y();
    }

    /// `blocks` bottlenecks, the first with the stride (in its 3x3, as torchvision) and a shortcut.
    Shape stage(Shape x, int width, int blocks, int stride) {
        Shape y{};
        for (int block = 0; block < blocks; ++block) {
            const Shape a = add("reduce", x, width, 1), b = add("bottleneck", a, width, 3, block ? 1 : stride);
            y = add("expand", b, 4 * width, 1);
            if (block == 0) add("shortcut", x, 4 * width, 1, stride);
            x = y;
        }
        return y;
    }

    /// Two towers and their outputs: 5 classes and 4 box values per anchor, padded to 8.
    void heads(Shape level, int depth, int anchors) {
        add("head", level, level.c, 3, 1, 2 * depth);
        add("class", level, (5 * anchors + 7) / 8 * 8, 3);
        add("box", level, (4 * anchors + 7) / 8 * 8, 3);
    }

    std::vector<Layer> layers;
};

/// RetinaNet with ResNet-50-FPN, P3-P7, on 800x800 pixels of one channel, batch 1.
inline Network paper_network() {
    Network net;
    Shape x = net.add("stem", {1, 800, 800, 1}, 64, 7, 2);
    x = {x.n, x.h / 2, x.w / 2, x.c};  // max pool
    x = net.stage(x, 64, 3, 1);
    const Shape c3 = net.stage(x, 128, 4, 2), c4 = net.stage(c3, 256, 6, 2), c5 = net.stage(c4, 512, 3, 2);
    std::vector<Shape> levels;
    for (Shape c : {c3, c4, c5}) levels.push_back(net.add("lateral", c, 256, 1));
    for (Shape p : std::vector<Shape>(levels)) net.add("smooth", p, 256, 3);
    levels.push_back(net.add("P6", levels.back(), 256, 3, 2));
    levels.push_back(net.add("P7", levels.back(), 256, 3, 2));
    for (Shape p : levels) net.heads(p, 4, 9);
    return net;
}

/// `native` (tools/architectures/native.toml): 128x128 pixels, batch 8, heads at stride 2.
inline Network native_network() {
    Network net;
    Shape x = net.add("stem", {8, 128, 128, 1}, 32, 3);
    x = net.add("stem", x, 32, 3);
    x = net.add("stem", x, 64, 3, 2);
    const Shape c2 = net.stage(x, 96, 3, 1), c3 = net.stage(c2, 80, 4, 2), c4 = net.stage(c3, 80, 6, 2);
    const Shape c5 = net.stage(c4, 64, 3, 2);
    for (Shape c : {c5, c4, c3, c2}) x = net.add("lateral", c, 128, 1);
    x = net.add("smooth", x, 128, 3);
    net.heads(x, 4, 4);
    return net;
}

}  // namespace star::bench
