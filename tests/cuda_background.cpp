// The CUDA sky mesh against its definition, the noise against the CPU's bits, since both select the same numbers.
#include "kernels/background.h"
#include "tests/cuda_arrays.h"
#include "tests/reference/background_bounds.h"

using namespace star;
using namespace star::reference;
using namespace star::test;

namespace {

using Mask = Array<std::uint8_t>;

void check(const Array<float>& image, const Mask* mask, Mesh how) {
    const Shape s = image.shape();
    CAPTURE(s.h);
    CAPTURE(s.w);
    CAPTURE(how.filter);
    Both d;
    const Stream q = d.gpu.stream;
    const OnGpu<float> pixels(q, image), noise(q, {1, 1, 1, 1});
    const OnGpu<std::uint8_t> bad = mask ? OnGpu<std::uint8_t>(q, *mask) : OnGpu<std::uint8_t>(q, Shape{1, 1, 1, 1});
    const View<const std::uint8_t> m = mask ? bad.read() : View<const std::uint8_t>{};
    const Shape cells{1, mesh_cells(s.h, how.size), mesh_cells(s.w, how.size), 1};
    const OnGpu<float> level(q, cells), rms(q, cells);
    background_mesh(q, pixels.read(), m, how, level.view(), rms.view(), d.scratch);
    const SkyBounds want = sky_bounds(image, mask, how);
    CHECK(all_within(want.level, level.get()));
    CHECK(all_within(want.rms, rms.get()));

    Array<float> cpu({1, 1, 1, 1});
    high_frequency_noise(d.cpu.stream, image.view(), mask ? mask->view() : m, how, cpu.data(), d.cpu.arena);
    high_frequency_noise(q, pixels.read(), m, how, noise.data(), d.scratch);
    CHECK(differing(noise.get(), cpu) == 0);
    CHECK(differing(pixels.get(), image) == 0);
    if (mask) CHECK(bad.get() == *mask);
}

}  // namespace

TEST_CASE("the CUDA sky mesh is its definition, the noise the CPU's: sizes, masks, NaN, empty cells") {
    if (gpu_missing()) return;
    for (const Shape s : {Shape{1, 1, 1, 1}, Shape{1, 3, 17, 1}, Shape{1, 16, 16, 1}, Shape{1, 24, 23, 1},
                          Shape{1, 97, 113, 1}, Shape{1, 5, 200, 1}}) {
        const int filter = s.h > 20 ? 3 : 1;
        Array<float> image = random_array<float>(s, 5, 3, 100);
        Random r(6, 6);
        for (std::int64_t i = 0; i < image.size(); ++i)
            if (r.below(10) == 0) image[i] += 300 * float(r.uniform());
        check(image, nullptr, {16, filter});
        check(image, nullptr, {16, 5, 2.5f, 1});
        Mask mask(s);
        for (std::int64_t i = 0; i < mask.size(); ++i) {
            const std::int64_t y = i / s.w, x = i % s.w;
            mask[i] = std::uint8_t((x > 20 && x < 75 && y > 30) || r.below(7) == 0 ? 1 + r.below(255) : 0);
            if (r.below(20) == 0) image[i] = NAN;
            if (y < 16 && x >= 32 && x < 48 && (x + y) % 5) image[i] = INFINITY;  // a cell with a fifth of its pixels
        }
        check(image, &mask, {16, filter});
        for (std::int64_t i = 0; i < mask.size(); ++i) mask[i] = i % 9 == 0 ? 0 : 1;  // no cell has a quarter
        check(image, &mask, {16, filter});
        for (std::int64_t i = 0; i < mask.size(); ++i) mask[i] = i == mask.size() - 1 ? 0 : 1;  // one pixel, or none
        check(image, &mask, {16, filter});
    }
}

TEST_CASE("the CUDA sky mesh of few, equal, negative, zero, tiny and huge pixels") {
    if (gpu_missing()) return;
    const Shape s{1, 32, 32, 1};
    Random r(3, 3);
    Array<float> integers(s), signs(s), huge(s);
    for (std::int64_t i = 0; i < s.size(); ++i) {
        integers[i] = float(r.below(5)) - 2;
        signs[i] = (i % 3 ? 1.0f : -1.0f) * std::exp(float(r.uniform(-30, 10)));
        huge[i] = 1e37f * float(r.normal());
    }
    for (const Array<float>* image : {&integers, &signs, &huge})
        for (const Mesh& how : {Mesh{16, 1}, Mesh{16, 3, 3, 0}, Mesh{32, 1, 1.5f}}) check(*image, nullptr, how);
    check(Array<float>(s, std::vector<float>(1024, 3.0f)), nullptr, {16, 3});
    check(Array<float>({1, 1, 6, 1}, {5, 1, -2, 5, 8, 8}), nullptr, {1, 1});
}

TEST_CASE("the CUDA sky clips as the CPU does where every pixel is at the edge or beyond it") {
    if (gpu_missing()) return;
    Both d;
    const Stream q = d.gpu.stream;
    const auto check = [&](const std::vector<float>& values, float clip) {
        const Array<float> image({1, 1, int(values.size()), 1}, values);
        const Mesh how{8, 1, clip};
        const OnGpu<float> pixels(q, image), level(q, {1, 1, 1, 1}), rms(q, {1, 1, 1, 1});
        background_mesh(q, pixels.read(), {}, how, level.view(), rms.view(), d.scratch);
        Array<float> cpu_level({1, 1, 1, 1}), cpu_rms({1, 1, 1, 1});
        background_mesh(d.cpu.stream, image.view(), {}, how, cpu_level.view(), cpu_rms.view(), d.cpu.arena);
        CHECK(level.get() == cpu_level);
        CHECK(rms.get() == cpu_rms);
        return cpu_level[0];
    };
    CHECK(check({-1, 1, -1, 1}, 1) == 0);      // exactly at one sigma: all stay
    CHECK(check({1, 5}, 0.5f) == 5);           // both beyond: one stays
    CHECK(check({0, 1, 11, 10}, 0.5f) == 10);  // the least that isn't too low
    CHECK(check({0, 0, 10, 10}, 0.5f) == 10);
}

TEST_CASE("a CUDA mesh becomes an image by bilinear interpolation") {
    if (gpu_missing()) return;
    Queue q;
    for (const Shape s :
         {Shape{1, 1, 1, 1}, Shape{1, 7, 100, 1}, Shape{1, 65, 90, 1}, Shape{1, 24, 23, 1}, Shape{1, 3, 300, 1}})
        for (const int size : {1, 4, 16, 31}) {
            CAPTURE(s.h);
            CAPTURE(size);
            const Array<float> mesh =
                random_array<float>({1, mesh_cells(s.h, size), mesh_cells(s.w, size), 1}, 11, 10, 100);
            const OnGpu<float> nodes(q.stream, mesh), out(q.stream, s);
            mesh_to_image(q.stream, nodes.read(), size, out.view());
            CHECK(all_within(interpolated(mesh, size, s), out.get()));
            CHECK(nodes.get() == mesh);
        }
}
