// What every test of a kernel needs: values with bounds, outputs between canaries, numbers to fill inputs with.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#include "kernels/random.h"
#include "kernels/types.h"

namespace star::reference {

/// The definition's value, in double precision, and how far a correct implementation may be from it.
struct Bounded {
    double value = 0, bound = 0;
};

/// Within the bound. False for NaN on either side.
inline bool close(double got, Bounded want) { return std::fabs(got - want.value) <= want.bound; }

/// Unit roundoff of a storage type: the largest relative error of one rounding to nearest.
template <class T>
constexpr double roundoff = std::is_same_v<T, float> ? 0x1p-24 : 0x1p-8;

/// Bound of one rounding to T of a number of size |v| (the second term: half the distance of subnormal numbers).
template <class T>
double rounding(double v) {
    return roundoff<T> * std::fabs(v) + (std::is_same_v<T, float> ? 0x1p-150 : 0x1p-134);
}

/// A sum of `terms` products with sum |a*b| = size, computed in float in any order and then rounded to T
/// (Higham 2002, section 3.1; `terms` counts every addition on the longest path, a product's own rounding included).
template <class T>
Bounded sum_of_products(double value, double size, double terms) {
    const double n = terms * roundoff<float>, before = n / (1 - n) * size;
    const double stored = std::is_same_v<T, float> ? 0 : rounding<T>(std::fabs(value) + before);
    return {value, before + stored + terms * 0x1p-150};
}

/// `count` elements, NaN until written, with canaries on both sides, in host memory.
template <class T>
class Guarded {
public:
    explicit Guarded(std::int64_t count) : all_(std::size_t(count + 2 * margin), T{}), count_(count) {
        std::memset(static_cast<void*>(all_.data()), 0xff, all_.size() * sizeof(T));  // a NaN in float and in bf16
        for (std::int64_t i = 0; i < margin; ++i)
            all_[std::size_t(i)] = canary(i), all_[std::size_t(margin + count + i)] = canary(i);
    }
    explicit Guarded(Shape shape) : Guarded(shape.size()) {}
    T* data() { return all_.data() + margin; }
    const T* data() const { return all_.data() + margin; }
    std::int64_t size() const { return count_; }
    View<T> view(Shape shape) { return {data(), shape}; }
    T& operator[](std::int64_t i) { return data()[i]; }
    const T& operator[](std::int64_t i) const { return data()[i]; }
    /// Nothing was written outside.
    bool intact() const {
        for (std::int64_t i = 0; i < margin; ++i) {
            const T want = canary(i);
            if (std::memcmp(&all_[std::size_t(i)], &want, sizeof(T)) != 0) return false;
            if (std::memcmp(&all_[std::size_t(margin + count_ + i)], &want, sizeof(T)) != 0) return false;
        }
        return true;
    }

private:
    static constexpr std::int64_t margin = 64;  // elements: at least a cache line, wider than any vector
    static T canary(std::int64_t i) {
        T v;
        std::memset(static_cast<void*>(&v), int(0xa5 ^ (i & 15)), sizeof v);
        return v;
    }
    std::vector<T> all_;
    std::int64_t count_;
};

/// Equal bits, element by element: unlike ==, tells 0 from -0 and NaN from NaN.
template <class A, class B>
bool same_bits(const A& a, const B& b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), std::size_t(a.size()) * sizeof(*a.data())) == 0;
}

/// Uniform in (-1, 1), rounded to T; the same for the same seed.
template <class T>
std::vector<T> uniform_values(std::int64_t count, std::uint64_t seed) {
    std::vector<T> values(static_cast<std::size_t>(count));
    Random random(seed, 0x7e57);
    for (T& v : values) v = narrow<T>(float(random.uniform(-1, 1)));
    return values;
}

}  // namespace star::reference
