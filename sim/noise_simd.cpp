// Photons, read noise and digits of a vector of pixels at a time.
#include "sim/noise_simd.h"

#include "sim/noise_vector.h"

namespace star::STAR_ISA {
namespace {

// Reciprocals of the counts that inversion multiplies by.
struct Reciprocals {
    double of[most_counts + 1];
};
constexpr Reciprocals reciprocals = [] {
    Reciprocals r{};
    for (int k = 1; k <= most_counts; ++k) r.of[k] = 1.0 / k;
    return r;
}();

// A vector of doubles for each half of a vector of floats.
struct Both {
    Doubles low, high;
};

[[gnu::always_inline]] inline Both widened(Vector v) {
    HalfVector half[2];
    __builtin_memcpy(half, &v, sizeof v);
    return {__builtin_convertvector(half[0], Doubles), __builtin_convertvector(half[1], Doubles)};
}

[[gnu::always_inline]] inline Vector narrowed(Both v) {
    const HalfVector half[2] = {__builtin_convertvector(v.low, HalfVector),
                                __builtin_convertvector(v.high, HalfVector)};
    Vector whole;
    __builtin_memcpy(&whole, half, sizeof whole);
    return whole;
}

// The upper 52 of 64 bits in the mantissa of a number in [1, 2), which becomes one in (0, 1): exact.
[[gnu::always_inline]] inline Doubles fraction(HalfWords high, HalfWords low) {
    const LongWords bits = __builtin_convertvector(high, LongWords) << 32 | __builtin_convertvector(low, LongWords);
    return reinterpret_cast<Doubles>(bits >> 12 | 0x3ff0000000000000u) - (1 - 0x1p-53);
}

[[gnu::always_inline]] inline Both fractions(Words high, Words low) {
    HalfWords h[2], l[2];
    __builtin_memcpy(h, &high, sizeof high);
    __builtin_memcpy(l, &low, sizeof low);
    return {fraction(h[0], l[0]), fraction(h[1], l[1])};
}

[[gnu::always_inline]] inline Doubles one_where(Longs mask) {
    return reinterpret_cast<Doubles>(mask & reinterpret_cast<Longs>(Doubles{} + 1.0));
}

// Exact counts for a vector of means up to many_photons: the Poisson's inverse distribution function, summed up from 0.
// The count is the number of k with P(N <= k) < u; the sum's rounding, below 1e-14, is all that's between it and the
// law. Both halves go along together, so that one's sums hide the other's latency.
[[gnu::noinline]] Vector few_photons(Vector mean, Words high, Words low) {
    const Both m = widened(mean), u = fractions(high, low);
    Both term{exp_minus(m.low), exp_minus(m.high)}, below = term, count{Doubles{}, Doubles{}};
    for (int k = 1; k <= most_counts; ++k) {
        const Longs more_low = below.low < u.low, more_high = below.high < u.high;
        if (!any(reinterpret_cast<Index>(more_low | more_high))) break;
        count.low += one_where(more_low), count.high += one_where(more_high);
        term.low *= m.low * reciprocals.of[k], term.high *= m.high * reciprocals.of[k];
        below.low += term.low, below.high += term.high;
    }
    return narrowed(count);
}

struct Photons {
    Vector whole, fraction;  // the mean's
    Vector excess;           // the count less `whole`: a small number keeps its digits
};

// The Poisson quantile of a normal quantile w: Giles 2016 (ACM TOMS 42, 6), its expansion up to the term in 1 / mean.
// The total variation distance from the Poisson is 1.4e-5 at a mean of 30 and falls faster than 1 / mean.
[[gnu::always_inline]] inline Photons photons(Vector mean, Vector w, Words high, Words low) {
    const Vector whole = floor(mean), fraction = mean - whole;
    const Vector sigma = root(mean), inverse = 1.0f / sigma, w2 = w * w;
    const Vector third = (w2 * (w2 * (3.0f / 810) + 7.0f / 810) - 16.0f / 810) * inverse;
    const Vector shift = (w2 + 2.0f) * (1.0f / 6 - w * inverse * (1.0f / 72)) + third * inverse;
    Vector excess = floor(fraction + (sigma * w + shift));
    excess = choose(excess < -whole, -whole, excess);
    const Index few = mean < many_photons;
    if (any(few)) {
        const Vector small = few_photons(choose(few, mean, Vector{}), high, low);
        excess = choose(few, small - whole, excess);
    }
    return {whole, fraction, excess};
}

struct Seen {
    Vector image, noise;
    Index full;
};

[[gnu::always_inline]] inline Seen expose_pixels(const NoiseRun& run, Vector light, Words low, Words high) {
    const Words4 random = philox(run.seed, low, high);
    const Gaussians g = gaussians(random.x[0], random.x[1]);
    const Vector mean = choose(light > 0.0f, light, Vector{}) + run.background;
    const Photons p = photons(mean, g.a, random.x[2], random.x[3]);
    const Index full = ~(p.excess < run.well - p.whole);  // true for what isn't a number, too
    Vector excess = choose(full, run.well - p.whole, p.excess) + run.read * g.b;
    if (run.step > 0) {
        const Vector level = nearest((p.whole + excess) / run.step) * run.step;
        return {run.noise ? mean : run.unit * level, level - mean, full};
    }
    return {run.noise ? mean : run.unit * (p.whole + excess), excess - p.fraction, full};
}

void expose(const NoiseRun& run) {
    Words lane;
    for (int i = 0; i < lanes; ++i) lane[i] = std::uint32_t(i);
    for (std::int64_t at = 0; at < run.count; at += lanes) {
        const std::int64_t left = run.count - at;
        const int some = left < lanes ? int(left) : lanes;
        float light[lanes] = {};
        __builtin_memcpy(light, run.image + at, std::size_t(some) * 4);
        const std::uint64_t first = run.first + std::uint64_t(at);
        const Words low = lane + std::uint32_t(first);
        // A carry into the upper half, where the lower one wrapped around.
        const Words high = std::uint32_t(first >> 32) - reinterpret_cast<Words>(low < lane);
        const Seen seen = expose_pixels(run, load(light), low, high);
        __builtin_memcpy(run.image + at, &seen.image, std::size_t(some) * 4);
        if (run.noise) __builtin_memcpy(run.noise + at, &seen.noise, std::size_t(some) * 4);
        if (run.full)
            for (int i = 0; i < some; ++i) run.full[at + i] = std::uint8_t(seen.full[i] & 1);
    }
}

}  // namespace

const NoiseKernels noise_kernels{expose};

}  // namespace star::STAR_ISA
