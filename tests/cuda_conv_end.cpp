// What a convolution does with its sums on the way: the residual, and the moments of what it wrote.
#include "kernels/conv.h"
#include "tests/cuda_arrays.h"
#include "tests/reference/conv.h"

using namespace star;
using namespace star::reference;
using namespace star::test;

namespace {

struct EndCase {
    Shape x;
    int k, size;
    Conv how;
    bool residual;
    Shape w() const { return {k, size, size, x.c}; }
    Shape y() const { return conv_shape(x, w(), how); }
};

// Tiles of 128 pixels by 64 or 128 channels: whole ones, parts, sums that are cut; several images.
const EndCase cases[] = {
    {{1, 8, 16, 8}, 64, 1, {1, 0, true}, true},      {{2, 9, 15, 16}, 72, 3, {1, 1}, true},
    {{1, 13, 11, 5}, 7, 3, {2, 1, true}, true},      {{1, 3, 3, 264}, 72, 3, {1, 1, true}, true},
    {{1, 109, 127, 8}, 128, 1, {1, 0, true}, false}, {{1, 1, 1, 8}, 8, 1, {1, 0}, false},
};

template <class T>
struct Inputs {
    Array<T> x, w, residual;
    Array<float> bias;
    explicit Inputs(const EndCase& c)
        : x(random_array<T>(c.x, 21)),
          w(random_array<T>(c.w(), 22)),
          residual(random_array<T>(c.y(), 23)),
          bias(random_array<float>({1, 1, 1, c.k}, 24)) {}
};

template <class T>
struct Outcome {
    Array<T> y;
    Array<float> moments;
    bool operator==(const Outcome&) const = default;
};

Shape moments_shape(const EndCase& c) { return {int(conv_runs(c.y()).count), 3, 1, c.k}; }

template <class T>
Outcome<T> on_gpu(const EndCase& c, const Inputs<T>& in) {
    Both d;
    const Stream q = d.gpu.stream;
    const OnGpu<T> x(q, in.x), w(q, in.w), residual(q, in.residual), y(q, c.y());
    const OnGpu<float> bias(q, in.bias), moments(q, moments_shape(c));
    conv_forward<T>(q, x.read(), w.read(),
                    {bias.data(), c.residual ? residual.read() : View<const T>{}, moments.data()}, c.how, y.view(),
                    d.scratch);
    CHECK(residual.get() == in.residual);
    return {y.get(), moments.get()};
}

template <class T>
Outcome<T> on_cpu(const EndCase& c, const Inputs<T>& in) {
    Desk desk(1, 1 << 22);
    Outcome<T> out{Array<T>(c.y()), Array<float>(moments_shape(c))};
    conv_forward<T>(desk.stream, in.x.view(), in.w.view(),
                    {in.bias.data(), c.residual ? in.residual.view() : View<const T>{}, out.moments.data()}, c.how,
                    out.y.view(), desk.arena);
    return out;
}

/// Sums of products with bias and residual among their terms. Tensor cores: see cuda_conv.cpp.
template <class T>
int outside(const EndCase& c, const Inputs<T>& in, const Array<T>& y) {
    const std::vector<double> bias(in.bias.data(), in.bias.data() + c.k);
    const Sums sums = conv_forward_sums(in.x.data(), c.x, in.w.data(), c.w(), bias.data(), c.how);
    const double depth = double(c.size) * c.size * c.x.c;
    const double terms = std::is_same_v<T, float> ? depth + 3 : 2 * (depth * 9 / 8 + 1) + 3;
    int bad = 0;
    for (std::int64_t i = 0; i < y.size(); ++i) {
        const std::size_t at = std::size_t(i);
        const double r = c.residual ? double(widen(in.residual[i])) : 0;
        Bounded want = sum_of_products<T>(sums.value[at] + r, sums.size[at] + std::fabs(r), terms);
        if (c.how.relu && want.value < 0) want.value = 0;
        bad += !close(widen(y[i]), want);
    }
    return bad;
}

/// Moments of y as it lies there: sums of up to n = 128 floats about the mean that is given, each term with a rounding.
template <class T>
int wrong_moments(const EndCase& c, const Outcome<T>& o) {
    const BatchNormRuns runs = conv_runs(c.y());
    int bad = 0;
    for (std::int64_t run = 0; run < runs.count; ++run)
        for (int k = 0; k < c.k; ++k) {
            const float* const m = o.moments.data() + run * 3 * c.k + k;
            const double n = double(runs.in(run)), u = 0x1p-24;
            double plain = 0, size = 0, sum = 0, about = 0, square = 0;
            for (std::int64_t row = 0; row < runs.in(run); ++row) {
                const double v = widen(o.y[(run * 128 + row) * c.k + k]), d = v - m[0];
                plain += v, size += std::fabs(v), sum += d, about += std::fabs(d), square += d * d;
            }
            bad += !close(m[0], {plain / n, (n + 1) * u * size / n});
            bad += !close(m[c.k], {sum, 1.01 * (n + 1) * u * about});
            bad += !close(m[2 * c.k], {square, 1.01 * (n + 3) * u * square});
        }
    return bad;
}

}  // namespace

