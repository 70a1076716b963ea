// The CPU's convolution and its gradients against the double-precision definition, in every instruction set.
#include <doctest/doctest.h>

#include "kernels/conv.h"
#include "tests/reference/conv.h"
#include "tests/skip.h"

using namespace star;
using namespace star::reference;

namespace {

std::vector<Isa> instruction_sets() {
    std::vector<Isa> all;
    for (Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512, Isa::amx})
        if (isa <= best_isa()) all.push_back(isa);
    return all;
}

template <class T>
bool all_close(const Guarded<T>& got, const std::vector<Bounded>& want) {
    if (got.size() != std::int64_t(want.size())) return false;
    for (std::int64_t i = 0; i < got.size(); ++i)
        if (!close(number(got[i]), want[std::size_t(i)])) {
            MESSAGE("element " << i << ": " << number(got[i]) << ", wanted " << want[std::size_t(i)].value << " +- "
                               << want[std::size_t(i)].bound);
            return false;
        }
    return true;
}

/// What one convolution reads and writes. dw and dbias start with numbers that must be added to.
template <class T>
struct Run {
    Shape x_shape, w_shape, y_shape;
    std::vector<T> x, w, dy;
    std::vector<float> bias, dw_before, dbias_before;
    Guarded<T> y, dx;
    Guarded<float> dw, dbias;

    explicit Run(const ConvCase& c, std::uint64_t seed = 1)
        : x_shape(c.x),
          w_shape(c.w()),
          y_shape(c.y()),
          x(uniform_values<T>(x_shape.size(), seed)),
          w(uniform_values<T>(w_shape.size(), seed + 1)),
          dy(uniform_values<T>(y_shape.size(), seed + 2)),
          bias(uniform_values<float>(c.k, seed + 3)),
          dw_before(uniform_values<float>(w_shape.size(), seed + 4)),
          dbias_before(uniform_values<float>(c.k, seed + 5)),
          y(y_shape),
          dx(x_shape),
          dw(w_shape),
          dbias(c.k) {}

    View<const T> x_view() const { return {x.data(), x_shape}; }
    View<const T> w_view() const { return {w.data(), w_shape}; }
    View<const T> dy_view() const { return {dy.data(), y_shape}; }

    void all(Stream stream, Conv how, Arena& scratch, bool with_bias = true) {
        std::copy(dw_before.begin(), dw_before.end(), dw.data());
        std::copy(dbias_before.begin(), dbias_before.end(), dbias.data());
        conv_forward<T>(stream, x_view(), w_view(), with_bias ? bias.data() : nullptr, how, y.view(y_shape), scratch);
        conv_backward_input<T>(stream, dy_view(), w_view(), how, dx.view(x_shape), scratch);
        conv_backward_weight<T>(stream, x_view(), dy_view(), how, dw.view(w_shape), with_bias ? dbias.data() : nullptr,
                                scratch);
    }
    bool intact() const { return y.intact() && dx.intact() && dw.intact() && dbias.intact(); }
};

/// Memory for a run, measured by rehearsal.
template <class T>
Arena arena_for(Run<T>& run, Stream stream, Conv how) {
    Arena measure = Arena::measuring();
    run.all(dry(stream), how, measure);
    return Arena({}, measure.peak());
}

