// Max pooling against its definition: exact forward, gradients as sums of a few floats, NaN, edges.
#include "kernels/max_pool.h"
#include "tests/reference/array.h"

using namespace star;
using namespace star::reference;

namespace {

struct Pooled {
    std::vector<double> y;
    std::vector<int> from;
};

Pooled max_pool(const std::vector<double>& x, Shape s, MaxPool how) {
    const Shape t = max_pool_shape(s, how);
    Pooled out{std::vector<double>(std::size_t(t.size())), std::vector<int>(std::size_t(t.size()), -1)};
    std::size_t at = 0;
    for (int n = 0; n < t.n; ++n)
        for (int i = 0; i < t.h; ++i)
            for (int j = 0; j < t.w; ++j)
                for (int c = 0; c < t.c; ++c, ++at)
                    for (int r = 0; r < how.size; ++r)
                        for (int q = 0; q < how.size; ++q) {
                            const int h = i * how.stride - how.pad + r, w = j * how.stride - how.pad + q;
                            if (h < 0 || h >= s.h || w < 0 || w >= s.w) continue;
                            const double v = x[std::size_t(((std::int64_t{n} * s.h + h) * s.w + w) * s.c + c)];
                            const double best = out.y[at];
                            const bool better = std::isnan(v) ? !std::isnan(best) : v > best;
                            if (out.from[at] < 0 || better) out.y[at] = v, out.from[at] = r * how.size + q;
                        }
    return out;
}

// The gradient of dot(dy, y).
std::vector<double> max_pool_gradient(const std::vector<double>& dy, const std::vector<int>& from, Shape s,
                                      MaxPool how) {
    const Shape t = max_pool_shape(s, how);
    std::vector<double> dx(std::size_t(s.size()));
    std::size_t at = 0;
    for (int n = 0; n < t.n; ++n)
        for (int i = 0; i < t.h; ++i)
            for (int j = 0; j < t.w; ++j)
                for (int c = 0; c < t.c; ++c, ++at) {
                    const int h = i * how.stride - how.pad + from[at] / how.size;
                    const int w = j * how.stride - how.pad + from[at] % how.size;
                    dx[std::size_t(((std::int64_t{n} * s.h + h) * s.w + w) * s.c + c)] += dy[at];
                }
    return dx;
}

template <class T>
void check_case(Shape s, MaxPool how, bool with_nan) {
    CAPTURE(s.h);
    CAPTURE(s.c);
    CAPTURE(how.size);
    CAPTURE(how.stride);
    Desk desk;
    Array<T> x = random_array<T>(s, 21);
    for (std::int64_t i = 0; i < x.size(); i += 3) x[i] = narrow<T>(std::round(widen(x[i])));  // equals
    if (with_nan)
        for (std::int64_t i = 0; i < x.size(); i += 7) x[i] = narrow<T>(std::nanf(""));
    const Array<T> x0 = x;
    const Shape t = max_pool_shape(s, how);
    Array<T> y(t), alone(t), dx(s);
    Array<std::uint8_t> from(t);
    max_pool_forward<T>(desk.stream, x.view(), how, y.view(), from.view());
    max_pool_forward<T>(desk.stream, x.view(), how, alone.view(), {});
    const Pooled expected = max_pool(widened(x), s, how);
    int wrong = 0;
    for (std::int64_t i = 0; i < y.size(); ++i) {
        const double e = expected.y[std::size_t(i)], v = widen(y[i]);
        wrong += !(v == e || (std::isnan(e) && std::isnan(v))) || from[i] != expected.from[std::size_t(i)];
    }
    CHECK(wrong == 0);
    CHECK(x == x0);
    CHECK(y == alone);
    CHECK(from.intact());

    const Array<T> dy = random_array<T>(t, 22);
    max_pool_backward<T>(desk.stream, dy.view(), from.view(), how, dx.view());
    std::vector<double> sizes = widened(dy);
    const std::vector<double> gradient = max_pool_gradient(sizes, expected.from, s, how);
    for (double& v : sizes) v = std::fabs(v);
    const std::vector<double> size = max_pool_gradient(sizes, expected.from, s, how);
    Bounds bounds(s.size());
    const double terms = how.size * how.size;
    for (std::size_t i = 0; i < size.size(); ++i) {
        const Bounded sum = sum_of_products<T>(gradient[i], size[i], terms);
        bounds.value[i] = sum.value, bounds.bound[i] = sum.bound;
    }
    CHECK(all_within(bounds, dx));
}

}  // namespace

TEST_CASE("max pool is its definition, forward and backward") {
    for (const Shape& s : shapes)
        for (const MaxPool how :
             {MaxPool{3, 2, 1}, MaxPool{2, 2, 0}, MaxPool{3, 1, 1}, MaxPool{1, 2, 0}, MaxPool{5, 3, 2}}) {
            if (s.h + 2 * how.pad < how.size || s.w + 2 * how.pad < how.size) continue;
            check_case<float>(s, how, false);
            check_case<bf16>(s, how, false);
            check_case<float>(s, how, true);
        }
    check_case<float>({1, 40, 23, 8}, {16, 7, 8}, true);
}

TEST_CASE("max pool: the reference's gradient is that of its forward") {
    const Shape s{1, 5, 4, 2};
    const MaxPool how{3, 2, 1};
    const std::vector<double> x = widened(random_array<float>(s, 3)),
                              dy = widened(random_array<float>(max_pool_shape(s, how), 4));
    const auto loss = [&](const std::vector<double>& at) {
        const Pooled p = max_pool(at, s, how);
        double sum = 0;
        for (std::size_t i = 0; i < dy.size(); ++i) sum += dy[i] * p.y[i];
        return sum;
    };
    CHECK(gradient_error(loss, x, max_pool_gradient(dy, max_pool(x, s, how).from, s, how)) < 1e-9);  // linear
}

TEST_CASE("max pool: wrong shapes are errors") {
    Desk desk;
    Array<float> x({1, 8, 8, 8}), y({1, 4, 4, 8}), wide({1, 4, 5, 8});
    Array<std::uint8_t> from({1, 4, 4, 8}), narrow_from({1, 4, 3, 8});
    CHECK_THROWS_AS(max_pool_forward<float>(desk.stream, x.view(), {}, wide.view(), {}), Error);
    CHECK_THROWS_AS(max_pool_forward<float>(desk.stream, x.view(), {}, y.view(), narrow_from.view()), Error);
    CHECK_THROWS_AS(max_pool_forward<float>(desk.stream, x.view(), {3, 2, 2}, y.view(), {}), Error);
    CHECK_THROWS_AS(max_pool_forward<float>(desk.stream, x.view(), {17, 2, 1}, y.view(), {}), Error);
    CHECK_THROWS_AS(max_pool_forward<float>(desk.stream, x.view(), {0, 2, 0}, y.view(), {}), Error);
    CHECK_THROWS_AS(max_pool_forward<float>(desk.stream, x.view(), {9, 2, 0}, y.view(), {}), Error);
    CHECK_THROWS_AS(max_pool_backward<float>(desk.stream, wide.view(), from.view(), {}, x.view()), Error);
    CHECK_THROWS_AS(max_pool_backward<float>(desk.stream, y.view(), narrow_from.view(), {}, x.view()), Error);
}
