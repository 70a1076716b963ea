// The CUDA additions, ReLU and conversions: the CPU's bits, since each is one rounding.
#include "kernels/elementwise.h"
#include "tests/cuda_arrays.h"

using namespace star;
using namespace star::reference;
using namespace star::test;

namespace {

// Around a thread's pack (4 or 8 elements) and a block (1024 or 2048), and more than one.
const Shape sizes[] = {{1, 1, 1, 3},    {1, 1, 1, 4},    {1, 1, 1, 7},    {1, 1, 1, 1023},
                       {1, 1, 1, 1024}, {1, 1, 1, 1025}, {1, 1, 2, 2048}, {3, 41, 7, 5}};

template <class T>
Array<T> values(Shape shape, std::uint64_t seed) {
    Array<T> a = random_array<T>(shape, seed);
    const float special[] = {NAN, 0.0f, -0.0f, INFINITY, -INFINITY, 1e-42f, 3.3e38f};
    for (std::size_t i = 0; i < std::size(special) && std::int64_t(i) < a.size(); ++i)
        a[std::int64_t((i * seed) % std::size(special)) % a.size()] = narrow<T>(special[i]);
    return a;
}

template <class T>
View<T> shifted(const OnGpu<T>& a, Shape shape) {  // begins one element behind an aligned address
    return {a.data() + 1, shape};
}

template <class T>
void check_maps(Shape shape) {
    CAPTURE(shape.size());
    Both d;
    const Stream cpu = d.cpu.stream, gpu = d.gpu.stream;
    const Array<T> a = values<T>(shape, 1), b = values<T>(shape, 2);
    Array<T> want(shape);
    const OnGpu<T> ga(gpu, a), gb(gpu, b), y(gpu, shape);
    for (const bool relu : {false, true}) {
        add<T>(cpu, a.view(), b.view(), relu, want.view());
        add<T>(gpu, ga.read(), gb.read(), relu, y.view());
        CHECK(differing(y.get(), want) == 0);
    }
    relu_backward<T>(cpu, a.view(), b.view(), want.view());
    relu_backward<T>(gpu, ga.read(), gb.read(), y.view());
    CHECK(differing(y.get(), want) == 0);
    relu_forward<T>(cpu, a.view(), want.view());
    relu_forward<T>(gpu, ga.read(), y.view());
    CHECK(differing(y.get(), want) == 0);
    CHECK(ga.get() == a);
    CHECK(gb.get() == b);
    relu_forward<T>(gpu, ga.read(), ga.view());
    CHECK(differing(ga.get(), want) == 0);
}

template <class A, class B>
void check_convert(Shape shape) {
    CAPTURE(shape.size());
    Both d;
    const Array<A> a = values<A>(shape, 3);
    Array<B> want(shape);
    const OnGpu<A> ga(d.gpu.stream, a);
    const OnGpu<B> y(d.gpu.stream, shape);
    convert<A, B>(d.cpu.stream, a.view(), want.view());
    convert<A, B>(d.gpu.stream, ga.read(), y.view());
    CHECK(differing(y.get(), want) == 0);
    CHECK(ga.get() == a);
}

}  // namespace

TEST_CASE_TEMPLATE("CUDA add and ReLU have the CPU's bits", T, float, bf16) {
    if (gpu_missing()) return;
    for (const Shape& s : sizes) check_maps<T>(s);
    for (const Shape& s : shapes) check_maps<T>(s);
}

TEST_CASE("CUDA convert has the CPU's bits") {
    if (gpu_missing()) return;
    for (const Shape& s : sizes) {
        check_convert<float, bf16>(s);
        check_convert<bf16, float>(s);
        check_convert<float, float>(s);
        check_convert<bf16, bf16>(s);
    }
}

TEST_CASE_TEMPLATE("CUDA add where the data isn't aligned, and in place", T, float, bf16) {
    if (gpu_missing()) return;
    Both d;
    const Shape shape{1, 1, 1, 1029}, room{1, 1, 1, 1030};
    const Array<T> a = values<T>(room, 4), b = values<T>(room, 5);
    Array<T> want = b;
    const OnGpu<T> ga(d.gpu.stream, a), gb(d.gpu.stream, b);
    add<T>(d.cpu.stream, {a.data() + 1, shape}, {b.data() + 1, shape}, true, {want.data() + 1, shape});
    add<T>(d.gpu.stream, shifted(ga, shape), shifted(gb, shape), true, shifted(gb, shape));
    CHECK(differing(gb.get(), want) == 0);
    CHECK(differing(ga.get(), a) == 0);
}
