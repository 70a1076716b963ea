// What only the emulator can show of batch norm and Adam: equal bits in every order of threads, and the CPU's bits
// where the arithmetic is the CPU's (a GPU contracts products and sums, the emulator doesn't).
#include "kernels/adam.h"
#include "kernels/batch_norm.h"
#include "tests/cuda_arrays.h"
#include "tests/in_all_orders.h"
#include "tests/reference/adam_bounds.h"

using namespace star;
using namespace star::reference;
using namespace star::test;

namespace {

template <class T>
struct Normalised {
    Array<T> y, dx, dresidual;
    Array<float> saved, parameters, gradients;
    bool operator==(const Normalised&) const = default;
};

// On the CPU, arrays are used where they are; on the GPU, copies.
template <class T>
Normalised<T> normalised(Stream stream, Shape shape, BatchNorm how, bool with_residual) {
    Arena scratch(stream.device, 4 << 20);
    const auto run = [&]<template <class> class Where>() {
        const auto put = [&]<class U>(const Array<U>& a) {
            if constexpr (std::is_constructible_v<Where<U>, Stream, Array<U>>)
                return Where<U>(stream, a);
            else
                return a;
        };
        auto x = put(random_array<T>(shape, 1, 2, 3)), r = put(random_array<T>(shape, 2)),
             dy = put(random_array<T>(shape, 3)), y = put(Array<T>(shape)), dx = put(Array<T>(shape)),
             dr = put(Array<T>(shape));
        Array<float> variances = random_array<float>({1, 1, 4, shape.c}, 4, 0.1, 1);
        auto p = put(variances), g = put(variances), saved = put(Array<float>({2, 1, 1, shape.c}));
        float* const at = p.data();
        const int c = shape.c;
        batch_norm_forward<T>(stream, read_only(x.view()), {at, at + c, at + 2 * c, at + 3 * c}, how,
                              with_residual ? read_only(r.view()) : View<const T>{}, y.view(), saved.view(), scratch);
        batch_norm_backward<T>(stream, read_only(x.view()), read_only(y.view()), read_only(dy.view()),
                               read_only(saved.view()), at, how, dx.view(), with_residual ? dr.view() : View<T>{},
                               g.data(), g.data() + c, scratch);
        const auto get = [&](const auto& a) {
            if constexpr (requires { a.get(); })
                return a.get();
            else
                return a;
        };
        return Normalised<T>{get(y), get(dx), get(dr), get(saved), get(p), get(g)};
    };
    return stream.device == gpu ? run.template operator()<OnGpu>() : run.template operator()<Array>();
}

template <class T>
void check_batch_norm_orders(Shape shape, BatchNorm how, bool residual) {
    CAPTURE(shape.c);
    const auto got = normalised<T>(Queue().stream, shape, how, residual);
    CHECK(same_in_all_orders([&](Stream s) { return normalised<T>(s, shape, how, residual); }));
    CHECK(got == normalised<T>(Desk().stream, shape, how, residual));
}

AdamState stepped(Stream stream, const AdamState& before, const AdamStep& how, int decayed) {
    AdamState s = before;
    Arena scratch(stream.device, 1 << 16);
    if (stream.device != gpu) {
        float norm;
        gradient_norm(stream, s.grad.view(), &norm, scratch);
        adam_step(stream, s.grad.view(), &norm, &how, decayed, s.value.view(), s.m.view(), s.v.view(),
                  s.averaged.view(), s.rounded.view());
        return s;
    }
    const OnGpu<float> grad(stream, s.grad), value(stream, s.value), m(stream, s.m), v(stream, s.v),
        averaged(stream, s.averaged), norm(stream, {1, 1, 1, 1});
    const OnGpu<bf16> rounded(stream, s.rounded);
    const Buffer<AdamStep> step = upload(stream, std::vector<AdamStep>{how});
    gradient_norm(stream, grad.read(), norm.data(), scratch);
    adam_step(stream, grad.read(), norm.data(), step.data(), decayed, value.view(), m.view(), v.view(), averaged.view(),
              rounded.view());
    s.value = value.get(), s.m = m.get(), s.v = v.get(), s.averaged = averaged.get(), s.rounded = rounded.get();
    return s;
}

bool equal(const AdamState& a, const AdamState& b) { return a.same_as(b) && a.rounded == b.rounded; }

}  // namespace

TEST_CASE("batch norm gives the CPU's bits in every order of threads") {
    // At most 32 runs, so that the sums of runs are in the CPU's order, too.
    for (const bool frozen : {false, true}) {
        check_batch_norm_orders<float>({2, 23, 17, 8}, {1e-5f, 0.1f, frozen, true}, true);
        check_batch_norm_orders<bf16>({1, 19, 23, 72}, {1e-5f, 0.1f, frozen, true}, true);
        check_batch_norm_orders<bf16>({1, 7, 5, 3}, {1e-5f, 0.1f, frozen, false}, false);
    }
}

TEST_CASE("batch norm of many runs gives equal bits in every order of threads") {
    const BatchNorm how{1e-5f, 0.1f, false, true};
    CHECK(same_in_all_orders([&](Stream s) { return normalised<bf16>(s, {2, 70, 65, 16}, how, true); }));
}

TEST_CASE("Adam gives the CPU's bits in every order of threads") {
    const AdamState before(70001);
    AdamStep how;
    how.weight_decay = 0.05f, how.clip = 0.5f, how.average = 0.99f, how.step = 7;
    const AdamState want = stepped(Desk().stream, before, how, 33333);
    CHECK(same_in_all_orders([&](Stream s) { return equal(stepped(s, before, how, 33333), want); }));
    CHECK(equal(stepped(Queue().stream, before, how, 33333), want));
}
