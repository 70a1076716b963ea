// The CUDA batch normalisation against double precision, in every mode, and against the CPU.
#include "kernels/batch_norm.h"
#include "tests/cuda_arrays.h"
#include "tests/reference/batch_norm_bounds.h"

using namespace star;
using namespace star::reference;
using namespace star::test;

namespace {

Array<float> channels(const BatchNormSetup& s, std::uint64_t seed, double sigma = 1, double mean = 0) {
    return random_array<float>({1, 1, 1, s.shape.c}, seed, sigma, mean);
}

template <class T>
struct Ran {  // one forward and backward on the GPU, everything kept
    Array<T> x, residual, dy, y, dx, dresidual;
    Array<float> gamma, beta, old_mean, old_variance, running_mean, running_variance, saved, dgamma, dbeta;

    explicit Ran(const BatchNormSetup& s, bool in_place = false)
        : x(random_array<T>(s.shape, 11, s.sigma, s.mean)),
          residual(random_array<T>(s.shape, 12)),
          dy(random_array<T>(s.shape, 13)),
          y(s.shape),
          dx(s.shape),
          dresidual(s.shape),
          gamma(channels(s, 14)),
          beta(channels(s, 15)),
          old_mean(channels(s, 16, 0.5, s.mean)),
          old_variance(channels(s, 17, 0.05, 2)),
          running_mean(old_mean),
          running_variance(old_variance),
          saved({2, 1, 1, s.shape.c}),
          dgamma({1, 1, 1, s.shape.c}, std::vector<float>(std::size_t(s.shape.c), 0.0f)),
          dbeta(dgamma) {
        if (in_place)
            on_gpu_in_place(s);
        else
            on_gpu(s);
    }
    void on_gpu(const BatchNormSetup& s) {
        Both d;
        const Stream q = d.gpu.stream;
        const OnGpu<T> gx(q, x), gr(q, residual), gdy(q, dy), gy(q, s.shape), gdx(q, s.shape), gdr(q, s.shape);
        const OnGpu<float> g(q, gamma), b(q, beta), m(q, old_mean), v(q, old_variance), sv(q, saved.shape()),
            dg(q, dgamma), db(q, dbeta);
        batch_norm_forward<T>(q, gx.read(), {g.data(), b.data(), m.data(), v.data()}, s.how,
                              s.with_residual ? gr.read() : View<const T>{}, gy.view(), sv.view(), d.scratch);
        y = gy.get(), saved = sv.get();
        batch_norm_backward<T>(q, gx.read(), gy.read(), gdy.read(), sv.view(), g.data(), s.how, gdx.view(),
                               s.with_residual ? gdr.view() : View<T>{}, dg.data(), db.data(), d.scratch);
        dx = gdx.get(), dresidual = gdr.get(), dgamma = dg.get(), dbeta = db.get();
        running_mean = m.get(), running_variance = v.get();
        CHECK(gx.get() == x);
        CHECK(gr.get() == residual);
        CHECK(gdy.get() == dy);
        CHECK(gy.get() == y);
        CHECK(sv.get() == saved);
        CHECK(g.get() == gamma);
        CHECK(b.get() == beta);
    }
    void on_gpu_in_place(const BatchNormSetup& s) {  // y is x's memory, dx is dy's
        Both d;
        const Stream q = d.gpu.stream;
        const OnGpu<T> gx(q, x), gy(q, x), gr(q, residual), gdy(q, dy);
        const OnGpu<float> g(q, gamma), b(q, beta), m(q, old_mean), v(q, old_variance), sv(q, saved.shape()),
            dg(q, dgamma), db(q, dbeta);
        batch_norm_forward<T>(q, gy.read(), {g.data(), b.data(), m.data(), v.data()}, s.how,
                              s.with_residual ? gr.read() : View<const T>{}, gy.view(), sv.view(), d.scratch);
        y = gy.get(), saved = sv.get();
        batch_norm_backward<T>(q, gx.read(), gy.read(), gdy.read(), sv.view(), g.data(), s.how, gdy.view(), {},
                               dg.data(), db.data(), d.scratch);
        dx = gdy.get(), dgamma = dg.get(), dbeta = db.get();
        running_mean = m.get(), running_variance = v.get();
    }
};

template <class T>
void check(const BatchNormSetup& s) {
    check_batch_norm<T>(s, Ran<T>(s));
}

}  // namespace

TEST_CASE_TEMPLATE("CUDA batch norm lies within its bound in every mode", T, float, bf16) {
    if (gpu_missing()) return;
    for (const Shape& shape : shapes)
        for (const bool frozen : {false, true}) check<T>({shape, {1e-5f, 0.1f, frozen, frozen}, !frozen});
    const BatchNorm last{1e-5f, 0.1f, false, true};
    check<T>({{1, 16, 16, 8}, last, true});   // exactly one run
    check<T>({{1, 1, 257, 8}, last, false});  // and one row more
    check<T>({{2, 5, 5, 512}, last, true});
    check<T>({{1, 3, 11, 2048}, last, true});
    check<T>({{1, 97, 89, 16}, last, true});  // more runs than are added side by side
}

TEST_CASE("CUDA batch norm: the variance survives a mean ten thousand times larger") {
    if (gpu_missing()) return;
    check<float>({{1, 40, 41, 8}, {1e-5f, 0.1f, false, false}, false, 1e4, 1});
}

