// The CUDA normalisation and windows: the CPU's bits where nothing but single roundings is involved, else the formula.
#include <climits>

#include "kernels/normalise.h"
#include "tests/cuda_arrays.h"

using namespace star;
using namespace star::reference;
using namespace star::test;

namespace {

void check_stretch(Shape shape, Normalise how, float sigma, bool masked) {
    CAPTURE(shape.w);
    Both d;
    const Stream q = d.gpu.stream;
    Array<float> image = random_array<float>(shape, 91, 500, 900);
    const Array<float> background = random_array<float>(shape, 92, 20, 900);
    Array<std::uint8_t> mask(shape);
    for (std::int64_t i = 0; i < mask.size(); ++i) mask[i] = std::uint8_t(i % 11 == 0 ? 4 : 0);
    for (std::int64_t i = 0; i < image.size(); i += 13) image[i] = i % 2 ? NAN : i % 4 ? INFINITY : -INFINITY;
    if (image.size() > 1) image[1] = 3e38f;
    const OnGpu<float> gi(q, image), gb(q, background), gs(q, Array<float>({1, 1, 1, 1}, {sigma})), y(q, shape);
    const OnGpu<std::uint8_t> gm(q, mask);
    const View<const std::uint8_t> m = masked ? gm.read() : View<const std::uint8_t>{};
    normalise(q, gi.read(), m, gb.read(), gs.data(), how, y.view());
    Array<float> want(shape);
    normalise(d.cpu.stream, image.view(), masked ? read_only(mask.view()) : m, background.view(), &sigma, how,
              want.view());
    if (how.by == Normalise::By::paper) CHECK(y.get() == want);
    Bounds expected(shape.size());
    for (std::int64_t i = 0; i < shape.size(); ++i) {
        if (!std::isfinite(image[i]) || (masked && mask[i])) continue;
        const double f = image[i], b = background[i];
        const double v = how.by == Normalise::By::paper ? (std::max(f, b) - b) / (double(how.full) - b)
                                                        : std::asinh((f - b) / (double(how.softening) * sigma));
        // Two differences (or one and a product), a quotient, asinh to 2 ulp; asinh never magnifies a relative error.
        expected.value[std::size_t(i)] = v, expected.bound[std::size_t(i)] = 8 * 0x1p-24 * std::fabs(v);
    }
    CHECK(all_within(expected, y.get()));
    CHECK(differing(gi.get(), image) == 0);
    CHECK(gb.get() == background);
    normalise(q, gi.read(), m, gb.read(), gs.data(), how, gi.view());
    CHECK(gi.get() == y.get());
}

}  // namespace

TEST_CASE("CUDA normalise is its formula; unusable pixels are background") {
    if (gpu_missing()) return;
    for (const Shape& shape : {Shape{1, 1, 1, 1}, Shape{1, 3, 5, 1}, Shape{1, 1, 1024, 1}, Shape{1, 41, 103, 1}})
        for (const bool masked : {false, true}) {
            check_stretch(shape, {Normalise::By::paper, 65535, 1}, 0, masked);
            check_stretch(shape, {Normalise::By::asinh, 0, 1}, 20, masked);
            check_stretch(shape, {Normalise::By::asinh, 0, 3}, 0.01f, masked);
        }
}

TEST_CASE("CUDA normalise: without a noise everything is background") {
    if (gpu_missing()) return;
    Queue q;
    const OnGpu<float> image(q.stream, random_array<float>({1, 3, 3, 1}, 1)), y(q.stream, {1, 3, 3, 1});
    for (const float sigma : {0.0f, NAN, -1.0f}) {
        const OnGpu<float> noise(q.stream, Array<float>({1, 1, 1, 1}, {sigma}));
        normalise(q.stream, image.read(), {}, image.read(), noise.data(), {}, y.view());
        const Array<float> got = y.get();
        for (int i = 0; i < 9; ++i) CHECK(got[i] == 0);
    }
}

TEST_CASE_TEMPLATE("CUDA windows are cut anywhere and filled with 0 outside", T, float, bf16) {
    if (gpu_missing()) return;
    Both d;
    const Array<float> image = random_array<float>({1, 7, 9, 1}, 93);
    const OnGpu<float> gi(d.gpu.stream, image);
    const auto check = [&](int y0, int x0, Shape shape) {
        Array<T> want(shape);
        const OnGpu<T> y(d.gpu.stream, shape);
        cut_window<T>(d.cpu.stream, image.view(), y0, x0, want.view());
        cut_window<T>(d.gpu.stream, gi.read(), y0, x0, y.view());
        return differing(y.get(), want);
    };
    int wrong = 0;
    for (int y0 = -12; y0 <= 12; y0 += 3)
        for (int x0 = -14; x0 <= 14; x0 += 2)
            wrong += check(y0, x0, {1, 1, 1, 1}) + check(y0, x0, {1, 5, 4, 1}) + check(y0, x0, {1, 2, 300, 1});
    for (const int far : {INT_MIN, INT_MIN + 1, INT_MAX - 1, INT_MAX})
        wrong += check(far, 0, {1, 5, 5, 1}) + check(0, far, {1, 5, 5, 1});
    CHECK(wrong == 0);
    CHECK(gi.get() == image);
}