template <class T>
void check_case(const ConvCase& c, bool relu) {
    Conv how = c.how;
    how.relu = relu;
    Run<T> run(c);
    const Run<T> inputs = run;
    const std::vector<double> bias(run.bias.begin(), run.bias.end());
    const auto y = reference::conv_forward(run.x.data(), run.x_shape, run.w.data(), run.w_shape,
                                           relu ? bias.data() : nullptr, how);
    const auto dx = reference::conv_backward_input(run.dy.data(), run.w.data(), run.x_shape, run.w_shape, how);
    const auto dw = reference::conv_backward_weight(run.x.data(), run.dy.data(), run.x_shape, run.w_shape, how,
                                                    run.dw_before.data());
    const auto dbias = conv_backward_bias(run.dy.data(), run.y_shape, run.dbias_before.data());
    for (Isa isa : instruction_sets()) {
        CAPTURE(isa_name(isa));
        ThreadPool pool(2, isa);
        const Stream stream{.device = {}, .pool = &pool};
        Arena scratch = arena_for(run, stream, how);
        run.all(stream, how, scratch, relu);
        CHECK(all_close(run.y, y));
        CHECK(all_close(run.dx, dx));
        CHECK(all_close(run.dw, dw));
        if (relu) CHECK(all_close(run.dbias, dbias));
        CHECK(run.intact());
        CHECK(same_bits(run.x, inputs.x));
        CHECK(same_bits(run.w, inputs.w));
        CHECK(same_bits(run.dy, inputs.dy));
        CHECK(scratch.mark() == 0);
    }
}

}  // namespace

TEST_CASE("every shape, type and instruction set lies within the bound of its sums") {
    for (const ConvCase& c : conv_cases()) {
        CAPTURE(c.name);
        check_case<float>(c, false);
        check_case<float>(c, true);
        check_case<bf16>(c, true);
    }
}

TEST_CASE("matrix tiles are among the instruction sets tried") {
    if (best_isa() < Isa::amx) return test::skip("this processor has none (AMX)");
    CHECK(instruction_sets().back() == Isa::amx);
}

TEST_CASE("the reference's gradients are the derivatives of its forward") {
    // dot(dy, y) is linear in each of x, w, bias: a central difference in double is exact but for rounding.
    for (const ConvCase& c : conv_cases()) {
        if (c.y().size() * c.r * c.s * c.x.c > 40000) continue;
        CAPTURE(c.name);
        const auto to_double = [](const std::vector<float>& v) { return std::vector<double>(v.begin(), v.end()); };
        auto x = to_double(uniform_values<float>(c.x.size(), 1)), w = to_double(uniform_values<float>(c.w().size(), 2));
        const auto dy = to_double(uniform_values<float>(c.y().size(), 3));
        const auto dot = [&] {
            const Sums y = conv_forward_sums(x.data(), c.x, w.data(), c.w(), nullptr, c.how);
            double sum = 0;
            for (std::size_t i = 0; i < dy.size(); ++i) sum += dy[i] * y.value[i];
            return sum;
        };
        const double bound = 1e-12 * double(c.y().size()) * c.r * c.s * c.x.c;
        const auto agrees = [&](std::vector<double>& v, const Sums& gradient) {
            for (std::size_t i = 0; i < v.size(); i += 1 + v.size() / 7) {
                const double kept = v[i];
                v[i] = kept + 1;
                const double up = dot();
                v[i] = kept - 1;
                const double down = dot();
                v[i] = kept;
                if (!close((up - down) / 2, {gradient.value[i], bound})) return false;
            }
            return true;
        };
        CHECK(agrees(x, conv_backward_input_sums(dy.data(), w.data(), c.x, c.w(), c.how)));
        CHECK(agrees(w, conv_backward_weight_sums(x.data(), dy.data(), c.x, c.w(), c.how, nullptr)));
    }
}

TEST_CASE_TEMPLATE("any number of threads gives the same bits", T, float, bf16) {
    for (const ConvCase& c : conv_cases())
        for (Isa isa : instruction_sets()) {
            CAPTURE(c.name);
            CAPTURE(isa_name(isa));
            Run<T> one(c);
            for (int threads : {1, 2, 5}) {
                ThreadPool pool(threads, isa);
                const Stream stream{.device = {}, .pool = &pool};
                Run<T> run(c);
                Arena scratch = arena_for(run, stream, c.how);
                run.all(stream, c.how, scratch);
                if (threads == 1) one = run;
                CHECK(same_bits(run.y, one.y));
                CHECK(same_bits(run.dx, one.dx));
                CHECK(same_bits(run.dw, one.dw));
                CHECK(same_bits(run.dbias, one.dbias));
            }
        }
}

