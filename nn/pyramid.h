// The feature pyramid (Lin et al. 2017): lateral 1x1, top-down nearest upsampling, smoothing 3x3, extra coarse levels.
#pragma once
#include "kernels/upsample_add.h"
#include "nn/architecture.h"
#include "nn/layers.h"

namespace star {

struct Pyramid {
    std::vector<ConvLayer> inner;  // lateral, of every stage from pyramid_first
    std::vector<ConvLayer> layer;  // smoothing, of the levels that heads look at
    std::vector<ConvLayer> extra;  // P6 from P5, P7 from ReLU(P6)
    int first = 0;

    explicit Pyramid(const Architecture& a) : first(a.pyramid_first) {
        const int width = a.pyramid_width;
        const auto start = [](int in, int size) {  // Kaiming's uniform start with a = 1, over inputs
            return Start{Start::By::uniform, std::sqrt(3.0f / (float(in) * float(size) * float(size)))};
        };
        for (std::size_t s = std::size_t(first); s < a.widths.size(); ++s)
            inner.emplace_back(4 * a.widths[s], width, 1, Conv{1, 0}, start(4 * a.widths[s], 1));
        for (int l = 0; l < a.pyramid_levels; ++l) layer.emplace_back(width, width, 3, Conv{1, 1}, start(width, 3));
        for (int l = 0; l < a.pyramid_extra; ++l) extra.emplace_back(width, width, 3, Conv{2, 1}, start(width, 3));
    }

    template <class T>
    struct Saved {
        std::vector<ConvLayer::Saved<T>> inner, layer, extra;
        std::vector<View<const T>> rectified;  // ReLU(P6), the input of P7
    };

    /// From the backbone's stages to the levels that heads look at, taken from pass.activations.
    template <class T>
    std::vector<View<T>> forward(const Pass& pass, const std::vector<View<T>>& stages, Saved<T>* saved) const {
        if (saved)
            saved->inner.resize(inner.size()), saved->layer.resize(layer.size()), saved->extra.resize(extra.size());
        std::vector<View<T>> merged(inner.size());
        for (std::size_t l = inner.size(); l-- > 0;) {
            const View<const T> x = stages[std::size_t(first) + l];
            merged[l] = pass.activations.take<T>(inner[l].shape(x.shape));
            inner[l].forward<T>(pass, x, merged[l], saved ? &saved->inner[l] : nullptr);
            if (l + 1 < inner.size()) upsample_add<T>(pass.stream, merged[l + 1], merged[l], merged[l]);
        }
        std::vector<View<T>> levels;
        for (std::size_t l = 0; l < layer.size(); ++l) {
            levels.push_back(pass.activations.take<T>(layer[l].shape(merged[l].shape)));
            layer[l].forward<T>(pass, merged[l], levels[l], saved ? &saved->layer[l] : nullptr);
        }
        for (std::size_t l = 0; l < extra.size(); ++l) {
            View<const T> x = levels.back();
            if (l > 0) {
                const auto rectified = pass.activations.take<T>(x.shape);
                relu_forward<T>(pass.stream, x, rectified);
                if (saved) saved->rectified.push_back(rectified);
                x = rectified;
            }
            levels.push_back(pass.activations.take<T>(extra[l].shape(x.shape)));
            extra[l].forward<T>(pass, x, levels.back(), saved ? &saved->extra[l] : nullptr);
        }
        return levels;
    }

    /// dlevels: gradients by the levels, overwritten as scratch. dstages: overwritten, one per stage of the backbone;
    /// those the pyramid doesn't take have the shape `nothing`.
    template <class T>
    void backward(const Pass& pass, std::vector<View<T>> dlevels, const Saved<T>& saved,
                  const std::vector<View<T>>& dstages) const {
        const Arena::Scope scope(pass.scratch);
        for (std::size_t l = extra.size(); l-- > 0;) {  // their gradient joins that of the level they come from
            const View<T> dy = dlevels.back();
            dlevels.pop_back();
            const auto dx = pass.scratch.take<T>(dlevels.back().shape);
            extra[l].backward<T>(pass, dy, saved.extra[l], dx);
            if (l > 0) relu_backward<T>(pass.stream, saved.rectified[l - 1], dx, dx);
            add<T>(pass.stream, dlevels.back(), dx, false, dlevels.back());
        }
        View<T> from_finer{nullptr, nothing};
        for (std::size_t l = 0; l < inner.size(); ++l) {
            auto dmerged = pass.scratch.take<T>(Shape{saved.inner[l].y.shape});
            if (l < layer.size()) {
                layer[l].backward<T>(pass, dlevels[l], saved.layer[l], dmerged);
                if (from_finer.shape.size()) add<T>(pass.stream, dmerged, from_finer, false, dmerged);
            } else {
                dmerged = from_finer;
            }
            inner[l].backward<T>(pass, dmerged, saved.inner[l], dstages[std::size_t(first) + l]);
            if (l + 1 < inner.size()) {
                from_finer = pass.scratch.take<T>(Shape{saved.inner[l + 1].y.shape});
                upsample_add_backward<T>(pass.stream, dmerged, from_finer);
            }
        }
    }

    void params(const VisitParam& visit, const std::string& name) {
        for (std::size_t l = 0; l < inner.size(); ++l)
            inner[l].params(visit, name + ".inner_blocks." + std::to_string(l) + ".0");
        for (std::size_t l = 0; l < layer.size(); ++l)
            layer[l].params(visit, name + ".layer_blocks." + std::to_string(l) + ".0");
        for (std::size_t l = 0; l < extra.size(); ++l)
            extra[l].params(visit, name + ".extra_blocks.p" + std::to_string(l + 6));
    }
};

}  // namespace star
