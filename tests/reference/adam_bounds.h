// How far a step of Adam on any device may be from its definition, and the comparison.
#pragma once
#include "tests/reference/adam.h"
#include "tests/reference/array.h"

namespace star::reference {

/// Some gradients and an optimiser's state; the same for the same size.
struct AdamState {
    Array<float> grad, value, m, v, averaged;
    Array<bf16> rounded;
    explicit AdamState(int size, double gradient = 1)
        : grad(random_array<float>({1, 1, 1, size}, 61, gradient)),
          value(random_array<float>({1, 1, 1, size}, 62)),
          m(random_array<float>({1, 1, 1, size}, 63, 0.1 * gradient)),
          v(random_array<float>({1, 1, 1, size}, 64, 0.3)),
          averaged(random_array<float>({1, 1, 1, size}, 65)),
          rounded({1, 1, 1, size}) {
        for (int i = 0; i < size; ++i) v[i] = v[i] * v[i] * float(gradient * gradient);
    }
    bool same_as(const AdamState& o) const {
        return value == o.value && m == o.m && v == o.v && averaged == o.averaged;
    }
};

/// Compares one step with the definition.
inline void check_adam_step(const AdamState& before, const AdamState& s, const AdamStep& how, float norm, int decayed) {
    const int size = int(before.grad.size());
    CAPTURE(size);
    CAPTURE(how.step);
    CHECK(s.grad == before.grad);
    Bounds value(size), m(size), v(size), averaged(size);
    const double u = 0x1p-24;
    for (int i = 0; i < size; ++i) {
        const auto at = std::size_t(i);
        const AdamElement old{before.value[i], before.m[i], before.v[i], before.averaged[i]};
        const AdamElement e = adam(old, before.grad[i], norm, how, i < decayed);
        // Each term of m and v has at most five roundings; m may cancel, so its error is relative to the terms.
        const double left1 = 1 - std::pow(double(how.beta1), double(how.step)),
                     left2 = 1 - std::pow(double(how.beta2), double(how.step));
        const double g = std::fabs(double(before.grad[i])) * (how.clip > 0 && norm > how.clip ? how.clip / norm : 1);
        m.value[at] = e.m, m.bound[at] = 6 * u * (how.beta1 * std::fabs(old.m) + (1 - double(how.beta1)) * g);
        v.value[at] = e.v, v.bound[at] = 8 * u * e.v;
        const double root = std::sqrt(e.v / left2) + how.epsilon;
        const double step = how.rate * std::fabs(e.m) / left1 / root,
                     decay = i < decayed ? how.rate * how.weight_decay * std::fabs(old.value) : 0;
        value.value[at] = e.value;
        value.bound[at] =
            how.rate / left1 / root * m.bound[at] + 12 * u * step + 4 * u * decay + 2 * u * std::fabs(e.value);
        averaged.value[at] = e.averaged;
        averaged.bound[at] = value.bound[at] + 4 * u * (std::fabs(old.averaged) + std::fabs(e.value));
        CHECK(s.rounded[i] == to_bf16(s.value[i]));
    }
    CHECK(all_within(m, s.m));
    CHECK(all_within(v, s.v));
    CHECK(all_within(value, s.value));
    CHECK(all_within(averaged, s.averaged));
    CHECK(s.rounded.intact());
}

}  // namespace star::reference
