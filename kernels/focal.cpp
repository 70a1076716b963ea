// Focal loss on the CPU: cells in up to focal_blocks fixed runs, each with its own partial sum.
#include "kernels/focal.h"

#include <algorithm>
#include <cmath>

#include "kernels/dispatch.h"
#include "kernels/match.h"

namespace star {
namespace {

struct Term {
    float loss, slope;  // -w q^g log p, and its derivative by z
};

// With q = 1 - p: log p = -softplus(-z), dp/dz = p q, so d(-w q^g log p)/dz = w q^g (g p log p - q).
Term focal_term(float z, float weight, float gamma) {
    const float e = std::exp(-std::fabs(z));  // never overflows
    const float log_p = (z < 0 ? z : 0.0f) - std::log1p(e);
    const float p = (z >= 0 ? 1 : e) / (1 + e), q = (z >= 0 ? e : 1) / (1 + e);
    const float power = gamma == 2 ? q * q : gamma == 0 ? 1 : std::pow(q, gamma);
    return {-weight * power * log_p, weight * power * (gamma * p * log_p - q)};
}

struct Weights {
    float positive, negative;
};

constexpr Weights weights_of(Focal how) { return how.alpha < 0 ? Weights{1, 1} : Weights{how.alpha, 1 - how.alpha}; }

constexpr std::int64_t cells_per_run(Shape s) {
    return std::max<std::int64_t>(ceil_div(std::int64_t{s.n} * s.h * s.w, std::int64_t{focal_blocks}), 1);
}

}  // namespace

namespace cpu {

template <class T>
void focal_loss(Stream stream, View<const T> logits, const std::int8_t* labels, std::int64_t label_stride,
                View<const int> positives, Focal how, View<T> dlogits, float* loss, float* partial) {
    const Shape s = logits.shape;
    const std::int64_t cells = std::int64_t{s.h} * s.w, all = s.n * cells, run = cells_per_run(s);
    const int used = how.per_cell * how.classes;
    const Weights weights = weights_of(how);
    stream.pool->for_range(all, run, [&](std::int64_t first, std::int64_t last, int) {
        double sum = 0;
        for (std::int64_t i = first; i < last; ++i) {
            const std::int64_t n = i / cells;
            const float scale = 1 / (float(s.n) * float(std::max(positives.data[n], 1)));
            const std::int8_t* const label = labels + n * label_stride + i % cells * how.per_cell;
            const T* const from = logits.data + i * s.c;
            T* const to = dlogits.data + i * s.c;
            double cell = 0;
            for (int a = 0; a < how.per_cell; ++a)
                for (int k = 0; k < how.classes; ++k) {
                    const int at = a * how.classes + k;
                    if (label[a] == label_ignored) {
                        to[at] = T{};
                        continue;
                    }
                    const bool is = label[a] == k;
                    const float z = widen(from[at]);
                    const Term t = focal_term(is ? z : -z, is ? weights.positive : weights.negative, how.gamma);
                    to[at] = narrow<T>(scale * (is ? t.slope : -t.slope));
                    cell += double(t.loss);
                }
            std::fill(to + used, to + s.c, T{});
            sum += double(scale) * cell;
        }
        partial[first / run] = float(sum);
    });
    double total = 0;
    for (std::int64_t i = 0; i < ceil_div(all, run); ++i) total += double(partial[i]);
    *loss = float(total);
}

template void focal_loss(Stream, View<const float>, const std::int8_t*, std::int64_t, View<const int>, Focal,
                         View<float>, float*, float*);
template void focal_loss(Stream, View<const bf16>, const std::int8_t*, std::int64_t, View<const int>, Focal, View<bf16>,
                         float*, float*);

}  // namespace cpu

template <class T>
void focal_loss(Stream stream, View<const T> logits, const std::int8_t* labels, std::int64_t label_stride,
                View<const int> positives, Focal how, View<T> dlogits, float* loss, Arena& scratch) {
    const Shape s = logits.shape;
    require(s.size() > 0 && s.n > 0 && how.classes >= 1 && how.per_cell >= 1, "focal_loss: no logits");
    require(s == dlogits.shape && s.c >= std::int64_t{how.per_cell} * how.classes && positives.size() == s.n,
            "focal_loss: shapes differ");
    require(how.classes <= 128 && how.gamma >= 0, "focal_loss: ", how.classes, " classes, gamma ", how.gamma);
    require(s.n == 1 || label_stride >= std::int64_t{s.h} * s.w * how.per_cell, "focal_loss: labels overlap");
    const Arena::Scope scope(scratch);
    const auto partial = scratch.take<float>(std::int64_t{focal_blocks});
    on<cpu::focal_loss<T>, cuda::focal_loss<T>>(stream, logits, labels, label_stride, positives, how, dlogits, loss,
                                                partial.data);
}

template void focal_loss(Stream, View<const float>, const std::int8_t*, std::int64_t, View<const int>, Focal,
                         View<float>, float*, Arena&);
template void focal_loss(Stream, View<const bf16>, const std::int8_t*, std::int64_t, View<const int>, Focal, View<bf16>,
                         float*, Arena&);

}  // namespace star
