// The CUDA gradient norm and Adam against double precision: clipping, decay split, averages, bf16 copies, skipped
// steps.
#include "kernels/adam.h"
#include "tests/cuda_arrays.h"
#include "tests/reference/adam_bounds.h"

using namespace star;
using namespace star::reference;
using namespace star::test;

namespace {

struct Shown {
    bool averaged = true, rounded = true;
    int shift = 0;  // elements by which the arrays begin behind an aligned address
};

/// One step on the GPU; norm and AdamStep lie there too.
AdamState stepped(const AdamState& before, const AdamStep& how, float norm, int decayed, Shown shown = {}) {
    Both d;
    const Stream q = d.gpu.stream;
    const OnGpu<float> grad(q, before.grad), value(q, before.value), m(q, before.m), v(q, before.v),
        averaged(q, before.averaged);
    const OnGpu<bf16> rounded(q, before.rounded.shape());
    const Buffer<float> gpu_norm = upload(q, std::vector<float>{norm});
    const Buffer<AdamStep> gpu_how = upload(q, std::vector<AdamStep>{how});
    const Shape shape{1, 1, 1, int(before.grad.size()) - shown.shift};
    const auto part = [&](const auto& a) { return View{a.data() + shown.shift, shape}; };
    adam_step(q, part(grad), gpu_norm.data(), gpu_how.data(), decayed, part(value), part(m), part(v),
              shown.averaged ? part(averaged) : View<float>{}, shown.rounded ? part(rounded) : View<bf16>{});
    AdamState after = before;
    after.grad = grad.get(), after.value = value.get(), after.m = m.get(), after.v = v.get();
    after.averaged = averaged.get(), after.rounded = rounded.get();
    return after;
}

AdamState without_first(const AdamState& s) {
    const int size = int(s.grad.size()) - 1;
    AdamState rest(size);
    const auto copy = [&](const auto& from, auto& to) {
        for (int i = 0; i < size; ++i) to[i] = from[i + 1];
    };
    copy(s.grad, rest.grad), copy(s.value, rest.value), copy(s.m, rest.m), copy(s.v, rest.v);
    copy(s.averaged, rest.averaged), copy(s.rounded, rest.rounded);
    return rest;
}

void check(int size, const AdamStep& how, float norm, int decayed) {
    const AdamState before(size);
    check_adam_step(before, stepped(before, how, norm, decayed), how, norm, decayed);
}

float norm_of(const Array<float>& grad, int shift = 0) {
    Both d;
    const OnGpu<float> g(d.gpu.stream, grad), norm(d.gpu.stream, {1, 1, 1, 1});
    gradient_norm(d.gpu.stream, {g.data() + shift, {1, 1, 1, int(grad.size()) - shift}}, norm.data(), d.scratch);
    CHECK(g.get() == grad);
    return norm.get()[0];
}

}  // namespace

TEST_CASE("CUDA Adam lies within its bound") {
    if (gpu_missing()) return;
    AdamStep how;
    check(1, how, 1, 1);
    how.weight_decay = 0.05f, how.clip = 0.5f, how.average = 0.999f;
    for (const std::int64_t step : {1, 2, 10, 100000}) {
        how.step = step;
        check(1003, how, 40, 401);  // the decay's end within a pack
        check(1003, how, 0.1f, 1003);
    }
    how.rate = 10, how.beta1 = 0;
    check(17, how, 2, 0);
    check(32768, how, 2, 5);
    check(33001, how, 2, 32900);  // the decay's end within the second block
}

TEST_CASE("CUDA Adam wherever the arrays lie, without averages or copies") {
    if (gpu_missing()) return;
    const AdamState before(1007);
    AdamStep how;
    how.weight_decay = 0.1f;
    const AdamState all = stepped(before, how, 3, 500), bare = stepped(before, how, 3, 500, {false, false, 0});
    CHECK(all.value == bare.value);
    CHECK(bare.averaged == before.averaged);
    CHECK(all.averaged == all.value);  // average 0 is a copy
    // One element at a time is another kernel, which may contract products and sums in another way.
    const AdamState shifted = stepped(before, how, 3, 499, {true, true, 1});
    check_adam_step(without_first(before), without_first(shifted), how, 3, 499);
    CHECK(shifted.value[0] == before.value[0]);
}

TEST_CASE("CUDA Adam without a finite norm changes nothing but the rounded copies") {
    if (gpu_missing()) return;
    for (const float norm : {NAN, INFINITY}) {
        const AdamState before(100), after = stepped(before, {}, norm, 50);
        CHECK(after.same_as(before));
        for (int i = 0; i < 100; ++i) CHECK(after.rounded[i] == to_bf16(before.value[i]));
    }
}

TEST_CASE("CUDA gradient norm is right to its last bits, also of large and tiny numbers") {
    if (gpu_missing()) return;
    for (const int size : {1, 3, 4, 1023, 32768, 32769, 100003}) {
        const Array<float> g = random_array<float>({1, 1, 1, size}, 66, 3);
        double sum = 0;
        for (int i = 0; i < size; ++i) sum += double(g[i]) * g[i];
        CHECK(std::fabs(norm_of(g) - std::sqrt(sum)) <= 1.01 * 0x1p-24 * std::sqrt(sum));
        if (size > 1) {
            const double rest = std::sqrt(sum - double(g[0]) * g[0]);
            CHECK(std::fabs(norm_of(g, 1) - rest) <= 1.01 * 0x1p-24 * rest);
        }
    }
    CHECK(norm_of(Array<float>({1, 1, 1, 4}, {1e30f, 1e30f, 1e30f, 1e30f})) == 2e30f);
    CHECK(norm_of(Array<float>({1, 1, 1, 4}, {1e-30f, 1e-30f, 1e-30f, 1e-30f})) == 2e-30f);
    CHECK(std::isnan(norm_of(Array<float>({1, 1, 1, 3}, {1, NAN, 1}))));
    CHECK(std::isinf(norm_of(Array<float>({1, 1, 1, 3}, {1, INFINITY, 1}))));
}
