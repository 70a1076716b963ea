// The CUDA box loss against double precision: loss, gradient, betas, levels, padding, in place.
#include "tests/cuda_arrays.h"
#include "tests/reference/box_loss_bounds.h"

using namespace star;
using namespace star::reference;
using namespace star::test;

namespace {

template <class T>
void check(const BoxLossCase<T>& k, BoxLoss how) {
    Both d;
    const Stream q = d.gpu.stream;
    const Shape s = k.deltas.shape();
    const OnGpu<T> deltas(q, k.deltas), gradient(q, s);
    const OnGpu<int> match(q, k.match), positives(q, k.positives);
    const OnGpu<Box> truth(q, k.truth);
    const OnGpu<float> loss(q, {1, 1, 1, 1}), again(q, {1, 1, 1, 1});
    const auto run = [&](const OnGpu<T>& to, const OnGpu<float>& sum) {
        box_loss<T>(q, deltas.read(), k.grid, k.level, match.read(), truth.read(), positives.read(), how, to.view(),
                    sum.data(), d.scratch);
    };
    run(gradient, loss);
    check_box_loss(k, how, gradient.get(), loss.get());
    CHECK(deltas.get() == k.deltas);
    CHECK(match.get() == k.match);
    run(deltas, again);
    CHECK(deltas.get() == gradient.get());
    CHECK(again.get() == loss.get());
}

}  // namespace

TEST_CASE("CUDA box loss and gradient lie within their bounds") {
    if (gpu_missing()) return;
    for (const BoxLoss how : {BoxLoss{}, BoxLoss{0, 2.5f}, BoxLoss{1, 0.5f}})
        for (const int level : {0, 1, 2}) {
            check(BoxLossCase<float>(level, 3, 16), how);
            check(BoxLossCase<float>(level, 1, 12), how);
            check(BoxLossCase<float>(level, 1, 15), how);  // padding that isn't four channels
            check(BoxLossCase<bf16>(level, 2, 16), how);
            check(BoxLossCase<bf16>(level, 1, 13), how);
        }
    check(BoxLossCase<bf16>(0, 70, 16), {});  // more than one round of all blocks
}

TEST_CASE("CUDA box loss shows a NaN, and only where a unit is") {
    if (gpu_missing()) return;
    Both d;
    const Stream q = d.gpu.stream;
    BoxLossCase<float> k(2, 1, 16);
    const int first = k.grid.level[2].first;
    k.match[first] = -1, k.match[first + 1] = 5;
    for (const int at : {0, 4}) {  // a background anchor's delta, then a unit's
        k.deltas[at] = NAN;
        const OnGpu<float> deltas(q, k.deltas), gradient(q, k.deltas.shape()), loss(q, {1, 1, 1, 1});
        const OnGpu<int> match(q, k.match), positives(q, k.positives);
        const OnGpu<Box> truth(q, k.truth);
        box_loss<float>(q, deltas.read(), k.grid, 2, match.read(), truth.read(), positives.read(), {0, 1},
                        gradient.view(), loss.data(), d.scratch);
        const Array<float> g = gradient.get();
        CHECK(std::isnan(loss.get()[0]) == (at == 4));
        CHECK(std::isnan(g[4]) == (at == 4));
        CHECK(g[0] == 0);
    }
}
