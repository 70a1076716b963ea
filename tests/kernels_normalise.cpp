// Normalisation and windows against their formulas.
#include <climits>

#include "kernels/normalise.h"
#include "tests/reference/array.h"

using namespace star;
using namespace star::reference;

namespace {

const Shape many{1, 131, 257, 1};  // several pieces of work

void check_stretch(Normalise how, float sigma, bool masked) {
    Desk desk;
    Array<float> image = random_array<float>(many, 91, 500, 900);
    const Array<float> background = random_array<float>(many, 92, 20, 900);
    Array<std::uint8_t> mask(many);
    for (std::int64_t i = 0; i < mask.size(); ++i) mask[i] = std::uint8_t(i % 11 == 0 ? 4 : 0);
    for (std::int64_t i = 0; i < image.size(); i += 13) image[i] = i % 2 ? NAN : i % 4 ? INFINITY : -INFINITY;
    const Array<float> before = image;
    Array<float> y(many);
    const View<const std::uint8_t> m = masked ? read_only(mask.view()) : View<const std::uint8_t>{};
    normalise(desk.stream, image.view(), m, background.view(), &sigma, how, y.view());
    Bounds expected(many.size());
    for (std::int64_t i = 0; i < many.size(); ++i) {
        if (!std::isfinite(image[i]) || (masked && mask[i])) continue;
        const double f = image[i], b = background[i];
        const double v = how.by == Normalise::By::paper ? (std::max(f, b) - b) / (double(how.full) - b)
                                                        : std::asinh((f - b) / (double(how.softening) * sigma));
        // Two differences (or one and a product), a quotient, asinh to 2 ulp; asinh never magnifies a relative error.
        expected.value[std::size_t(i)] = v, expected.bound[std::size_t(i)] = 8 * 0x1p-24 * std::fabs(v);
    }
    CHECK(all_within(expected, y));
    CHECK(image == before);
    normalise(desk.stream, image.view(), m, background.view(), &sigma, how, image.view());
    CHECK(image == y);
}

}  // namespace

TEST_CASE("normalise is its formula; unusable pixels are background") {
    for (const bool masked : {false, true}) {
        check_stretch({Normalise::By::paper, 65535, 1}, 0, masked);
        check_stretch({Normalise::By::asinh, 0, 1}, 20, masked);
        check_stretch({Normalise::By::asinh, 0, 3}, 0.01f, masked);
    }
}

TEST_CASE("normalise: without a noise everything is background") {
    Desk desk;
    const Array<float> image = random_array<float>({1, 3, 3, 1}, 1);
    for (const float sigma : {0.0f, NAN, -1.0f}) {
        Array<float> y({1, 3, 3, 1});
        normalise(desk.stream, image.view(), {}, image.view(), &sigma, {}, y.view());
        for (int i = 0; i < 9; ++i) CHECK(y[i] == 0);
    }
}

TEST_CASE("windows are cut anywhere and filled with 0 outside") {
    Desk desk;
    const Array<float> image = random_array<float>({1, 7, 9, 1}, 93);
    const auto check = [&](int y0, int x0, Shape shape) {
        Array<float> y(shape);
        Array<bf16> rounded(shape);
        cut_window<float>(desk.stream, image.view(), y0, x0, y.view());
        cut_window<bf16>(desk.stream, image.view(), y0, x0, rounded.view());
        int wrong = !y.intact() + !rounded.intact();
        for (std::int64_t i = 0; i < shape.h; ++i)
            for (std::int64_t j = 0; j < shape.w; ++j) {
                const std::int64_t h = y0 + i, w = x0 + j;
                const float want = h >= 0 && h < 7 && w >= 0 && w < 9 ? image[h * 9 + w] : 0.0f;
                wrong += y[i * shape.w + j] != want || rounded[i * shape.w + j] != to_bf16(want);
            }
        return wrong;
    };
    int wrong = 0;
    for (int y0 = -12; y0 <= 12; ++y0)
        for (int x0 = -14; x0 <= 14; ++x0)
            wrong += check(y0, x0, {1, 1, 1, 1}) + check(y0, x0, {1, 5, 4, 1}) + check(y0, x0, {1, 11, 13, 1});
    for (const int far : {INT_MIN, INT_MIN + 1, INT_MAX - 1, INT_MAX})
        wrong += check(far, 0, {1, 5, 5, 1}) + check(0, far, {1, 5, 5, 1});
    CHECK(wrong == 0);
}

TEST_CASE("normalise: wrong shapes are errors") {
    Desk desk;
    const float sigma = 1;
    Array<float> a({1, 4, 5, 1}), b({1, 5, 4, 1}), two({2, 4, 5, 1});
    Array<std::uint8_t> mask({1, 5, 4, 1});
    CHECK_THROWS_AS(normalise(desk.stream, a.view(), {}, b.view(), &sigma, {}, a.view()), Error);
    CHECK_THROWS_AS(normalise(desk.stream, a.view(), {}, a.view(), &sigma, {}, b.view()), Error);
    CHECK_THROWS_AS(normalise(desk.stream, a.view(), mask.view(), a.view(), &sigma, {}, a.view()), Error);
    CHECK_THROWS_AS(normalise(desk.stream, a.view(), {}, a.view(), &sigma, {Normalise::By::asinh, 1, 0}, a.view()),
                    Error);
    CHECK_THROWS_AS(cut_window<float>(desk.stream, two.view(), 0, 0, a.view()), Error);
    CHECK_THROWS_AS(cut_window<float>(desk.stream, a.view(), 0, 0, two.view()), Error);
}
