// Gradient norm and Adam against double precision: clipping, decay split, averages, bf16 copies, skipped steps.
#include "kernels/adam.h"
#include "tests/reference/adam_bounds.h"

using namespace star;
using namespace star::reference;

namespace {

struct State : AdamState {
    using AdamState::AdamState;
    void step(Desk& desk, float norm, const AdamStep& how, std::int64_t decayed) {
        adam_step(desk.stream, grad.view(), &norm, &how, decayed, value.view(), m.view(), v.view(), averaged.view(),
                  rounded.view());
    }
};

float norm_of(Desk& desk, const Array<float>& grad) {
    float norm = -1;
    gradient_norm(desk.stream, grad.view(), &norm, desk.arena);
    return norm;
}

void check_step(int size, const AdamStep& how, float norm, int decayed) {
    Desk desk;
    State s(size);
    const State before = s;
    s.step(desk, norm, how, decayed);
    check_adam_step(before, s, how, norm, decayed);
}

}  // namespace

TEST_CASE("Adam lies within its bound") {
    AdamStep how;
    check_step(1, how, 1, 1);
    how.weight_decay = 0.05f, how.clip = 0.5f, how.average = 0.999f;
    for (const std::int64_t step : {1, 2, 10, 100000}) {
        how.step = step;
        check_step(1003, how, 40, 400);
        check_step(1003, how, 0.1f, 1003);
    }
    how.rate = 10, how.beta1 = 0;
    check_step(17, how, 2, 0);
    check_step(33000, how, 2, 32900);  // the decay's end within the second piece of work
}

TEST_CASE("the gradient's norm is right to its last bits, also of large and tiny numbers") {
    Desk desk;
    for (const int size : {1, 7, 8, 9, 32768, 32769, 100003}) {
        const Array<float> g = random_array<float>({1, 1, 1, size}, 66, 3);
        double sum = 0;
        for (int i = 0; i < size; ++i) sum += double(g[i]) * g[i];
        CHECK(std::fabs(norm_of(desk, g) - std::sqrt(sum)) <= 1.01 * 0x1p-24 * std::sqrt(sum));
    }
    CHECK(norm_of(desk, Array<float>({1, 1, 1, 4}, {1e30f, 1e30f, 1e30f, 1e30f})) == 2e30f);
    CHECK(norm_of(desk, Array<float>({1, 1, 1, 4}, {1e-30f, 1e-30f, 1e-30f, 1e-30f})) == 2e-30f);
    CHECK(std::isnan(norm_of(desk, Array<float>({1, 1, 1, 3}, {1, NAN, 1}))));
    CHECK(std::isinf(norm_of(desk, Array<float>({1, 1, 1, 3}, {1, INFINITY, 1}))));
}

TEST_CASE("a step without a finite norm changes nothing but the rounded copies") {
    for (const float norm : {NAN, INFINITY}) {
        Desk desk;
        State s(100);
        const State before = s;
        s.step(desk, norm, {}, 50);
        CHECK(s.same_as(before));
        for (int i = 0; i < 100; ++i) CHECK(s.rounded[i] == to_bf16(s.value[i]));
    }
}

TEST_CASE("Adam: average 0 is a copy, views may be absent, any thread count gives the same bits") {
    State one(70001), four = one, bare = one;
    Desk desk1(1), desk4(4);
    AdamStep how;
    how.weight_decay = 0.1f;
    one.step(desk1, 3, how, 35000);
    four.step(desk4, 3, how, 35000);
    CHECK(one.same_as(four));
    CHECK(one.averaged == one.value);
    const float norm = 3;
    adam_step(desk1.stream, bare.grad.view(), &norm, &how, 35000, bare.value.view(), bare.m.view(), bare.v.view(), {},
              {});
    CHECK(bare.value == one.value);
    const float norm1 = norm_of(desk1, one.grad), norm4 = norm_of(desk4, one.grad);
    CHECK(norm1 == norm4);
    CHECK(rehearses([&](Stream stream, Arena& arena) {
        float out;
        gradient_norm(stream, one.grad.view(), &out, arena);
    }));
}

TEST_CASE("Adam finds the minimum of a quadratic") {
    Desk desk;
    State s(3);
    for (int i = 0; i < 3; ++i) s.m[i] = s.v[i] = 0;
    AdamStep how;
    how.rate = 0.05f;
    for (how.step = 1; how.step <= 2000; ++how.step) {
        for (int i = 0; i < 3; ++i) s.grad[i] = float(i + 1) * (s.value[i] - float(i));
        if (how.step == 1000) how.rate = 0.001f;
        s.step(desk, 1, how, 0);
    }
    for (int i = 0; i < 3; ++i)
        CHECK(std::fabs(s.value[i] - float(i)) < 2 * 0.001f);  // Adam's steps are as large as its rate
}

TEST_CASE("Adam: wrong sizes are errors") {
    Desk desk;
    State s(10), small(9);
    const AdamStep how;
    CHECK_THROWS_AS(s.step(desk, 1, how, 11), Error);
    CHECK_THROWS_AS(s.step(desk, 1, how, -1), Error);
    const float norm = 1;
    CHECK_THROWS_AS(
        adam_step(desk.stream, s.grad.view(), &norm, &how, 0, small.value.view(), s.m.view(), s.v.view(), {}, {}),
        Error);
    CHECK_THROWS_AS(adam_step(desk.stream, s.grad.view(), &norm, &how, 0, s.value.view(), s.m.view(), s.v.view(),
                              small.averaged.view(), {}),
                    Error);
    CHECK_THROWS_AS(adam_step(desk.stream, s.grad.view(), &norm, &how, 0, s.value.view(), s.m.view(), s.v.view(), {},
                              small.rounded.view()),
                    Error);
}
