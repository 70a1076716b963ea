// What the tests of operations add to compare.h: arrays with shapes, a stream to work on, rehearsal, finite
// differences.
#pragma once
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/arena.h"
#include "kernels/random.h"
#include "tests/reference/compare.h"

namespace star::reference {

/// A double-precision result and how far the operation may be from it, element by element.
struct Bounds {
    std::vector<double> value, bound;
    explicit Bounds(std::int64_t size) : value(std::size_t(size)), bound(std::size_t(size)) {}
};

/// Guarded memory that knows its shape.
template <class T>
class Array : public Guarded<T> {
public:
    explicit Array(Shape shape) : Guarded<T>(shape), shape_(shape) {}
    Array(Shape shape, const std::vector<T>& values) : Array(shape) {
        REQUIRE(std::int64_t(values.size()) == shape.size());
        std::copy(values.begin(), values.end(), this->data());
    }
    Shape shape() const { return shape_; }
    View<T> view() { return {this->data(), shape_}; }
    View<const T> view() const { return {this->data(), shape_}; }
    bool operator==(const Array& other) const { return this->intact() && same_bits(*this, other); }

private:
    Shape shape_;
};

/// Normal deviates about `mean`, rounded to T.
template <class T>
Array<T> random_array(Shape shape, std::uint64_t seed, double sigma = 1, double mean = 0) {
    Array<T> a(shape);
    Random r(seed, 77);
    for (std::int64_t i = 0; i < a.size(); ++i) a[i] = narrow<T>(float(mean + sigma * r.normal()));
    return a;
}

template <class T>
std::vector<double> widened(const Array<T>& a) {
    std::vector<double> v(std::size_t(a.size()));
    for (std::int64_t i = 0; i < a.size(); ++i) v[std::size_t(i)] = widen(a[i]);
    return v;
}

/// How many elements are further from the reference than its bound. NaN where a number is expected counts.
template <class T>
int far_from(const Bounds& expected, const T* got) {
    int bad = 0;
    for (std::size_t i = 0; i < expected.value.size(); ++i) {
        const double v = widen(got[i]);
        const bool ok =
            std::isnan(expected.value[i]) ? std::isnan(v) : std::fabs(v - expected.value[i]) <= expected.bound[i];
        if (!ok && bad++ == 0)
            MESSAGE("element ", i, ": ", v, ", expected ", expected.value[i], " within ", expected.bound[i]);
    }
    return bad;
}

template <class T>
bool all_within(const Bounds& expected, const Array<T>& got) {
    return got.intact() && std::int64_t(expected.value.size()) == got.size() && far_from(expected, got.data()) == 0;
}

/// A CPU stream with a pool and a scratch arena of its own, whose memory starts as NaN and nonsense.
struct Desk {
    explicit Desk(int threads = 2, std::int64_t bytes = 8 << 20) : pool(threads), arena(Device{}, bytes) {
        const Arena::Scope scope(arena);
        std::memset(arena.take<std::uint8_t>(bytes).data, 0xff, std::size_t(bytes));
    }
    ThreadPool pool;
    Arena arena;
    Stream stream{Device{}, &pool, nullptr, false};
};

/// Whether `f` takes as much scratch memory on a dry stream as on a real one, and gives it back: f(stream, arena).
template <class F>
bool rehearses(F f) {
    ThreadPool pool(2);
    const Stream stream{Device{}, &pool, nullptr, false};
    Arena measured = Arena::measuring();
    f(dry(stream), measured);
    Arena exact(Device{}, measured.peak());
    f(stream, exact);
    return measured.peak() == exact.peak() && measured.mark() == 0 && exact.mark() == 0;
}

/// The largest difference between a gradient and central differences of `f` at x, relative to the gradient's scale.
template <class F>
double gradient_error(F f, std::vector<double> x, const std::vector<double>& gradient, double step = 1e-5) {
    double worst = 0, scale = 0;
    for (double g : gradient) scale = std::max(scale, std::fabs(g));
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double at = x[i];
        x[i] = at + step;
        const double up = f(x);
        x[i] = at - step;
        const double down = f(x);
        x[i] = at;
        worst = std::max(worst, std::fabs((up - down) / (2 * step) - gradient[i]));
    }
    return worst / std::max(scale, 1e-300);
}

/// Small shapes that meet every edge: one, primes, channels beside a strip of 64, several images.
inline const Shape shapes[] = {{1, 1, 1, 1},   {1, 1, 1, 8},   {2, 3, 5, 3},  {1, 7, 1, 8},
                               {3, 5, 7, 24},  {1, 2, 3, 63},  {2, 4, 4, 64}, {1, 3, 2, 65},
                               {2, 5, 3, 100}, {1, 31, 29, 8}, {1, 17, 1, 1}, {2, 16, 33, 16}};

}  // namespace star::reference
