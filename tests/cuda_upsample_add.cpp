// The CUDA upsample-and-add: the CPU's bits, forward and backward, since both add in one order.
#include "kernels/upsample_add.h"
#include "tests/cuda_arrays.h"

using namespace star;
using namespace star::reference;
using namespace star::test;

namespace {

struct Pair {
    Shape coarse, fine;
};
const Pair pairs[] = {{{1, 1, 1, 1}, {1, 1, 1, 1}},        {{2, 3, 5, 8}, {2, 6, 10, 8}},
                      {{1, 4, 4, 24}, {1, 7, 8, 24}},      {{3, 1, 2, 3}, {3, 13, 11, 3}},
                      {{1, 5, 5, 100}, {1, 5, 9, 100}},    {{2, 7, 3, 65}, {2, 17, 4, 65}},
                      {{1, 13, 13, 256}, {1, 25, 25, 256}}};

template <class T>
void check(const Pair& p) {
    CAPTURE(p.fine.h);
    CAPTURE(p.fine.c);
    Both d;
    const Stream cpu = d.cpu.stream, q = d.gpu.stream;
    const Array<T> coarse = random_array<T>(p.coarse, 31), lateral = random_array<T>(p.fine, 32);
    Array<T> y(p.fine), dcoarse(p.coarse);
    upsample_add<T>(cpu, coarse.view(), lateral.view(), y.view());
    upsample_add_backward<T>(cpu, y.view(), dcoarse.view());
    const OnGpu<T> gc(q, coarse), gl(q, lateral), gy(q, p.fine), gd(q, p.coarse);
    upsample_add<T>(q, gc.read(), gl.read(), gy.view());
    upsample_add_backward<T>(q, gy.read(), gd.view());
    CHECK(gy.get() == y);
    CHECK(gd.get() == dcoarse);
    CHECK(gc.get() == coarse);
    CHECK(gl.get() == lateral);
    upsample_add<T>(q, gc.read(), gl.read(), gl.view());
    CHECK(gl.get() == y);
}

}  // namespace

TEST_CASE_TEMPLATE("CUDA upsample-and-add has the CPU's bits, forward and backward", T, float, bf16) {
    if (gpu_missing()) return;
    for (const Pair& p : pairs) check<T>(p);
}

TEST_CASE("CUDA upsample-and-add of extents whose product needs 64 bits") {
    if (gpu_missing()) return;
    check<float>({{1, 1, 50000, 1}, {1, 1, 99999, 1}});
}
