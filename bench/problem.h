// One convolution of a network with random tensors, to be run and timed, and a check that it is right.
#pragma once
#include <cmath>
#include <string>
#include <vector>

#include "bench/layers.h"
#include "kernels/random.h"

namespace star::bench {

inline constexpr const char* conv_operations[] = {"forward", "input gradient", "weight gradient"};

template <class T>
std::vector<T> values(std::int64_t count, std::uint64_t seed) {
    std::vector<T> v(static_cast<std::size_t>(count));
    Random random(seed, 0);
    for (T& f : v) f = narrow<T>(float(random.uniform(-1, 1)));
    return v;
}

/// The tensors of one layer on the stream's device, and a check of what was computed at a few places.
template <class T>
class Problem {
public:
    Problem(const Layer& layer, Stream stream)
        : layer_(layer),
          stream_(stream),
          x_(values<T>(layer.x.size(), 1)),
          w_(values<T>(layer.w.size(), 2)),
          dy_(values<T>(layer.y().size(), 3)),
          x(upload(x_)),
          w(upload(w_)),
          dy(upload(dy_)),
          y(stream.device, layer.y().size()),
          dx(stream.device, layer.x.size()),
          dw(stream.device, layer.w.size()),
          scratch_(measured()) {}

    const Layer& layer() const { return layer_; }

    /// Queues "forward", "input gradient" or "weight gradient".
    void queue(const std::string& operation) { queue(operation, stream_, scratch_); }

    /// Compares 24 outputs of one operation with sums in double precision.
    void check(const std::string& operation) {
        fill_zero(stream_, dw.data(), std::size_t(dw.size()) * sizeof(float));
        queue(operation);
        const std::vector<T> y_host = download(y), dx_host = download(dx);
        const std::vector<float> dw_host = download(dw);
        const Shape X = layer_.x, W = layer_.w, Y = layer_.y();
        Random random(7, 0);
        for (int i = 0; i < 24; ++i) {
            double sum = 0, size = 0, terms = 2;
            const auto product = [&](int n, int oi, int oj, int k, int r, int s, int c, int which) {
                const int h = oi * layer_.how.stride - layer_.how.pad + r,
                          v = oj * layer_.how.stride - layer_.how.pad + s;
                if (h < 0 || h >= X.h || v < 0 || v >= X.w) return;
                const double a = widen(x_[at(X, n, h, v, c)]), b = widen(w_[at(W, k, r, s, c)]),
                             d = widen(dy_[at(Y, n, oi, oj, k)]);
                const double p = which == 0 ? a * b : which == 1 ? d * b : a * d;
                sum += p, size += std::fabs(p), terms += 1;
            };
            float got = 0;
            if (operation == "forward") {
                const int n = random.below(Y.n), oi = random.below(Y.h), oj = random.below(Y.w), k = random.below(Y.c);
                for (int r = 0; r < W.h; ++r)
                    for (int s = 0; s < W.w; ++s)
                        for (int c = 0; c < W.c; ++c) product(n, oi, oj, k, r, s, c, 0);
                got = widen(y_host[at(Y, n, oi, oj, k)]);
            } else if (operation == "input gradient") {
                const int n = random.below(X.n), h = random.below(X.h), v = random.below(X.w), c = random.below(X.c);
                for (int r = 0; r < W.h; ++r)
                    for (int s = 0; s < W.w; ++s) {
                        const int oi = h + layer_.how.pad - r, oj = v + layer_.how.pad - s, t = layer_.how.stride;
                        if (oi < 0 || oj < 0 || oi % t || oj % t || oi / t >= Y.h || oj / t >= Y.w) continue;
                        for (int k = 0; k < W.n; ++k) product(n, oi / t, oj / t, k, r, s, c, 1);
                    }
                got = widen(dx_host[at(X, n, h, v, c)]);
            } else {
                const int k = random.below(W.n), r = random.below(W.h), s = random.below(W.w), c = random.below(W.c);
                for (int n = 0; n < Y.n; ++n)
                    for (int oi = 0; oi < Y.h; ++oi)
                        for (int oj = 0; oj < Y.w; ++oj) product(n, oi, oj, k, r, s, c, 2);
                got = dw_host[at(W, k, r, s, c)];
            }
            // the float sums' bound, and the rounding of what is stored as T
            const bool stored = operation[0] != 'w';
            const double bound = terms * 0x1p-24 * size + (stored && sizeof(T) == 2 ? 0x1p-8 * std::fabs(sum) : 0);
            require(std::fabs(got - sum) <= bound, operation, " of ", layer_.name, " is wrong: ", got, " instead of ",
                    sum);
        }
    }

private:
    static std::size_t at(Shape s, int n, int h, int w, int c) {
        return std::size_t(((std::int64_t{n} * s.h + h) * s.w + w) * s.c + c);
    }
    Buffer<T> upload(const std::vector<T>& v) {
        Buffer<T> b(stream_.device, std::int64_t(v.size()));
        copy_to_device(stream_, b.data(), v.data(), v.size() * sizeof(T));
        synchronize(stream_);
        return b;
    }
    template <class U>
    std::vector<U> download(const Buffer<U>& b) {
        std::vector<U> v(static_cast<std::size_t>(b.size()));
        copy_to_host(stream_, v.data(), b.data(), v.size() * sizeof(U));
        synchronize(stream_);
        return v;
    }
    void queue(const std::string& operation, Stream stream, Arena& arena) {
        const View<const T> X = x.view(layer_.x), W = w.view(layer_.w), DY = dy.view(layer_.y());
        if (operation == "forward")
            conv_forward<T>(stream, X, W, nullptr, layer_.how, y.view(layer_.y()), arena);
        else if (operation == "input gradient")
            conv_backward_input<T>(stream, DY, W, layer_.how, dx.view(layer_.x), arena);
        else
            conv_backward_weight<T>(stream, X, DY, layer_.how, dw.view(layer_.w), nullptr, arena);
    }
    Arena measured() {
        Arena measure = Arena::measuring();
        for (const char* operation : conv_operations) queue(operation, dry(stream_), measure);
        return Arena(stream_.device, measure.peak());
    }

    Layer layer_;
    Stream stream_;
    std::vector<T> x_, w_, dy_;  // the inputs on the host

public:
    const Buffer<T> x, w, dy;  ///< the inputs

private:
    const Buffer<T> y, dx;
    const Buffer<float> dw;
    Arena scratch_;
};

}  // namespace star::bench
