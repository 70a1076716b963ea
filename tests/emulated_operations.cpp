// What only the emulator can show of the other operations: equal bits in every order of threads, the CPU's bits where
// the arithmetic is the CPU's (a GPU contracts products and sums, the emulator doesn't), and scratch memory that a
// rehearsal foresees.
#include "kernels/adam.h"
#include "kernels/background.h"
#include "kernels/batch_norm.h"
#include "kernels/max_pool.h"
#include "kernels/resize.h"
#include "kernels/upsample_add.h"
#include "tests/cuda_arrays.h"
#include "tests/in_all_orders.h"
#include "tests/reference/box_loss_bounds.h"

using namespace star;
using namespace star::reference;
using namespace star::test;

namespace {

struct Sky {
    Array<float> level, rms, noise, map;
    bool operator==(const Sky&) const = default;
};

Sky sky(Stream stream, const Array<float>& image, const Array<std::uint8_t>& mask, Mesh how) {
    const Shape s = image.shape(), cells{1, mesh_cells(s.h, how.size), mesh_cells(s.w, how.size), 1};
    Arena scratch(gpu, 1 << 16);
    const OnGpu<float> pixels(stream, image), level(stream, cells), rms(stream, cells), noise(stream, {1, 1, 1, 1}),
        map(stream, s);
    const OnGpu<std::uint8_t> bad(stream, mask);
    background_mesh(stream, pixels.read(), bad.read(), how, level.view(), rms.view(), scratch);
    high_frequency_noise(stream, pixels.read(), bad.read(), how, noise.data(), scratch);
    mesh_to_image(stream, level.read(), how.size, map.view());
    return {level.get(), rms.get(), noise.get(), map.get()};
}

template <class T>
bool box_loss_same(const BoxLossCase<T>& k) {
    return same_in_all_orders([&](Stream stream) {
        Arena scratch(gpu, 1 << 16);
        const OnGpu<T> deltas(stream, k.deltas), gradient(stream, k.deltas.shape());
        const OnGpu<int> match(stream, k.match), positives(stream, k.positives);
        const OnGpu<Box> truth(stream, k.truth);
        const OnGpu<float> loss(stream, {1, 1, 1, 1});
        box_loss<T>(stream, deltas.read(), k.grid, k.level, match.read(), truth.read(), positives.read(), {},
                    gradient.view(), loss.data(), scratch);
        return std::pair{gradient.get(), loss.get()};
    });
}

/// Whether f takes as much scratch memory on a dry stream as on a real one: f(stream, arena).
template <class F>
bool rehearses_on_gpu(F f) {
    Queue q;
    Arena measured = Arena::measuring();
    f(dry(q.stream), measured);
    Arena exact(gpu, measured.peak());
    f(q.stream, exact);
    return measured.peak() == exact.peak() && measured.mark() == 0 && exact.mark() == 0;
}

}  // namespace

TEST_CASE("the sky gives equal bits in every order of threads, its map and noise the CPU's") {
    const Shape s{1, 75, 90, 1};
    const Mesh how{16, 3};
    Array<float> image = random_array<float>(s, 5, 3, 100);
    Array<std::uint8_t> mask(s);
    for (std::int64_t i = 0; i < mask.size(); ++i) mask[i] = i % 90 > 40 && i % 90 < 70;
    const Sky got = sky(Queue().stream, image, mask, how);
    CHECK(same_in_all_orders([&](Stream stream) { return sky(stream, image, mask, how); }));
    Desk desk;
    Array<float> map(s), noise({1, 1, 1, 1});
    mesh_to_image(desk.stream, got.level.view(), how.size, map.view());
    high_frequency_noise(desk.stream, image.view(), mask.view(), how, noise.data(), desk.arena);
    CHECK(got.map == map);
    CHECK(got.noise == noise);
}

TEST_CASE("box_loss gives equal bits in every order of threads") {
    CHECK(box_loss_same(BoxLossCase<float>(1, 2, 16)));
    CHECK(box_loss_same(BoxLossCase<bf16>(0, 3, 13)));
}

TEST_CASE("enlarge and box_loss's gradient have the CPU's bits") {
    Both d;
    const Array<float> x = random_array<float>({2, 7, 11, 3}, 41);
    Array<float> y({2, 21, 33, 3});
    const OnGpu<float> gx(d.gpu.stream, x), gy(d.gpu.stream, y.shape());
    enlarge<float>(d.cpu.stream, x.view(), 3, y.view());
    enlarge<float>(d.gpu.stream, gx.read(), 3, gy.view());
    CHECK(gy.get() == y);

    const BoxLossCase<bf16> k(1, 2, 16);
    Array<bf16> gradient(k.deltas.shape());
    float loss = 0;
    box_loss<bf16>(d.cpu.stream, k.deltas.view(), k.grid, 1, k.match.view(), k.truth.view(), k.positives.view(), {},
                   gradient.view(), &loss, d.cpu.arena);
    const OnGpu<bf16> deltas(d.gpu.stream, k.deltas), got(d.gpu.stream, k.deltas.shape());
    const OnGpu<int> match(d.gpu.stream, k.match), positives(d.gpu.stream, k.positives);
    const OnGpu<Box> truth(d.gpu.stream, k.truth);
    const OnGpu<float> sum(d.gpu.stream, {1, 1, 1, 1});
    box_loss<bf16>(d.gpu.stream, deltas.read(), k.grid, 1, match.read(), truth.read(), positives.read(), {}, got.view(),
                   sum.data(), d.scratch);
    CHECK(got.get() == gradient);
}

TEST_CASE("on a GPU, too, rehearsal takes the scratch memory that the real call takes") {
    Queue q;
    const Shape s{2, 9, 5, 24}, c{1, 1, 4, 24};
    const OnGpu<float> x(q.stream, random_array<float>(s, 1)), y(q.stream, s), p(q.stream, random_array<float>(c, 2)),
        saved(q.stream, {2, 1, 1, 24}), image(q.stream, random_array<float>({1, 50, 40, 1}, 3)),
        mesh(q.stream, {1, 3, 3, 1}), out(q.stream, {1, 1, 1, 1});
    const BatchNormParams params{p.data(), p.data() + 24, p.data() + 48, p.data() + 72};
    CHECK(rehearses_on_gpu([&](Stream stream, Arena& arena) {
        batch_norm_forward<float>(stream, x.read(), params, {}, {}, y.view(), saved.view(), arena);
        batch_norm_backward<float>(stream, x.read(), y.read(), x.read(), saved.view(), p.data(), {}, y.view(), {},
                                   p.data(), p.data(), arena);
        gradient_norm(stream, x.read(), out.data(), arena);
    }));
    CHECK(rehearses_on_gpu([&](Stream stream, Arena& arena) {
        background_mesh(stream, image.read(), {}, {16, 3}, mesh.view(), mesh.view(), arena);
        high_frequency_noise(stream, image.read(), {}, {16, 3}, out.data(), arena);
    }));
}
