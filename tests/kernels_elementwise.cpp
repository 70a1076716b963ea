// Additions, ReLU and conversions against their definitions, bit for bit: each is one rounding.
#include "kernels/config.h"
#include "kernels/elementwise.h"
#include "tests/reference/array.h"

using namespace star;
using namespace star::reference;

namespace {

const Shape many{1, 3, 11003, 2};  // more than one piece of work, not a multiple of one

template <class T>
void check_all(Shape shape) {
    CAPTURE(shape.h);
    CAPTURE(shape.c);
    Desk desk;
    Array<T> a = random_array<T>(shape, 1), b = random_array<T>(shape, 2);
    a[0] = narrow<T>(std::nanf(""));
    if (a.size() > 1) a[1] = narrow<T>(0.0f), b[1] = narrow<T>(-0.0f);
    const Array<T> a0 = a, b0 = b;
    Array<T> sum(shape), clipped(shape), relu(shape), back(shape);
    add<T>(desk.stream, a0.view(), b0.view(), false, sum.view());
    add<T>(desk.stream, a0.view(), b0.view(), true, clipped.view());
    relu_forward<T>(desk.stream, a0.view(), relu.view());
    relu_backward<T>(desk.stream, a0.view(), b0.view(), back.view());
    CHECK(a == a0);
    CHECK(b == b0);
    CHECK(sum.intact());
    CHECK(clipped.intact());
    CHECK(relu.intact());
    CHECK(back.intact());
    const auto same = [](T x, float y) {
        return std::isnan(y) ? std::isnan(widen(x)) : widen(x) == widen(narrow<T>(y));
    };
    int wrong = 0;
    for (std::int64_t i = 0; i < a.size(); ++i) {
        const float x = widen(a0[i]), y = widen(b0[i]);
        wrong += !same(sum[i], x + y) + !same(clipped[i], std::isnan(x + y) ? x + y : std::fmax(x + y, 0.0f)) +
                 !same(relu[i], std::isnan(x) ? x : std::fmax(x, 0.0f)) + !same(back[i], x > 0 ? y : 0);
    }
    CHECK(wrong == 0);
    add<T>(desk.stream, a.view(), b.view(), false, a.view());  // in place
    CHECK(a == sum);
    a = a0;
    relu_forward<T>(desk.stream, a.view(), a.view());
    CHECK(a == relu);
    a = a0;
    relu_backward<T>(desk.stream, a.view(), b.view(), b.view());
    CHECK(b == back);
}

}  // namespace

TEST_CASE("add and ReLU are their definitions, also in place") {
    for (const Shape& s : shapes) check_all<float>(s), check_all<bf16>(s);
    check_all<float>(many);
    check_all<bf16>(many);
}

TEST_CASE("convert rounds to nearest even and back without loss") {
    Desk desk;
    const Array<float> x = random_array<float>(many, 3);
    Array<bf16> rounded(many), again(many);
    Array<float> wide(many), copy(many);
    convert<float, bf16>(desk.stream, x.view(), rounded.view());
    convert<bf16, float>(desk.stream, rounded.view(), wide.view());
    convert<float, bf16>(desk.stream, wide.view(), again.view());
    convert<float, float>(desk.stream, x.view(), copy.view());
    CHECK(again == rounded);
    CHECK(copy == x);
    int wrong = 0;
    for (std::int64_t i = 0; i < x.size(); ++i) wrong += rounded[i] != to_bf16(x[i]) || wide[i] != widen(rounded[i]);
    CHECK(wrong == 0);
    convert<bf16, bf16>(desk.stream, rounded.view(), again.view());
    CHECK(again == rounded);
}

TEST_CASE("elementwise: wrong shapes and devices are errors, a dry stream does nothing") {
    Desk desk;
    Array<float> a({1, 2, 3, 4}), b({1, 2, 4, 3});
    CHECK_THROWS_AS(add<float>(desk.stream, a.view(), a.view(), false, b.view()), Error);
    CHECK_THROWS_AS(add<float>(desk.stream, a.view(), b.view(), false, a.view()), Error);
    CHECK_THROWS_AS(relu_forward<float>(desk.stream, a.view(), b.view()), Error);
    CHECK_THROWS_AS(relu_backward<float>(desk.stream, a.view(), b.view(), a.view()), Error);
    CHECK_THROWS_AS((convert<float, float>(desk.stream, a.view(), b.view())), Error);
    const View<const float> nothing{nullptr, a.view().shape};
    add<float>(dry(desk.stream), nothing, nothing, false, {nullptr, nothing.shape});
    Stream other = desk.stream;
    other.device.kind = Device::Kind::cuda;
    if (!with_cuda) CHECK_THROWS_AS(add<float>(other, a.view(), a.view(), false, a.view()), Error);
}
