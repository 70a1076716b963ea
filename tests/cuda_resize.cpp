// The CUDA enlargement against its definition.
#include "kernels/resize.h"
#include "tests/cuda_arrays.h"
#include "tests/reference/resize.h"

using namespace star;
using namespace star::reference;
using namespace star::test;

TEST_CASE_TEMPLATE("CUDA enlarge is its definition", T, float, bf16) {
    if (gpu_missing()) return;
    Queue q;
    for (const EnlargeCase& k : enlarge_cases) {
        CAPTURE(k.x.h);
        CAPTURE(k.factor);
        const Array<T> x = random_array<T>(k.x, 41);
        const OnGpu<T> gx(q.stream, x), y(q.stream, {k.x.n, k.x.h * k.factor, k.x.w * k.factor, k.x.c});
        enlarge<T>(q.stream, gx.read(), k.factor, y.view());
        CHECK(all_within(enlarged(x, k.factor), y.get()));
        CHECK(gx.get() == x);
        if (k.factor == 1) CHECK(y.get() == x);
    }
}
