// The CUDA orientations against geometry.
#include "kernels/orient.h"
#include "tests/cuda_arrays.h"
#include "tests/reference/orient.h"

using namespace star;
using namespace star::reference;
using namespace star::test;

TEST_CASE_TEMPLATE("CUDA orient shows every orientation", T, float, bf16) {
    if (gpu_missing()) return;
    Queue q;
    for (const Shape s : orient_cases) {
        CAPTURE(s.h);
        const Array<T> x = random_array<T>(s, 5);
        const OnGpu<T> gx(q.stream, x), y(q.stream, {orientations * s.n, s.h, s.w, s.c});
        orient<T>(q.stream, gx.read(), y.view());
        CHECK(y.get() == oriented(x));
        CHECK(gx.get() == x);
    }
}

TEST_CASE_TEMPLATE("CUDA mean of orientations is its definition", T, float, bf16) {
    if (gpu_missing()) return;
    Queue q;
    for (const Shape s : mean_cases)
        for (const Turning turning : {Turning::never, Turning::offsets}) {
            CAPTURE(s.h);
            CAPTURE(int(turning));
            const Array<T> x = random_array<T>({orientations * s.n, s.h, s.w, s.c}, 6);
            const OnGpu<T> gx(q.stream, x), y(q.stream, s);
            average_orientations<T>(q.stream, gx.read(), turning, y.view());
            CHECK(all_within(orientations_mean(x, turning), y.get()));
            CHECK(gx.get() == x);
        }
}
