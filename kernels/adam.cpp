// Gradient norm and Adam on the CPU: one pass over the flat block each.
#include "kernels/adam.h"

#include <algorithm>
#include <cmath>

#include "kernels/dispatch.h"

namespace star {
namespace {

constexpr std::int64_t grain = adam_grain;
constexpr int lanes = 8;                 // sums side by side, so that the additions don't wait for each other

double sum_of_squares(const float* x, std::int64_t count) {
    double sum[lanes] = {};
    std::int64_t i = 0;
    for (; i + lanes <= count; i += lanes)
        for (int k = 0; k < lanes; ++k) sum[k] += double(x[i + k]) * double(x[i + k]);
    for (; i < count; ++i) sum[i % lanes] += double(x[i]) * double(x[i]);
    double all = 0;
    for (const double s : sum) all += s;
    return all;
}

struct Update {  // AdamStep as one element needs it
    float scale, beta1, beta2, rate1, root2, epsilon, decay, average;
};

Update update_of(const AdamStep& how, float norm) {
    const double left1 = 1 - std::pow(double(how.beta1), double(how.step));
    const double left2 = 1 - std::pow(double(how.beta2), double(how.step));
    return {how.clip > 0 && norm > how.clip ? how.clip / norm : 1.0f,
            how.beta1,
            how.beta2,
            float(how.rate / left1),
            float(1 / std::sqrt(left2)),
            how.epsilon,
            how.rate * how.weight_decay,
            how.average};
}

}  // namespace

namespace cpu {

void gradient_norm(Stream stream, View<const float> grad, float* norm, double* partial) {
    stream.pool->for_range(grad.size(), grain, [&](std::int64_t first, std::int64_t last, int) {
        partial[first / grain] = sum_of_squares(grad.data + first, last - first);
    });
    double sum = 0;
    for (std::int64_t i = 0; i < ceil_div(grad.size(), grain); ++i) sum += partial[i];
    *norm = float(std::sqrt(sum));
}

void adam_step(Stream stream, View<const float> grad, const float* norm, const AdamStep* how, std::int64_t decayed,
               View<float> value, View<float> m, View<float> v, View<float> averaged, View<bf16> rounded) {
    const Update u = update_of(*how, *norm);
    const bool skip = !std::isfinite(*norm);
    const auto update = [&](std::int64_t first, std::int64_t last, float decay) {
#pragma GCC ivdep
        for (std::int64_t i = first; i < last; ++i) {
            const float g = u.scale * grad.data[i];
            m.data[i] = u.beta1 * m.data[i] + (1 - u.beta1) * g;
            v.data[i] = u.beta2 * v.data[i] + (1 - u.beta2) * g * g;
            const float step = u.rate1 * m.data[i] / (std::sqrt(v.data[i]) * u.root2 + u.epsilon);
            value.data[i] -= decay * value.data[i] + step;
        }
    };
    stream.pool->for_range(grad.size(), grain, [&](std::int64_t first, std::int64_t last, int) {
        if (!skip) {
            const std::int64_t middle = std::clamp(decayed, first, last);
            update(first, middle, u.decay);
            update(middle, last, 0);
            if (averaged.data)
                for (std::int64_t i = first; i < last; ++i)
                    averaged.data[i] = u.average * averaged.data[i] + (1 - u.average) * value.data[i];
        }
        if (rounded.data)
            for (std::int64_t i = first; i < last; ++i) rounded.data[i] = to_bf16(value.data[i]);
    });
}

}  // namespace cpu

void gradient_norm(Stream stream, View<const float> grad, float* norm, Arena& scratch) {
    const Arena::Scope scope(scratch);
    const auto partial = scratch.take<double>(ceil_div(grad.size(), grain));
    on<cpu::gradient_norm, cuda::gradient_norm>(stream, grad, norm, partial.data);
}

void adam_step(Stream stream, View<const float> grad, const float* norm, const AdamStep* how, std::int64_t decayed,
               View<float> value, View<float> m, View<float> v, View<float> averaged, View<bf16> rounded) {
    const std::int64_t size = grad.size();
    require(value.size() == size && m.size() == size && v.size() == size &&
                (!averaged.data || averaged.size() == size) && (!rounded.data || rounded.size() == size),
            "adam_step: sizes differ");
    require(decayed >= 0 && decayed <= size, "adam_step: ", decayed, " of ", size, " elements decayed");
    on<cpu::adam_step, cuda::adam_step>(stream, grad, norm, how, decayed, value, m, v, averaged, rounded);
}

}  // namespace star