TEST_CASE_TEMPLATE("CUDA batch norm in place, and twice, gives the same bits", T, float, bf16) {
    if (gpu_missing()) return;
    for (const int c : {5, 24}) {
        const BatchNormSetup s{{2, 17, 9, c}, {1e-5f, 0.1f, false, true}, true};
        const Ran<T> one(s), two(s), in_place(s, true);
        for (const Ran<T>* other : {&two, &in_place}) {
            CHECK(one.y == other->y);
            CHECK(one.dx == other->dx);
            CHECK(one.saved == other->saved);
            CHECK(one.dgamma == other->dgamma);
            CHECK(one.dbeta == other->dbeta);
            CHECK(one.running_mean == other->running_mean);
            CHECK(one.running_variance == other->running_variance);
        }
    }
}

TEST_CASE("CUDA batch norm adds gradients, keeps padded channels zero, and never spoils running statistics") {
    if (gpu_missing()) return;
    Both d;
    const Stream q = d.gpu.stream;
    const Shape shape{1, 5, 4, 8};
    Array<float> x = random_array<float>(shape, 1), p = random_array<float>({1, 1, 4, 8}, 2, 0.1, 1);
    p[7] = p[15] = 0;
    for (std::int64_t i = 7; i < x.size(); i += 8) x[i] = 0;
    const Array<float> ones({1, 1, 2, 8}, std::vector<float>(16, 1.0f));
    const OnGpu<float> gx(q, x), gp(q, p), y(q, shape), dx(q, shape), saved(q, {2, 1, 1, 8}), once(q, ones),
        twice(q, ones);
    const BatchNormParams params{gp.data(), gp.data() + 8, gp.data() + 16, gp.data() + 24};
    batch_norm_forward<float>(q, gx.read(), params, {}, {}, y.view(), saved.view(), d.scratch);
    const Array<float> forward = y.get();
    for (std::int64_t i = 7; i < x.size(); i += 8) CHECK(forward[i] == 0);
    const auto backward = [&](const OnGpu<float>& to) {
        batch_norm_backward<float>(q, gx.read(), y.read(), y.read(), saved.view(), gp.data(), {}, dx.view(), {},
                                   to.data(), to.data() + 8, d.scratch);
    };
    backward(once), backward(twice), backward(twice);
    const Array<float> a = once.get(), b = twice.get(), gradient = dx.get();
    for (std::int64_t i = 0; i < 16; ++i)  // three roundings of numbers no larger than these
        CHECK(std::fabs((b[i] - 1) - 2 * (a[i] - 1)) <= 4 * 0x1p-24 * (std::fabs(b[i]) + std::fabs(a[i]) + 1));
    for (std::int64_t i = 7; i < x.size(); i += 8) CHECK(gradient[i] == 0);

    const Array<float> before = gp.get();
    x[3] = NAN, x[4] = INFINITY;
    gx.put(x);
    batch_norm_forward<float>(q, gx.read(), params, {}, {}, y.view(), saved.view(), d.scratch);
    const Array<float> after = gp.get(), shown = y.get();
    for (const int c : {16 + 3, 16 + 4, 24 + 3, 24 + 4}) CHECK(after[c] == before[c]);
    for (const int c : {16, 24}) CHECK(after[c] != before[c]);
    CHECK((std::isnan(shown[3]) && std::isnan(shown[4]) && !std::isnan(shown[5])));
}

TEST_CASE("CUDA batch norm folded into weights") {
    if (gpu_missing()) return;
    Both d;
    const Stream q = d.gpu.stream;
    for (const Shape& shape : {Shape{24, 3, 3, 8}, Shape{1, 1, 1, 1}, Shape{7, 1, 1, 257}}) {
        const int k = shape.n;
        const Array<float> w = random_array<float>(shape, 1), p = random_array<float>({1, 1, 3, k}, 2),
                           variance = random_array<float>({1, 1, 1, k}, 5, 0.1, 2);
        const OnGpu<float> gw(q, w), gp(q, p), gv(q, variance), folded(q, shape), bias(q, {1, 1, 1, k});
        const OnGpu<bf16> rounded(q, shape);
        const BatchNormParams params{gp.data(), gp.data() + k, gp.data() + 2 * k, gv.data()};
        batch_norm_fold<float>(q, gw.read(), params, 1e-5f, folded.view(), bias.data());
        batch_norm_fold<bf16>(q, gw.read(), params, 1e-5f, rounded.view(), bias.data());
        Bounds fw(shape.size()), rw(shape.size()), fb(k);
        for (std::int64_t i = 0; i < shape.size(); ++i) {
            const std::int64_t c = i / (shape.size() / k);
            const double factor = p[c] / std::sqrt(double(variance[c]) + double(1e-5f)), v = w[i] * factor;
            fw.value[std::size_t(i)] = rw.value[std::size_t(i)] = v;
            fw.bound[std::size_t(i)] = 4 * 0x1p-24 * std::fabs(v);
            rw.bound[std::size_t(i)] = 1.01 * roundoff<bf16> * std::fabs(v);
            fb.value[std::size_t(c)] = p[k + c] - p[2 * k + c] * factor;
            fb.bound[std::size_t(c)] = 8 * 0x1p-24 * (std::fabs(double(p[k + c])) + std::fabs(p[2 * k + c] * factor));
        }
        CHECK(all_within(fw, folded.get()));
        CHECK(all_within(rw, rounded.get()));
        CHECK(all_within(fb, bias.get()));
        CHECK(gw.get() == w);
    }
}
