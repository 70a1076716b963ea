// The CUDA max pool: the CPU's bits, forward and backward, since nothing in it is rounded but sums in one order.
#include "kernels/max_pool.h"
#include "tests/cuda_arrays.h"

using namespace star;
using namespace star::reference;
using namespace star::test;

namespace {

template <class T>
void check(Shape s, MaxPool how, bool with_nan) {
    CAPTURE(s.h);
    CAPTURE(s.c);
    CAPTURE(how.size);
    CAPTURE(how.stride);
    Both d;
    const Stream cpu = d.cpu.stream, q = d.gpu.stream;
    Array<T> x = random_array<T>(s, 21);
    for (std::int64_t i = 0; i < x.size(); i += 3) x[i] = narrow<T>(std::round(widen(x[i])));  // equals
    if (with_nan)
        for (std::int64_t i = 0; i < x.size(); i += 7) x[i] = narrow<T>(NAN);
    const Shape t = max_pool_shape(s, how);
    const Array<T> dy = random_array<T>(t, 22);
    Array<T> y(t), dx(s);
    Array<std::uint8_t> from(t);
    max_pool_forward<T>(cpu, x.view(), how, y.view(), from.view());
    max_pool_backward<T>(cpu, dy.view(), from.view(), how, dx.view());

    const OnGpu<T> gx(q, x), gdy(q, dy), gy(q, t), alone(q, t), gdx(q, s);
    const OnGpu<std::uint8_t> taken(q, t);
    max_pool_forward<T>(q, gx.read(), how, gy.view(), taken.view());
    max_pool_forward<T>(q, gx.read(), how, alone.view(), {});
    max_pool_backward<T>(q, gdy.read(), taken.read(), how, gdx.view());
    CHECK(differing(gy.get(), y) == 0);
    CHECK(differing(alone.get(), y) == 0);
    CHECK(taken.get() == from);
    CHECK(gdx.get() == dx);
    CHECK(differing(gx.get(), x) == 0);
    CHECK(gdy.get() == dy);
}

}  // namespace

TEST_CASE_TEMPLATE("CUDA max pool has the CPU's bits, forward and backward", T, float, bf16) {
    if (gpu_missing()) return;
    for (const Shape& s : shapes)
        for (const MaxPool how :
             {MaxPool{3, 2, 1}, MaxPool{2, 2, 0}, MaxPool{3, 1, 1}, MaxPool{1, 2, 0}, MaxPool{5, 3, 2}})
            if (s.h + 2 * how.pad >= how.size && s.w + 2 * how.pad >= how.size) check<T>(s, how, s.h % 2);
    check<T>({1, 40, 23, 8}, {16, 7, 8}, true);
    check<T>({1, 3, 65, 64}, {3, 2, 1}, false);  // rows of more items than a block has threads
}
