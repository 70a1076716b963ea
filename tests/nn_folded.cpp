// Batch norm folded into its convolution gives what frozen statistics give, within rounding.
#include <doctest/doctest.h>

#include <memory>

#include "tests/nn_tiny.h"

using namespace star;
using namespace star::test;

namespace {

struct Layer {
    ConvNorm norm;
    std::unique_ptr<Params> params;
    Layer(int in, int out, int size, Conv how, bool relu) : norm(in, out, size, how, relu, 1e-5f) {
        params = std::make_unique<Params>(one_thread(), Params::Use::inference,
                                          [&](const VisitParam& v) { norm.params(v, "conv", "bn"); });
        Random r(1, std::uint64_t(out));
        auto tensors = params->save(one_thread());
        for (NamedTensor& t : tensors)
            for (float& x : t.data) x = float(t.name == "bn.running_var" ? r.uniform(0.1, 2.0) : r.normal());
        const Weights w(tensors);
        params->load(one_thread(), w.finder());
    }
};

}  // namespace

TEST_CASE_TEMPLATE("folded is frozen, within a bound from every product and sum", T, float, bf16) {
    struct Case {
        int in, out, size;
        Conv how;
        bool relu, residual;
    };
    for (const Case& c : {Case{1, 8, 7, {2, 3}, true, false},
                          {8, 16, 3, {1, 1}, true, false},
                          {16, 24, 1, {2, 0}, false, false},
                          {16, 16, 3, {1, 1}, true, true}}) {
        CAPTURE(c.size);
        CAPTURE(c.residual);
        Layer layer(c.in, c.out, c.size, c.how, c.relu);
        layer.norm.fold<T>(one_thread());
        const Shape in{2, 13, 11, padded_channels(c.in)}, out = layer.norm.shape(in);
        Random r(2, 2);
        const auto draw = [&](std::int64_t n) {
            std::vector<T> v(std::size_t(n), T{});
            for (T& x : v) x = narrow<T>(float(r.normal()));
            return v;
        };
        const auto x = draw(in.size()), residual = draw(out.size());
        std::vector<T> frozen(residual), folded(residual);
        const View<const T> input{x.data(), in},
            other = c.residual ? View<const T>{residual.data(), out} : View<const T>{nullptr, nothing};
        for (const auto& [mode, y] : {std::pair{Pass::Norm::frozen, &frozen}, {Pass::Norm::folded, &folded}}) {
            Arena activations = Arena::measuring(), scratch = Arena::measuring();
            layer.norm.forward<T>({dry(one_thread()), activations, scratch, mode}, input, other,
                                  View<T>{y->data(), out}, nullptr);
            activations = Arena({}, activations.peak()), scratch = Arena({}, scratch.peak());
            layer.norm.forward<T>({one_thread(), activations, scratch, mode}, input, other, View<T>{y->data(), out},
                                  nullptr);
        }
        // Both are s (sum w x - mean) + beta + residual with s = gamma / sqrt(variance + epsilon). In float, sums of n
        // products err by (n + 2) 2^-24 of the sum of their sizes, in each of the two; s, its product with w and the
        // rest by ten roundings more. Activations of type T add: w, s w and the convolved value rounded to T once each,
        // and y to T, where there's a residual once before it is added and once after, in each.
        const double u = 0x1p-24, t = std::is_same_v<T, float> ? 0 : 0x1p-9;
        const int C = in.c, n = C * c.size * c.size;
        const float *w = layer.norm.weight.value.data, *gamma = layer.norm.gamma.value.data,
                    *beta = layer.norm.beta.value.data;
        const float *mean = layer.norm.mean.value.data, *variance = layer.norm.variance.value.data;
        int wrong = 0;
        double worst = 0;
        for (int b = 0; b < out.n; ++b)
            for (int i = 0; i < out.h; ++i)
                for (int j = 0; j < out.w; ++j)
                    for (int k = 0; k < out.c; ++k) {
                        double size = 0;
                        for (int p = 0; p < c.size; ++p)
                            for (int q = 0; q < c.size; ++q) {
                                const int y0 = i * c.how.stride - c.how.pad + p, x0 = j * c.how.stride - c.how.pad + q;
                                if (y0 < 0 || y0 >= in.h || x0 < 0 || x0 >= in.w) continue;
                                for (int ch = 0; ch < C; ++ch)
                                    size += std::fabs(double(w[((k * c.size + p) * c.size + q) * C + ch]) *
                                                      widen(x[std::size_t(((b * in.h + y0) * in.w + x0) * C + ch)]));
                            }
                        const double s = std::fabs(gamma[k]) / std::sqrt(double(variance[k]) + 1e-5);
                        const std::size_t at = std::size_t(((b * out.h + i) * out.w + j) * out.c + k);
                        const double rest = s * std::fabs(mean[k]) + std::fabs(beta[k]) +
                                            (c.residual ? std::fabs(widen(residual[at])) : 0.0);
                        const double bound =
                            2 * (n + 12) * u * (s * size + rest) + 3 * t * s * size + 4 * t * (s * size + rest);
                        const double off = std::fabs(double(widen(frozen[at])) - widen(folded[at]));
                        wrong += !(off <= bound);
                        if (bound > 0) worst = std::max(worst, off / bound);
                    }
        CHECK(wrong == 0);
        CHECK(worst > 0);  // else one was compared with itself
    }
}
