// The sky in one number each: the GPU has the CPU's bits, and both are the definition within the rounding of sums.
#include "kernels/sky_level.h"
#include "tests/cuda_arrays.h"

using namespace star;
using namespace star::reference;
using namespace star::test;

namespace {

SkyLevel on_gpu(const Array<float>& level, const Array<float>& rms, const float* estimate, Noise noise) {
    Queue q;
    const OnGpu<float> gl(q.stream, level), gr(q.stream, rms),
        ge(q.stream, Array<float>({1, 1, 1, 1}, {estimate ? *estimate : 0}));
    const Output<SkyLevel> out(q.stream, 1);
    sky_level(q.stream, gl.read(), gr.read(), estimate ? ge.data() : nullptr, noise, out.data());
    CHECK(out.intact());
    CHECK(gl.get() == level);
    CHECK(gr.get() == rms);
    return out.values()[0];
}

SkyLevel on_cpu(const Array<float>& level, const Array<float>& rms, const float* estimate, Noise noise) {
    Desk desk;
    SkyLevel out;
    sky_level(desk.stream, level.view(), rms.view(), estimate, noise, &out);
    return out;
}

bool same(const SkyLevel& a, const SkyLevel& b) {
    return a.background == b.background && a.sigma == b.sigma && a.rounded_background == b.rounded_background &&
           a.rounded_sigma == b.rounded_sigma && a.estimated == b.estimated;
}

/// The mean, and the bound of a sum of n doubles with its division.
Bounded mean(const Array<float>& map) {
    long double sum = 0, size = 0;
    for (std::int64_t i = 0; i < map.size(); ++i) sum += map[i], size += std::fabs(map[i]);
    const auto n = double(map.size());
    return {double(sum / n), (n + 2) * 0x1p-53 * double(size) / n};
}

}  // namespace

TEST_CASE("CUDA sky_level has the CPU's bits, and both are the mean and the noise model") {
    if (gpu_missing()) return;
    for (const Shape s :
         {Shape{1, 1, 1, 1}, Shape{1, 3, 5, 1}, Shape{1, 1, 256, 1}, Shape{1, 257, 1, 1}, Shape{1, 41, 103, 1}}) {
        CAPTURE(s.h);
        const Array<float> level = random_array<float>(s, 5, 30, 1000), rms = random_array<float>(s, 6, 2, 50);
        const float estimate = 3.7f;
        const Noise known{1.7, 31, 0.9};
        const SkyLevel got = on_gpu(level, rms, nullptr, known);
        CHECK(same(got, on_cpu(level, rms, nullptr, known)));
        CHECK(close(got.background, mean(level)));
        // A product with its sum, a root, a quotient, a product: four roundings, the first of them halved by the root.
        const double sigma = std::sqrt(got.background * 1.7 + 31) / 1.7 * 0.9;
        CHECK(close(got.sigma, {sigma, 8 * 0x1p-53 * sigma}));
        CHECK(got.rounded_background == float(got.background));
        CHECK(got.rounded_sigma == float(got.sigma));
        CHECK(got.estimated == 0);
        const SkyLevel found = on_gpu(level, rms, &estimate, Noise{});
        CHECK(same(found, on_cpu(level, rms, &estimate, Noise{})));
        CHECK((found.estimated == 1 && found.sigma == estimate));
        const SkyLevel neither = on_gpu(level, rms, nullptr, Noise{});
        CHECK(same(neither, on_cpu(level, rms, nullptr, Noise{})));
        CHECK((neither.estimated == 1 && close(neither.sigma, mean(rms))));
    }
}

TEST_CASE("CUDA sky_level: what takes the place of a noise that isn't there") {
    if (gpu_missing()) return;
    const Shape s{1, 1, 2, 1};
    const Array<float> zero(s, {0, 0}), three(s, {2, 4}), below(s, {-5, -5});
    const float nothing_found = NAN, constant = 0, estimate = 7;
    const auto sigma = [](const Array<float>& level, const Array<float>& rms, const float* estimate, Noise noise) {
        const SkyLevel a = on_gpu(level, rms, estimate, noise);
        CHECK(same(a, on_cpu(level, rms, estimate, noise)));
        return a.sigma;
    };
    CHECK(sigma(zero, three, &nothing_found, Noise{}) == 3);    // the mesh's rms
    CHECK(sigma(zero, three, &constant, Noise{}) == 1);         // a constant image
    CHECK(sigma(zero, zero, &nothing_found, Noise{}) == 1);     // and one without whole neighbourhoods
    CHECK(sigma(zero, three, &estimate, {4, 0, 1}) == 7);       // photons of a subtracted sky
    CHECK(sigma(below, three, &estimate, {4, 0, 1}) == 7);      // below zero there are none
    CHECK(sigma(below, three, &estimate, {4, 64, 1}) == 2);     // read-out alone
    CHECK(sigma(three, three, &estimate, {4, 4, 0.5}) == 0.5);  // sqrt(12 + 4) / 4 / 2
}
