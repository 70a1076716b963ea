// The backbone: ResNet with bottleneck blocks (He et al. 2016; stride on the 3x3, as torchvision has it).
#pragma once
#include "kernels/max_pool.h"
#include "nn/architecture.h"
#include "nn/layers.h"

namespace star {

/// 1x1 narrow, 3x3, 1x1 widen by 4, plus the input (or its projection), ReLU.
struct Bottleneck {
    ConvNorm reduce, spatial, expand;
    std::optional<ConvNorm> projection;  // where stride or width changes

    Bottleneck(int in, int width, int stride, float epsilon)
        : reduce(in, width, 1, {1, 0}, true, epsilon),
          spatial(width, width, 3, {stride, 1}, true, epsilon),
          expand(width, 4 * width, 1, {1, 0}, true, epsilon,
                 0) {  // gamma = 0: the block starts as the identity (Goyal et al. 2017)
        if (stride != 1 || in != 4 * width) projection.emplace(in, 4 * width, 1, Conv{stride, 0}, false, epsilon);
    }

    template <class T>
    struct Saved {
        ConvNorm::Saved<T> reduce, spatial, expand, projection;
    };

    Shape shape(Shape x) const { return expand.shape(spatial.shape(reduce.shape(x))); }

    template <class T>
    void forward(const Pass& pass, View<const T> x, View<T> y, Saved<T>* saved) const {
        const View<const T> none{nullptr, nothing};
        CallMemory memory(pass, saved);
        const auto a = memory.take<T>(reduce.shape(x.shape));
        const auto b = memory.take<T>(spatial.shape(a.shape));
        View<const T> shortcut = x;
        if (projection) {
            const auto p = memory.take<T>(y.shape);
            projection->forward<T>(pass, x, none, p, saved ? &saved->projection : nullptr);
            shortcut = p;
        }
        reduce.forward<T>(pass, x, none, a, saved ? &saved->reduce : nullptr);
        spatial.forward<T>(pass, a, none, b, saved ? &saved->spatial : nullptr);
        expand.forward<T>(pass, b, shortcut, y, saved ? &saved->expand : nullptr);
    }

    /// dx overwritten.
    template <class T>
    void backward(const Pass& pass, View<const T> dy, const Saved<T>& saved, View<T> dx) const {
        const View<T> none{nullptr, nothing};
        const Arena::Scope scope(pass.scratch);
        const auto dshortcut = pass.scratch.take<T>(dy.shape);
        const auto db = pass.scratch.take<T>(saved.spatial.y.shape);
        const auto da = pass.scratch.take<T>(saved.reduce.y.shape);
        expand.backward<T>(pass, dy, saved.expand, db, dshortcut);
        spatial.backward<T>(pass, db, saved.spatial, da, none);
        reduce.backward<T>(pass, da, saved.reduce, dx, none);
        View<const T> through = dshortcut;
        if (projection) {
            const auto dp = pass.scratch.take<T>(dx.shape);
            projection->backward<T>(pass, dshortcut, saved.projection, dp, none);
            through = dp;
        }
        add<T>(pass.stream, dx, through, false, dx);
    }

    template <class T>
    void fold(Stream s) const {
        reduce.fold<T>(s), spatial.fold<T>(s), expand.fold<T>(s);
        if (projection) projection->fold<T>(s);
    }
    void params(const VisitParam& visit, const std::string& name) {
        reduce.params(visit, name + ".conv1", name + ".bn1");
        spatial.params(visit, name + ".conv2", name + ".bn2");
        expand.params(visit, name + ".conv3", name + ".bn3");
        if (projection) projection->params(visit, name + ".downsample.0", name + ".downsample.1");
    }
};

struct ResNet {
    std::vector<ConvNorm> stem;
    std::optional<MaxPool> pool;
    std::vector<std::vector<Bottleneck>> stages;

    explicit ResNet(const Architecture& a) {
        int in = a.in_channels;
        for (const auto& c : a.stem) {
            stem.emplace_back(in, c.width, c.size, Conv{c.stride, c.size / 2}, true, a.norm_epsilon);
            in = c.width;
        }
        if (a.stem_pool) pool.emplace();
        for (std::size_t s = 0; s < a.blocks.size(); ++s) {
            auto& stage = stages.emplace_back();
            for (int b = 0; b < a.blocks[s]; ++b) {
                stage.emplace_back(in, a.widths[s], b == 0 ? a.strides[s] : 1, a.norm_epsilon);
                in = 4 * a.widths[s];
            }
        }
    }

