// Batch normalisation on a GPU: sums of runs of rows, sums of the runs, then one pass to apply them. A thread of the
// two passes over the data has a few neighbouring channels of one run and walks its rows, as the CPU does.
#include <cmath>

#include "kernels/batch_norm.h"
#include "kernels/pack.cuh"

namespace star::cuda {
namespace {

constexpr int threads = 128;  // of the passes over the data
constexpr int in_flight = 4;  // rows that are read before the first of them is written
constexpr int groups = 32;    // of runs that are added side by side,
constexpr int at_once = 32;   // for so many channels
constexpr int summing = groups * at_once;

struct Shared {
    double part[groups][at_once];
};

template <class T>
struct Forward {
    const T *x, *residual;
    T* y;
    const float *gamma, *beta, *saved;
    bool relu;
};

template <class T>
struct Backward {
    const T *x, *y, *dy;  // y is null without a ReLU
    T *dx, *dresidual;
    const float *gamma, *saved, *mean_gradient;
};

struct Part {              // what a thread walks over
    std::int64_t run, at;  // at: its first element
    int channel, rows;     // no rows: nothing
};

template <int n>
__device__ Part part_of(const BatchNormRuns& runs) {
    const int packs = runs.channels / n;
    const std::int64_t thread = std::int64_t{blockIdx.x} * threads + threadIdx.x, run = thread / packs;
    const int channel = int(thread % packs) * n;
    if (run >= runs.count) return {0, 0, 0, 0};
    return {run, run * runs.rows_per_run * runs.channels + channel, channel, int(runs.in(run))};
}

template <class T>
__device__ float masked(T dy, bool passes) {
    return passes ? widen(dy) : 0.0f;
}

__device__ float inverse_std(double variance, float epsilon) { return float(1 / sqrt(variance + epsilon)); }

// Sum of v over the groups of a channel, in their order; every group gets it. All threads call.
__device__ double channel_sum(double v, Shared& s) {
    s.part[threadIdx.x / at_once][lane()] = v;
    sync_block();  // all groups' sums are there
    double all = 0;
    for (int g = 0; g < groups; ++g) all += s.part[g][lane()];
    sync_block();  // and have been read
    return all;
}

// A run's mean and, about it, the sums of x - mean and (x - mean)^2. The first of them is what rounding left over of
// the mean.
template <class T, int n>
__global__ void __launch_bounds__(threads) run_moments(const T* x, BatchNormRuns runs, float* partial) {
    const Part part = part_of<n>(runs);
    if (part.rows == 0) return;
    Pack<float, n> mean{}, sum{}, square{};
#pragma unroll 4
    for (int r = 0; r < part.rows; ++r) {
        const auto v = load_pack<n>(x + part.at + std::int64_t{r} * runs.channels);
#pragma unroll
        for (int k = 0; k < n; ++k) mean.x[k] += widen(v.x[k]);
    }
    for (int k = 0; k < n; ++k) mean.x[k] /= float(part.rows);
#pragma unroll 4
    for (int r = 0; r < part.rows; ++r) {  // the run is short enough to be still in a cache
        const auto v = load_pack<n>(x + part.at + std::int64_t{r} * runs.channels);
#pragma unroll
        for (int k = 0; k < n; ++k) {
            const float d = widen(v.x[k]) - mean.x[k];
            sum.x[k] += d, square.x[k] += d * d;
        }
    }
    float* const to = partial + part.run * 3 * runs.channels + part.channel;
#pragma unroll
    for (int k = 0; k < n; ++k)
        to[k] = mean.x[k], to[runs.channels + k] = sum.x[k], to[2 * runs.channels + k] = square.x[k];
}

// Chan, Golub & LeVeque (1983): the runs' moments about their own means, moved to the mean of all.
__global__ void __launch_bounds__(summing)
    batch_statistics(const float* partial, BatchNormRuns runs, BatchNormParams p, BatchNorm how, float* saved) {
    auto& s = shared_memory<Shared>();
    const int c = int(blockIdx.x) * at_once + lane(), group = int(threadIdx.x) / at_once;
    const std::int64_t count = c < runs.channels ? runs.count : 0, step = 3 * std::int64_t{runs.channels};
    double sum = 0;
    for (std::int64_t i = group; i < count; i += groups) {
        const float* const run = partial + i * step + c;
        sum += double(runs.in(i)) * run[0] + run[runs.channels];
    }
    const double mean = channel_sum(sum, s) / double(runs.rows);
    sum = 0;
    for (std::int64_t i = group; i < count; i += groups) {
        const float* const run = partial + i * step + c;
        const double rows = double(runs.in(i)), left = run[runs.channels], shift = run[0] + left / rows - mean;
        sum += run[2 * runs.channels] - left * left / rows + rows * shift * shift;
    }
    const double square = channel_sum(sum, s);
    if (group > 0 || count == 0) return;
    saved[c] = float(mean), saved[runs.channels + c] = inverse_std(square / double(runs.rows), how.epsilon);
    const double unbiased = square / double(runs.rows > 1 ? runs.rows - 1 : 1);
    if (!std::isfinite(mean) || !std::isfinite(unbiased)) return;  // one bad image must not poison them for ever
    p.mean[c] = float((1.0 - how.momentum) * p.mean[c] + how.momentum * mean);
    p.variance[c] = float((1.0 - how.momentum) * p.variance[c] + how.momentum * unbiased);
}

__global__ void __launch_bounds__(threads)
    running_statistics(BatchNormParams p, float epsilon, int channels, float* saved) {
    const int c = int(blockIdx.x * threads + threadIdx.x);
    if (c < channels) saved[c] = p.mean[c], saved[channels + c] = inverse_std(p.variance[c], epsilon);
}

template <class T, int n>
__global__ void __launch_bounds__(threads) apply(Forward<T> f, BatchNormRuns runs) {
    const Part part = part_of<n>(runs);
    float mean[n], scale[n], shift[n];
#pragma unroll
    for (int k = 0; k < n && part.rows; ++k) {
        const int c = part.channel + k;
        mean[k] = f.saved[c], scale[k] = f.gamma[c] * f.saved[runs.channels + c], shift[k] = f.beta[c];
    }
    const float lowest = f.relu ? 0.0f : -INFINITY;
    for (int first = 0; first < part.rows; first += in_flight) {
        Pack<T, n> x[in_flight], residual[in_flight];
#pragma unroll
        for (int i = 0; i < in_flight; ++i) {
            const std::int64_t at = part.at + std::int64_t{first + i} * runs.channels;
            if (first + i < part.rows) x[i] = load_pack<n>(f.x + at);
            if (first + i < part.rows && f.residual) residual[i] = load_pack<n>(f.residual + at);
        }
#pragma unroll
        for (int i = 0; i < in_flight; ++i) {
            if (first + i >= part.rows) break;
#pragma unroll
            for (int k = 0; k < n; ++k) {
                float v = scale[k] * (widen(x[i].x[k]) - mean[k]) + shift[k];
                if (f.residual) v += widen(residual[i].x[k]);
                x[i].x[k] = narrow<T>(v < lowest ? lowest : v);  // this way round NaN stays NaN
            }
            store_pack(f.y + part.at + std::int64_t{first + i} * runs.channels, x[i]);
        }
    }
}

template <class T, int n>
__global__ void __launch_bounds__(threads) run_gradients(Backward<T> b, BatchNormRuns runs, float* partial) {
    const Part part = part_of<n>(runs);
    if (part.rows == 0) return;
    float mean[n], sum_g[n] = {}, sum_gx[n] = {};
#pragma unroll
    for (int k = 0; k < n; ++k) mean[k] = b.saved[part.channel + k];
#pragma unroll 4
    for (int r = 0; r < part.rows; ++r) {
        const std::int64_t at = part.at + std::int64_t{r} * runs.channels;
        const auto x = load_pack<n>(b.x + at), dy = load_pack<n>(b.dy + at);
        const auto y = b.y ? load_pack<n>(b.y + at) : dy;
#pragma unroll
        for (int k = 0; k < n; ++k) {
            const float g = masked(dy.x[k], !b.y || widen(y.x[k]) > 0);
            sum_g[k] += g, sum_gx[k] += g * (widen(x.x[k]) - mean[k]);
        }
    }
    float* const to = partial + part.run * 2 * runs.channels + part.channel;
#pragma unroll
    for (int k = 0; k < n; ++k) to[k] = sum_g[k], to[runs.channels + k] = sum_gx[k];
}

__global__ void __launch_bounds__(summing)
    parameter_gradients(const float* partial, BatchNormRuns runs, const float* saved, bool frozen, float* dgamma,
                        float* dbeta, float* mean_gradient) {
    auto& s = shared_memory<Shared>();
    const int c = int(blockIdx.x) * at_once + lane(), group = int(threadIdx.x) / at_once;
    const std::int64_t count = c < runs.channels ? runs.count : 0, step = 2 * std::int64_t{runs.channels};
    double sum_g = 0, sum_gx = 0;
    for (std::int64_t i = group; i < count; i += groups)
        sum_g += partial[i * step + c], sum_gx += partial[i * step + runs.channels + c];
    const double g = channel_sum(sum_g, s), about_mean = channel_sum(sum_gx, s);
    if (group > 0 || count == 0) return;
    const float inv_std = saved[runs.channels + c];
    const double gx = about_mean * inv_std;
    dbeta[c] += float(g), dgamma[c] += float(gx);
    mean_gradient[c] = frozen ? 0.0f : float(g / double(runs.rows));
    mean_gradient[runs.channels + c] = frozen ? 0.0f : float(gx * inv_std / double(runs.rows));
}

template <class T, int n>
__global__ void __launch_bounds__(threads) apply_gradient(Backward<T> b, BatchNormRuns runs) {
    const Part part = part_of<n>(runs);
    float mean[n], scale[n], mean_g[n], mean_gx[n];
#pragma unroll
    for (int k = 0; k < n && part.rows; ++k) {
        const int c = part.channel + k;
        mean[k] = b.saved[c], scale[k] = b.gamma[c] * b.saved[runs.channels + c];
        mean_g[k] = b.mean_gradient[c], mean_gx[k] = b.mean_gradient[runs.channels + c];
    }
    for (int first = 0; first < part.rows; first += in_flight) {
        Pack<T, n> x[in_flight], dy[in_flight], y[in_flight];
#pragma unroll
        for (int i = 0; i < in_flight; ++i) {
            const std::int64_t at = part.at + std::int64_t{first + i} * runs.channels;
            if (first + i < part.rows) x[i] = load_pack<n>(b.x + at), dy[i] = load_pack<n>(b.dy + at);
            if (first + i < part.rows && b.y) y[i] = load_pack<n>(b.y + at);
        }
#pragma unroll
        for (int i = 0; i < in_flight; ++i) {
            if (first + i >= part.rows) break;
#pragma unroll
            for (int k = 0; k < n; ++k) {
                const float g = masked(dy[i].x[k], !b.y || widen(y[i].x[k]) > 0);
                const float slope = scale[k] * (g - mean_g[k] - (widen(x[i].x[k]) - mean[k]) * mean_gx[k]);
                x[i].x[k] = narrow<T>(slope), dy[i].x[k] = narrow<T>(g);
            }
            const std::int64_t at = part.at + std::int64_t{first + i} * runs.channels;
            store_pack(b.dx + at, x[i]);
            if (b.dresidual) store_pack(b.dresidual + at, dy[i]);
        }
    }
}

template <class T>
__global__ void __launch_bounds__(threads)
    fold(const float* w, std::int64_t filter, BatchNormParams p, float epsilon, T* folded_w, float* folded_bias) {
    const auto k = blockIdx.x;
    const float factor = p.gamma[k] * inverse_std(p.variance[k], epsilon);
    if (threadIdx.x == 0) folded_bias[k] = p.beta[k] - p.mean[k] * factor;
    for (std::int64_t i = k * filter + threadIdx.x; i < (k + 1) * filter; i += threads)
        folded_w[i] = narrow<T>(w[i] * factor);
}

Grid over_channels(int channels) { return {{unsigned(ceil_div(channels, at_once))}, summing, sizeof(Shared)}; }

Grid over_runs(const BatchNormRuns& runs, int pack) {
    return {{block_count(ceil_div(runs.count * (runs.channels / pack), std::int64_t{threads}))}, threads};
}

}  // namespace

template <class T>
void batch_norm_moments(Stream stream, View<const T> x, BatchNormRuns runs, float* moments) {
    with_packs<T>(runs.channels % (16 / sizeof(T)) == 0 && aligned(x.data), [&](auto pack) {
        launch(stream, over_runs(runs, pack.value), run_moments<T, pack.value>, x.data, runs, moments);
    });
}

template <class T>
void batch_norm_forward(Stream stream, View<const T> x, BatchNormParams p, BatchNorm how, View<const T> residual,
                        View<T> y, View<float> saved, BatchNormMoments moments) {
    if (how.frozen)
        launch(stream, {{unsigned(ceil_div(x.shape.c, threads))}, threads}, running_statistics, p, how.epsilon,
               x.shape.c, saved.data);
    else
        launch(stream, over_channels(x.shape.c), batch_statistics, moments.data, moments.runs, p, how, saved.data);
    const BatchNormRuns runs = batch_norm_runs(x.shape);
    const bool whole = runs.channels % (16 / sizeof(T)) == 0 && aligned(x.data, residual.data, y.data);
    with_packs<T>(whole, [&](auto pack) {
        const Forward<T> f{x.data, residual.data, y.data, p.gamma, p.beta, saved.data, how.relu};
        launch(stream, over_runs(runs, pack.value), apply<T, pack.value>, f, runs);
    });
}

template <class T>
void batch_norm_backward(Stream stream, View<const T> x, View<const T> y, View<const T> dy, View<const float> saved,
                         const float* gamma, BatchNorm how, View<T> dx, View<T> dresidual, float* dgamma, float* dbeta,
                         float* partial, float* mean_gradient) {
    const BatchNormRuns runs = batch_norm_runs(x.shape);
    const T* const output = how.relu ? y.data : nullptr;
    const bool whole =
        runs.channels % (16 / sizeof(T)) == 0 && aligned(x.data, output, dy.data, dx.data, dresidual.data);
    with_packs<T>(whole, [&](auto pack) {
        const Backward<T> b{x.data, output, dy.data, dx.data, dresidual.data, gamma, saved.data, mean_gradient};
        const Grid data = over_runs(runs, pack.value);
        launch(stream, data, run_gradients<T, pack.value>, b, runs, partial);
        launch(stream, over_channels(runs.channels), parameter_gradients, partial, runs, saved.data, how.frozen, dgamma,
               dbeta, mean_gradient);
        launch(stream, data, apply_gradient<T, pack.value>, b, runs);
    });
}

template <class T>
void batch_norm_fold(Stream stream, View<const float> w, BatchNormParams p, float epsilon, View<T> folded_w,
                     float* folded_bias) {
    if (w.shape.n == 0) return;
    const std::int64_t filter = std::int64_t{w.shape.h} * w.shape.w * w.shape.c;
    launch(stream, {{unsigned(w.shape.n)}, threads}, fold<T>, w.data, filter, p, epsilon, folded_w.data, folded_bias);
}

template void batch_norm_moments(Stream, View<const float>, BatchNormRuns, float*);
template void batch_norm_moments(Stream, View<const bf16>, BatchNormRuns, float*);
template void batch_norm_forward(Stream, View<const float>, BatchNormParams, BatchNorm, View<const float>, View<float>,
                                 View<float>, BatchNormMoments);
template void batch_norm_forward(Stream, View<const bf16>, BatchNormParams, BatchNorm, View<const bf16>, View<bf16>,
                                 View<float>, BatchNormMoments);
template void batch_norm_backward(Stream, View<const float>, View<const float>, View<const float>, View<const float>,
                                  const float*, BatchNorm, View<float>, View<float>, float*, float*, float*, float*);
template void batch_norm_backward(Stream, View<const bf16>, View<const bf16>, View<const bf16>, View<const float>,
                                  const float*, BatchNorm, View<bf16>, View<bf16>, float*, float*, float*, float*);
template void batch_norm_fold(Stream, View<const float>, BatchNormParams, float, View<float>, float*);
template void batch_norm_fold(Stream, View<const float>, BatchNormParams, float, View<bf16>, float*);

}  // namespace star::cuda
