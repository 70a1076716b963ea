// Batch normalisation on the CPU: one pass for the sums, one to apply them.
#include "kernels/batch_norm.h"

#include <cmath>

#include "kernels/dispatch.h"

namespace star {
namespace {

constexpr int channel_grain = 64;  // channels per piece of work where the runs' sums are added

// One run's mean and, about it, the sums of x - mean and (x - mean)^2. The first of the two sums is what rounding left
// over of the mean: with it, neither the mean nor the variance loses more than a few roundings of x - mean.
template <class T>
void run_moments(const T* x, std::int64_t rows, int channels, float* __restrict mean, float* __restrict sum,
                 float* __restrict square) {
    std::fill_n(mean, channels, 0.0f);
    std::fill_n(sum, channels, 0.0f);
    std::fill_n(square, channels, 0.0f);
    for (std::int64_t r = 0; r < rows; ++r)
        for (int c = 0; c < channels; ++c) mean[c] += widen(x[r * channels + c]);
    for (int c = 0; c < channels; ++c) mean[c] /= float(rows);
    for (std::int64_t r = 0; r < rows; ++r)
        for (int c = 0; c < channels; ++c) {
            const float d = widen(x[r * channels + c]) - mean[c];
            sum[c] += d;
            square[c] += d * d;
        }
}

struct Moments {
    double mean, square;  // sum of (x - mean)^2 over all rows
};

// Chan, Golub & LeVeque (1983): the runs' moments about their own means, moved to the mean of all.
Moments add_runs(const float* partial, const BatchNormRuns& runs, int c) {
    const std::int64_t step = 3 * std::int64_t{runs.channels};
    double total = 0;
    for (std::int64_t i = 0; i < runs.count; ++i) {
        const float* run = partial + i * step + c;
        total += double(runs.in(i)) * run[0] + run[runs.channels];
    }
    Moments all{total / double(runs.rows), 0};
    for (std::int64_t i = 0; i < runs.count; ++i) {
        const float* run = partial + i * step + c;
        const double rows = double(runs.in(i)), left = run[runs.channels];
        const double shift = run[0] + left / rows - all.mean;
        all.square += run[2 * runs.channels] - left * left / rows + rows * shift * shift;
    }
    return all;
}

float inverse_std(double variance, float epsilon) { return float(1 / std::sqrt(variance + epsilon)); }

}  // namespace

namespace cpu {

template <class T>
void batch_norm_moments(Stream stream, View<const T> x, BatchNormRuns runs, float* moments) {
    const int channels = runs.channels;
    stream.pool->for_each(runs.count, [&](std::int64_t run, int) {
        float* const out = moments + run * 3 * channels;
        run_moments(x.data + run * runs.rows_per_run * channels, runs.in(run), channels, out, out + channels,
                    out + 2 * channels);
    });
}

template <class T>
void batch_norm_forward(Stream stream, View<const T> x, BatchNormParams p, BatchNorm how, View<const T> residual,
                        View<T> y, View<float> saved, BatchNormMoments moments) {
    const BatchNormRuns runs = batch_norm_runs(x.shape);
    const int channels = runs.channels;
    float *const mean = saved.data, *const inv_std = saved.data + channels;
    stream.pool->for_range(channels, channel_grain, [&](std::int64_t first, std::int64_t last, int) {
        for (int c = int(first); c < last; ++c) {
            if (how.frozen) {
                mean[c] = p.mean[c], inv_std[c] = inverse_std(p.variance[c], how.epsilon);
                continue;
            }
            const Moments m = add_runs(moments.data, moments.runs, c);
            mean[c] = float(m.mean), inv_std[c] = inverse_std(m.square / double(runs.rows), how.epsilon);
            const double unbiased = m.square / double(std::max<std::int64_t>(runs.rows - 1, 1));
            if (!std::isfinite(m.mean) || !std::isfinite(unbiased))
                continue;  // one bad image must not poison them for ever
            p.mean[c] = float((1.0 - how.momentum) * p.mean[c] + how.momentum * m.mean);
            p.variance[c] = float((1.0 - how.momentum) * p.variance[c] + how.momentum * unbiased);
        }
    });
    stream.pool->for_each(runs.count, [&](std::int64_t run, int) {
        const std::int64_t at = run * runs.rows_per_run * channels;
        for (std::int64_t r = 0; r < runs.in(run); ++r) {
            const T* const from = x.data + at + r * channels;
            const T* const add = residual.data ? residual.data + at + r * channels : nullptr;
            T* const to = y.data + at + r * channels;
            const float lowest = how.relu ? 0.0f : -INFINITY;
            const auto value = [&](int c) { return p.gamma[c] * inv_std[c] * (widen(from[c]) - mean[c]) + p.beta[c]; };
            const auto above = [&](float v) { return v < lowest ? lowest : v; };  // this way round NaN stays NaN
            if (add) {
#pragma GCC ivdep
                for (int c = 0; c < channels; ++c) to[c] = narrow<T>(above(value(c) + widen(add[c])));
            } else {
#pragma GCC ivdep
                for (int c = 0; c < channels; ++c) to[c] = narrow<T>(above(value(c)));
            }
        }
    });
}

template <class T>
void batch_norm_backward(Stream stream, View<const T> x, View<const T> y, View<const T> dy, View<const float> saved,
                         const float* gamma, BatchNorm how, View<T> dx, View<T> dresidual, float* dgamma, float* dbeta,
                         float* partial, float* mean_gradient) {
    const BatchNormRuns runs = batch_norm_runs(x.shape);
    const int channels = runs.channels;
    const float *const mean = saved.data, *const inv_std = saved.data + channels;
    float *const mean_g = mean_gradient, *const mean_gx = mean_gradient + channels;
    const T* const output = how.relu ? y.data : nullptr;
    const auto masked = [&](std::int64_t i) {  // reads dy in any case: a conditional read isn't vectorised
        const float g = widen(dy.data[i]);
        return !output || widen(output[i]) > 0 ? g : 0.0f;
    };
    stream.pool->for_each(runs.count, [&](std::int64_t run, int) {
        float* const __restrict sum_g = partial + run * 2 * channels;
        float* const __restrict sum_gx = sum_g + channels;
        std::fill_n(sum_g, 2 * channels, 0.0f);
        for (std::int64_t r = 0; r < runs.in(run); ++r) {
            const std::int64_t at = (run * runs.rows_per_run + r) * channels;
            for (int c = 0; c < channels; ++c) {
                const float g = masked(at + c);
                sum_g[c] += g;
                sum_gx[c] += g * (widen(x.data[at + c]) - mean[c]);
            }
        }
    });
    stream.pool->for_range(channels, channel_grain, [&](std::int64_t first, std::int64_t last, int) {
        for (int c = int(first); c < last; ++c) {
            double g = 0, gx = 0;
            for (std::int64_t run = 0; run < runs.count; ++run) {
                g += partial[run * 2 * channels + c];
                gx += partial[run * 2 * channels + channels + c];
            }
            gx *= inv_std[c];
            dbeta[c] += float(g), dgamma[c] += float(gx);
            mean_g[c] = how.frozen ? 0.0f : float(g / double(runs.rows));
            mean_gx[c] = how.frozen ? 0.0f : float(gx * inv_std[c] / double(runs.rows));
        }
    });
    stream.pool->for_each(runs.count, [&](std::int64_t run, int) {
        for (std::int64_t r = 0; r < runs.in(run); ++r) {
            const std::int64_t at = (run * runs.rows_per_run + r) * channels;
            const auto slope = [&](int c, float g) {
                return gamma[c] * inv_std[c] * (g - mean_g[c] - (widen(x.data[at + c]) - mean[c]) * mean_gx[c]);
            };
            if (dresidual.data) {
#pragma GCC ivdep
                for (int c = 0; c < channels; ++c) {
                    const float g = masked(at + c);
                    dx.data[at + c] = narrow<T>(slope(c, g));
                    dresidual.data[at + c] = narrow<T>(g);
                }
            } else {
#pragma GCC ivdep
                for (int c = 0; c < channels; ++c) dx.data[at + c] = narrow<T>(slope(c, masked(at + c)));
            }
        }
    });
}

template <class T>
void batch_norm_fold(Stream stream, View<const float> w, BatchNormParams p, float epsilon, View<T> folded_w,
                     float* folded_bias) {
    const std::int64_t filter = std::int64_t{w.shape.h} * w.shape.w * w.shape.c;
    stream.pool->for_each(w.shape.n, [&](std::int64_t k, int) {
        const float factor = p.gamma[k] * inverse_std(p.variance[k], epsilon);
        folded_bias[k] = p.beta[k] - p.mean[k] * factor;
        for (std::int64_t i = k * filter; i < (k + 1) * filter; ++i) folded_w.data[i] = narrow<T>(w.data[i] * factor);
    });
}

}  // namespace cpu

template <class T>
void batch_norm_moments(Stream stream, View<const T> x, BatchNormRuns runs, float* moments) {
    require(x.size() > 0 && runs.rows * runs.channels == x.size() && runs.channels == x.shape.c &&
                runs.rows_per_run >= 1 && runs.count == ceil_div(runs.rows, runs.rows_per_run),
            "batch_norm_moments: no data, or the runs aren't x's");
    on<cpu::batch_norm_moments<T>, cuda::batch_norm_moments<T>>(stream, x, runs, moments);
}

template <class T>
void batch_norm_forward(Stream stream, View<const T> x, BatchNormParams p, BatchNorm how, View<const T> residual,
                        View<T> y, View<float> saved, Arena& scratch, BatchNormMoments known) {
    require(x.size() > 0, "batch_norm_forward: no data");
    require(x.shape == y.shape && (!residual.data || residual.shape == x.shape), "batch_norm_forward: shapes differ");
    require(saved.shape == Shape{2, 1, 1, x.shape.c}, "batch_norm_forward: saved is not (2,1,1,C)");
    require(how.epsilon >= 0, "batch_norm_forward: epsilon is negative");
    const Arena::Scope scope(scratch);
    if (!how.frozen && known.runs.count == 0) {
        known.runs = batch_norm_runs(x.shape);
        const auto moments = scratch.take<float>(known.runs.count * 3 * x.shape.c);
        batch_norm_moments<T>(stream, x, known.runs, moments.data);
        known.data = moments.data;
    }
    require(how.frozen || known.runs.rows * known.runs.channels == x.size(), "batch_norm_forward: moments aren't x's");
    on<cpu::batch_norm_forward<T>, cuda::batch_norm_forward<T>>(stream, x, p, how, residual, y, saved, known);
}

template <class T>
void batch_norm_backward(Stream stream, View<const T> x, View<const T> y, View<const T> dy, View<const float> saved,
                         const float* gamma, BatchNorm how, View<T> dx, View<T> dresidual, float* dgamma, float* dbeta,
                         Arena& scratch) {
    require(x.size() > 0, "batch_norm_backward: no data");
    require(x.shape == dy.shape && x.shape == dx.shape && (!how.relu || x.shape == y.shape) &&
                (!dresidual.data || x.shape == dresidual.shape),
            "batch_norm_backward: shapes differ");
    require(saved.shape == Shape{2, 1, 1, x.shape.c}, "batch_norm_backward: saved is not (2,1,1,C)");
    require(!dresidual.data || dresidual.data != dx.data, "batch_norm_backward: dresidual is dx's memory");
    const Arena::Scope scope(scratch);
    const auto partial = scratch.take<float>(batch_norm_runs(x.shape).count * 2 * x.shape.c);
    const auto mean_gradient = scratch.take<float>(2 * std::int64_t{x.shape.c});
    on<cpu::batch_norm_backward<T>, cuda::batch_norm_backward<T>>(stream, x, y, dy, saved, gamma, how, dx, dresidual,
                                                                  dgamma, dbeta, partial.data, mean_gradient.data);
}

template <class T>
void batch_norm_fold(Stream stream, View<const float> w, BatchNormParams p, float epsilon, View<T> folded_w,
                     float* folded_bias) {
    require(w.shape == folded_w.shape, "batch_norm_fold: shapes differ");
    require(epsilon >= 0, "batch_norm_fold: epsilon is negative");
    on<cpu::batch_norm_fold<T>, cuda::batch_norm_fold<T>>(stream, w, p, epsilon, folded_w, folded_bias);
}

template void batch_norm_moments(Stream, View<const float>, BatchNormRuns, float*);
template void batch_norm_moments(Stream, View<const bf16>, BatchNormRuns, float*);
template void batch_norm_forward(Stream, View<const float>, BatchNormParams, BatchNorm, View<const float>, View<float>,
                                 View<float>, Arena&, BatchNormMoments);
template void batch_norm_forward(Stream, View<const bf16>, BatchNormParams, BatchNorm, View<const bf16>, View<bf16>,
                                 View<float>, Arena&, BatchNormMoments);
template void batch_norm_backward(Stream, View<const float>, View<const float>, View<const float>, View<const float>,
                                  const float*, BatchNorm, View<float>, View<float>, float*, float*, Arena&);
template void batch_norm_backward(Stream, View<const bf16>, View<const bf16>, View<const bf16>, View<const float>,
                                  const float*, BatchNorm, View<bf16>, View<bf16>, float*, float*, Arena&);
template void batch_norm_fold(Stream, View<const float>, BatchNormParams, float, View<float>, float*);
template void batch_norm_fold(Stream, View<const float>, BatchNormParams, float, View<bf16>, float*);

}  // namespace star