    template <class T>
    struct Saved {
        std::vector<ConvNorm::Saved<T>> stem;
        View<const std::uint8_t> from;  // of the pool
        std::vector<std::vector<Bottleneck::Saved<T>>> stages;
    };

    /// C2, C3, ...: the output of every stage, taken from pass.activations.
    template <class T>
    std::vector<View<T>> forward(const Pass& pass, View<const T> x, Saved<T>* saved) const {
        if (saved) {
            saved->stem.resize(stem.size());
            saved->stages.resize(stages.size());
        }
        for (std::size_t i = 0; i < stem.size(); ++i) {
            const auto y = pass.activations.take<T>(stem[i].shape(x.shape));
            stem[i].forward<T>(pass, x, View<const T>{nullptr, nothing}, y, saved ? &saved->stem[i] : nullptr);
            x = y;
        }
        if (pool) {
            const auto y = pass.activations.take<T>(max_pool_shape(x.shape, *pool));
            View<std::uint8_t> from{nullptr, nothing};
            if (saved) saved->from = from = pass.activations.take<std::uint8_t>(y.shape);
            max_pool_forward<T>(pass.stream, x, *pool, y, from);
            x = y;
        }
        std::vector<View<T>> levels;
        for (std::size_t s = 0; s < stages.size(); ++s) {
            if (saved) saved->stages[s].resize(stages[s].size());
            View<T> y{};
            for (std::size_t b = 0; b < stages[s].size(); ++b) {
                y = pass.activations.take<T>(stages[s][b].shape(x.shape));
                stages[s][b].forward<T>(pass, x, y, saved ? &saved->stages[s][b] : nullptr);
                x = y;
            }
            levels.push_back(y);
        }
        return levels;
    }

    /// dlevels[s]: the gradient by stage s's output; shape `nothing` for none. Overwritten as scratch. The gradient by
    /// the image itself isn't computed.
    template <class T>
    void backward(const Pass& pass, const std::vector<View<T>>& dlevels, const Saved<T>& saved) const {
        const Arena::Scope scope(pass.scratch);
        View<T> dy{nullptr, nothing};  // by the output of the block at hand
        for (std::size_t s = stages.size(); s-- > 0;) {
            if (dlevels[s].shape.size() && dy.shape.size())
                add<T>(pass.stream, dy, dlevels[s], false, dy);
            else if (dlevels[s].shape.size())
                dy = dlevels[s];
            if (!dy.shape.size()) continue;  // nobody looked at this stage or a later one
            for (std::size_t b = stages[s].size(); b-- > 0;) {
                const auto& block = saved.stages[s][b];
                const auto dx = pass.scratch.take<T>(block.reduce.x.shape);
                stages[s][b].backward<T>(pass, dy, block, dx);
                dy = dx;
            }
        }
        if (pool) {
            const auto dx = pass.scratch.take<T>(saved.stem.back().y.shape);
            max_pool_backward<T>(pass.stream, dy, saved.from, *pool, dx);
            dy = dx;
        }
        for (std::size_t i = stem.size(); i-- > 0;) {
            View<T> dx{nullptr, nothing};
            if (i > 0) dx = pass.scratch.take<T>(saved.stem[i].x.shape);
            stem[i].backward<T>(pass, dy, saved.stem[i], dx, View<T>{nullptr, nothing});
            dy = dx;
        }
    }

    template <class T>
    void fold(Stream stream) const {
        for (auto& layer : stem) layer.fold<T>(stream);
        for (auto& stage : stages)
            for (auto& block : stage) block.fold<T>(stream);
    }
    void params(const VisitParam& visit, const std::string& name) {
        for (std::size_t i = 0; i < stem.size(); ++i)
            stem[i].params(visit, name + ".conv" + std::to_string(i + 1), name + ".bn" + std::to_string(i + 1));
        for (std::size_t s = 0; s < stages.size(); ++s)
            for (std::size_t b = 0; b < stages[s].size(); ++b)
                stages[s][b].params(visit, name + ".layer" + std::to_string(s + 1) + "." + std::to_string(b));
    }
};

}  // namespace star