TEST_CASE_TEMPLATE("a convolution's residual is within rounding, its moments are those of what it wrote", T, float,
                   bf16) {
    if (gpu_missing()) return;
    for (const EndCase& c : cases) {
        CAPTURE(c.k);
        CAPTURE(c.x.h);
        const Inputs<T> in(c);
        const Outcome<T> gpu = on_gpu(c, in), cpu = on_cpu(c, in);
        CHECK(outside(c, in, gpu.y) == 0);
        CHECK(outside(c, in, cpu.y) == 0);
        CHECK(wrong_moments(c, gpu) == 0);
        CHECK(wrong_moments(c, cpu) == 0);
    }
}

TEST_CASE("batch norm from a convolution's moments is batch norm of what it wrote") {
    if (gpu_missing()) return;
    Both d;
    const Stream q = d.gpu.stream;
    const EndCase c{{2, 9, 15, 16}, 24, 3, {1, 1}, false};
    const Inputs<bf16> in(c);
    const Outcome<bf16> made = on_gpu(c, in);
    const OnGpu<bf16> x(q, made.y), y(q, c.y());
    const OnGpu<float> moments(q, made.moments), p(q, random_array<float>({1, 1, 4, c.k}, 5, 0.1, 1)),
        saved(q, {2, 1, 1, c.k});
    const BatchNormParams params{p.data(), p.data() + c.k, p.data() + 2 * c.k, p.data() + 3 * c.k};
    const auto statistics = [&](BatchNormMoments known) {
        batch_norm_forward<bf16>(q, x.read(), params, {}, {}, y.view(), saved.view(), d.scratch, known);
        return saved.get();
    };
    const Array<float> given = statistics({moments.data(), conv_runs(c.y())}), found = statistics({});
    for (int k = 0; k < c.k; ++k) {  // both within batch_norm.h's bound of the true ones
        double mean = 0, square = 0, size = 0;
        const std::int64_t n = c.y().size() / c.k;
        for (std::int64_t i = 0; i < n; ++i) mean += widen(made.y[i * c.k + k]) / double(n);
        for (std::int64_t i = 0; i < n; ++i) {
            const double v = widen(made.y[i * c.k + k]);
            square += (v - mean) * (v - mean) / double(n), size += std::fabs(v) / double(n);
        }
        const double u = 256 * 0x1p-24, inverse = 1 / std::sqrt(square + double(1e-5f));
        const double spread = u * (1 + u * u * size * size / square);
        for (const Array<float>* s : {&given, &found}) {
            CHECK(close((*s)[k], {mean, 2 * 0x1p-24 * std::fabs(mean) + u * std::sqrt(square)}));
            CHECK(close((*s)[c.k + k], {inverse, (spread + 0x1p-23) * inverse}));
        }
    }
}