TEST_CASE_TEMPLATE("an image gives the same bits in any batch, and weight gradients add image by image", T, float,
                   bf16) {
    for (const ConvCase& c : conv_cases())
        for (Isa isa : instruction_sets()) {
            if (c.x.n == 1) continue;
            CAPTURE(c.name);
            CAPTURE(isa_name(isa));
            ThreadPool pool(2, isa);
            const Stream stream{.device = {}, .pool = &pool};
            Run<T> batch(c);
            Arena scratch = arena_for(batch, stream, c.how);
            batch.all(stream, c.how, scratch);
            ConvCase single = c;
            single.x.n = 1;
            Run<T> image(single);
            std::copy(batch.bias.begin(), batch.bias.end(), image.bias.begin());
            image.w = batch.w, image.dw_before = batch.dw_before, image.dbias_before = batch.dbias_before;
            const auto elements = [](std::int64_t n) { return std::size_t(n); };
            for (int n = 0; n < c.x.n; ++n) {
                const auto in = single.x.size(), out = single.y().size();
                std::copy_n(&batch.x[elements(n * in)], in, image.x.begin());
                std::copy_n(&batch.dy[elements(n * out)], out, image.dy.begin());
                image.all(stream, c.how, scratch);
                CHECK(std::memcmp(image.y.data(), batch.y.data() + n * out, elements(out) * sizeof(T)) == 0);
                CHECK(std::memcmp(image.dx.data(), batch.dx.data() + n * in, elements(in) * sizeof(T)) == 0);
                std::copy_n(image.dw.data(), image.dw.size(), image.dw_before.begin());
                std::copy_n(image.dbias.data(), image.dbias.size(), image.dbias_before.begin());
            }
            CHECK(same_bits(image.dw, batch.dw));
            CHECK(same_bits(image.dbias, batch.dbias));
        }
}

TEST_CASE_TEMPLATE(
    "bias, residual and ReLU join the sum before its one rounding; moments are those of what was written", T, float,
    bf16) {
    for (const ConvCase& c : conv_cases()) {
        CAPTURE(c.name);
        Conv how = c.how;
        how.relu = true;
        Run<T> run(c);
        const auto residual = uniform_values<T>(c.y().size(), 9);
        const std::vector<double> bias(run.bias.begin(), run.bias.end());
        Sums sums = conv_forward_sums(run.x.data(), c.x, run.w.data(), c.w(), bias.data(), how);
        for (std::int64_t i = 0; i < c.y().size(); ++i) sums.add(i, number(residual[std::size_t(i)]));
        auto want = sums.bounded<T>(c.r * c.s * c.x.c + 3.0);
        for (Bounded& b : want) b.value = std::max(b.value, 0.0);  // brings no two numbers further apart
        const BatchNormRuns runs = conv_runs(c.y());
        const std::int64_t moments = runs.count * 3 * c.k;
        for (Isa isa : instruction_sets())
            for (int threads : {1, 3}) {
                CAPTURE(isa_name(isa));
                ThreadPool pool(threads, isa);
                const Stream stream{.device = {}, .pool = &pool};
                Arena scratch = arena_for(run, stream, how);
                Guarded<float> found(moments), plain(moments);
                conv_forward<T>(stream, run.x_view(), run.w_view(),
                                {run.bias.data(), {residual.data(), c.y()}, found.data()}, how, run.y.view(c.y()),
                                scratch);
                CHECK(all_close(run.y, want));
                batch_norm_moments<T>(stream, run.y.view(c.y()), runs, plain.data());
                CHECK(same_bits(found, plain));
                CHECK((run.y.intact() && found.intact()));
            }
    }
}

