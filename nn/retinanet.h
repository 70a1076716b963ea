// The whole network (Lin et al. 2020): backbone, pyramid, and two heads shared by all levels.
#pragma once
#include "kernels/decode.h"
#include "nn/pyramid.h"
#include "nn/resnet.h"

namespace star {

/// A tower of 3x3 convolutions with ReLU, and a 3x3 convolution to the outputs. Shared by all levels.
struct Head {
    std::vector<ConvLayer> tower;
    ConvLayer output;

    Head(int in, int width, int depth, int outputs, float first_bias)
        : output(depth ? width : in, outputs, 3, {1, 1}, {Start::By::normal, 0.01f}, first_bias) {
        for (int i = 0; i < depth; ++i)
            tower.emplace_back(i ? width : in, width, 3, Conv{1, 1, true}, Start{Start::By::normal, 0.01f});
    }

    template <class T>
    struct Saved {
        std::vector<ConvLayer::Saved<T>> tower;
        ConvLayer::Saved<T> output;
    };

    template <class T>
    void forward(const Pass& pass, View<const T> x, View<T> y, Saved<T>* saved) const {
        CallMemory memory(pass, saved);
        if (saved) saved->tower.resize(tower.size());
        for (std::size_t i = 0; i < tower.size(); ++i) {
            const auto h = memory.take<T>(tower[i].shape(x.shape));
            tower[i].forward<T>(pass, x, h, saved ? &saved->tower[i] : nullptr);
            x = h;
        }
        output.forward<T>(pass, x, y, saved ? &saved->output : nullptr);
    }
    template <class T>
    void backward(const Pass& pass, View<const T> dy, const Saved<T>& saved, View<T> dx) const {
        const Arena::Scope scope(pass.scratch);
        View<T> dh = tower.empty() ? dx : pass.scratch.take<T>(saved.output.x.shape);
        output.backward<T>(pass, dy, saved.output, dh);
        for (std::size_t i = tower.size(); i-- > 0;) {
            const View<T> below = i ? pass.scratch.take<T>(saved.tower[i].x.shape) : dx;
            tower[i].backward<T>(pass, dh, saved.tower[i], below);
            dh = below;
        }
    }
    void params(const VisitParam& visit, const std::string& name, const std::string& output_name) {
        for (std::size_t i = 0; i < tower.size(); ++i)
            tower[i].params(visit, name + ".conv." + std::to_string(i) + ".0");
        output.params(visit, name + "." + output_name);
    }
};

struct RetinaNet {
    Architecture architecture;
    ResNet body;
    Pyramid pyramid;
    Head classes, boxes;

    explicit RetinaNet(const Architecture& a)
        : architecture((check(a), a)),
          body(a),
          pyramid(a),
          classes(a.pyramid_width, a.head_width, a.head_depth, a.per_cell() * a.classes,
                  -std::log((1 - a.prior) / a.prior)),
          boxes(a.pyramid_width, a.head_width, a.head_depth, a.per_cell() * 4, 0) {}
    RetinaNet(const RetinaNet&) = delete;  // Params points into it
    RetinaNet& operator=(const RetinaNet&) = delete;

    template <class T>
    struct Saved {
        ResNet::Saved<T> body;
        Pyramid::Saved<T> pyramid;
        std::vector<Head::Saved<T>> classes, boxes;  // one per level
        std::vector<Shape> stages, levels;
    };

    /// x (N,H,W,C): the normalised image(s), C = padded in_channels. Outputs per level, taken from pass.activations.
    template <class T>
    HeadOutputs<T> forward(const Pass& pass, View<const T> x, Saved<T>* saved) const {
        require(x.shape.c == padded_channels(architecture.in_channels), "RetinaNet: an image of ", x.shape.c,
                " channels");
        const auto stages = body.forward<T>(pass, x, saved ? &saved->body : nullptr);
        const auto levels = pyramid.forward<T>(pass, stages, saved ? &saved->pyramid : nullptr);
        if (saved) {
            saved->classes.resize(levels.size()), saved->boxes.resize(levels.size());
            for (const auto& s : stages) saved->stages.push_back(s.shape);
            for (const auto& l : levels) saved->levels.push_back(l.shape);
        }
        HeadOutputs<T> out;
        for (std::size_t l = 0; l < levels.size(); ++l) {
            const auto logits = pass.activations.take<T>(classes.output.shape(levels[l].shape));
            const auto deltas = pass.activations.take<T>(boxes.output.shape(levels[l].shape));
            classes.forward<T>(pass, levels[l], logits, saved ? &saved->classes[l] : nullptr);
            boxes.forward<T>(pass, levels[l], deltas, saved ? &saved->boxes[l] : nullptr);
            out.logits[l] = logits, out.deltas[l] = deltas;
        }
        return out;
    }

    /// Adds the gradients of dot(dout, forward(x)) to the parameters' gradients.
    template <class T>
    void backward(const Pass& pass, const HeadOutputs<T>& dout, const Saved<T>& saved) const {
        const Arena::Scope scope(pass.scratch);
        std::vector<View<T>> dlevels, dstages;
        for (std::size_t l = 0; l < saved.levels.size(); ++l) {
            dlevels.push_back(pass.scratch.take<T>(saved.levels[l]));
            const Arena::Scope inner(pass.scratch);
            const auto dx = pass.scratch.take<T>(saved.levels[l]);
            classes.backward<T>(pass, dout.logits[l], saved.classes[l], dlevels[l]);
            boxes.backward<T>(pass, dout.deltas[l], saved.boxes[l], dx);
            add<T>(pass.stream, dlevels[l], dx, false, dlevels[l]);
        }
        for (std::size_t s = 0; s < saved.stages.size(); ++s)
            dstages.push_back(int(s) < pyramid.first ? View<T>{nullptr, nothing}
                                                     : pass.scratch.take<T>(saved.stages[s]));
        pyramid.backward<T>(pass, dlevels, saved.pyramid, dstages);
        body.backward<T>(pass, dstages, saved.body);
    }

    /// Prepares Pass::Norm::folded; to be called again whenever parameters change.
    template <class T>
    void fold(Stream stream) const {
        body.fold<T>(stream);
    }

    void params(const VisitParam& visit) {
        body.params(visit, "backbone.body");
        pyramid.params(visit, "backbone.fpn");
        classes.params(visit, "head.classification_head", "cls_logits");
        boxes.params(visit, "head.regression_head", "bbox_reg");
    }
};

}  // namespace star