TEST_CASE("small integers come out exactly, and NaN and infinity go where they belong") {
    ThreadPool pool(2);
    const Stream stream{.device = {}, .pool = &pool};
    const ConvCase c{"", {1, 3, 3, 1}, 1, 3, 3, {1, 1}};
    Run<float> run(c);
    for (int i = 0; i < 9; ++i) run.x[std::size_t(i)] = float(i), run.w[std::size_t(i)] = 1;
    Arena scratch = arena_for(run, stream, c.how);
    run.all(stream, c.how, scratch, false);
    const float want[9] = {8, 15, 12, 21, 36, 27, 20, 33, 24};
    for (int i = 0; i < 9; ++i) CHECK(run.y[i] == want[i]);
    run.x[0] = std::nanf("");
    Conv relu = c.how;
    relu.relu = true;
    run.all(stream, relu, scratch, false);
    for (int i = 0; i < 9; ++i) CHECK(std::isnan(run.y[i]) == (i % 3 < 2 && i / 3 < 2));
}

TEST_CASE("shapes that disagree, empty extents and bad strides throw before anything is touched") {
    ThreadPool pool(1);
    const Stream stream{.device = {}, .pool = &pool};
    Arena scratch = Arena::measuring();
    const auto forward = [&](Shape x, Shape w, Shape y, Conv how) {
        conv_forward<float>(stream, {nullptr, x}, {nullptr, w}, nullptr, how, {nullptr, y}, scratch);
    };
    const auto input = [&](Shape x, Shape w, Shape y, Conv how) {
        conv_backward_input<bf16>(stream, {nullptr, y}, {nullptr, w}, how, {nullptr, x}, scratch);
    };
    const auto weight = [&](Shape x, Shape w, Shape y, Conv how) {
        conv_backward_weight<float>(stream, {nullptr, x}, {nullptr, y}, how, {nullptr, w}, nullptr, scratch);
    };
    const auto refused = [&](Shape x, Shape w, Shape y, Conv how) {
        CHECK_THROWS_AS(forward(x, w, y, how), Error);
        CHECK_THROWS_AS(input(x, w, y, how), Error);
        CHECK_THROWS_AS(weight(x, w, y, how), Error);
    };
    const Shape x{1, 8, 8, 4}, w{6, 3, 3, 4}, y{1, 8, 8, 6};
    refused(x, {6, 3, 3, 5}, y, {1, 1});             // channels of x and w
    refused(x, w, {1, 8, 8, 5}, {1, 1});             // channels of w and y
    refused(x, w, {2, 8, 8, 6}, {1, 1});             // images
    refused(x, w, {1, 7, 8, 6}, {1, 1});             // rows
    refused(x, w, y, {0, 1});                        // stride
    refused(x, w, {1, 4, 4, 6}, {1, -1});            // pad
    refused({1, 2, 8, 4}, w, {1, 0, 6, 6}, {1, 0});  // the filter is larger than the image
    refused({0, 8, 8, 4}, w, {0, 8, 8, 6}, {1, 1});  // no image
    refused({1, 8, 8, 0}, {6, 3, 3, 0}, y, {1, 1});  // no channel
    CHECK(scratch.peak() == 0);
}

TEST_CASE("a dry stream touches nothing and measures what real use takes") {
    for (const ConvCase& c : conv_cases()) {
        CAPTURE(c.name);
        ThreadPool pool(3);
        const Stream stream{.device = {}, .pool = &pool};
        Arena measure = Arena::measuring();
        conv_forward<float>(dry(stream), {nullptr, c.x}, {nullptr, c.w()}, nullptr, c.how, {nullptr, c.y()}, measure);
        conv_backward_input<float>(dry(stream), {nullptr, c.y()}, {nullptr, c.w()}, c.how, {nullptr, c.x}, measure);
        conv_backward_weight<float>(dry(stream), {nullptr, c.x}, {nullptr, c.y()}, c.how, {nullptr, c.w()}, nullptr,
                                    measure);
        Run<float> run(c);
        Arena real({}, measure.peak());
        run.all(stream, c.how, real);
        CHECK(real.peak() == measure.peak());
    }
}
