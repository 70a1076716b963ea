// Gradient norm and Adam on a GPU: a block per piece of the flat block.
#include <cmath>

#include "kernels/adam.h"
#include "kernels/pack.cuh"
#include "kernels/reduce.cuh"

namespace star::cuda {
namespace {

constexpr int threads = 256;

struct Shared {
    double per_warp[32];
};

struct Update {  // AdamStep as one element needs it
    float scale, beta1, beta2, rate1, root2, epsilon, decay, average;
    bool skip;
};

struct State {
    std::int64_t size, decayed;
    const float* grad;
    float *value, *m, *v, *averaged;
    bf16* rounded;
};

__device__ Update update_of(const AdamStep& how, float norm) {
    const double left1 = 1 - pow(double(how.beta1), double(how.step));
    const double left2 = 1 - pow(double(how.beta2), double(how.step));
    Update u;
    u.scale = how.clip > 0 && norm > how.clip ? how.clip / norm : 1.0f;
    u.beta1 = how.beta1, u.beta2 = how.beta2;
    u.rate1 = float(how.rate / left1), u.root2 = float(1 / sqrt(left2));
    u.epsilon = how.epsilon, u.decay = how.rate * how.weight_decay, u.average = how.average;
    u.skip = !std::isfinite(norm);
    return u;
}

template <int n>
__device__ void update(const State& s, const Update& u, std::int64_t at) {
    auto value = load_pack<n>(s.value + at);
    if (!u.skip) {
        const auto grad = load_pack<n>(s.grad + at);
        auto m = load_pack<n>(s.m + at), v = load_pack<n>(s.v + at);
#pragma unroll
        for (int i = 0; i < n; ++i) {
            const float g = u.scale * grad.x[i], decay = at + i < s.decayed ? u.decay : 0.0f;
            m.x[i] = u.beta1 * m.x[i] + (1 - u.beta1) * g;
            v.x[i] = u.beta2 * v.x[i] + (1 - u.beta2) * g * g;
            const float step = u.rate1 * m.x[i] / (sqrtf(v.x[i]) * u.root2 + u.epsilon);
            value.x[i] -= decay * value.x[i] + step;
        }
        store_pack(s.m + at, m), store_pack(s.v + at, v), store_pack(s.value + at, value);
        if (s.averaged) {
            auto averaged = load_pack<n>(s.averaged + at);
#pragma unroll
            for (int i = 0; i < n; ++i) averaged.x[i] = u.average * averaged.x[i] + (1 - u.average) * value.x[i];
            store_pack(s.averaged + at, averaged);
        }
    }
    if (s.rounded) {
        Pack<bf16, n> rounded;
#pragma unroll
        for (int i = 0; i < n; ++i) rounded.x[i] = to_bf16(value.x[i]);
        store_pack(s.rounded + at, rounded);
    }
}

// Calls visit(PackSize, at) for the block's piece of the elements, n at a time, the last few one by one.
template <int n, class Visit>
__device__ void walk(std::int64_t size, Visit visit) {
    const std::int64_t first = blockIdx.x * adam_grain, end = first + adam_grain < size ? first + adam_grain : size;
    const std::int64_t whole = first + (end - first) / n * n;
    for (std::int64_t at = first + int(threadIdx.x) * n; at < whole; at += threads * n) visit(PackSize<n>{}, at);
    if (const std::int64_t at = whole + threadIdx.x; at < end) visit(PackSize<1>{}, at);
}

template <int n>
__global__ void __launch_bounds__(threads) sum_squares(const float* grad, std::int64_t size, double* partial) {
    auto& s = shared_memory<Shared>();
    double sum = 0;
    walk<n>(size, [&](auto pack, std::int64_t at) {
        const auto g = load_pack<pack.value>(grad + at);
        for (int i = 0; i < pack.value; ++i) sum += double(g.x[i]) * double(g.x[i]);
    });
    sum = block_sum(sum, s.per_warp);
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(threads) root_of_sum(const double* partial, std::int64_t count, float* norm) {
    auto& s = shared_memory<Shared>();
    double sum = 0;
    for (std::int64_t i = threadIdx.x; i < count; i += threads) sum += partial[i];
    sum = block_sum(sum, s.per_warp);
    if (threadIdx.x == 0) *norm = float(sqrt(sum));
}

template <int n>
__global__ void __launch_bounds__(threads) step(State state, const float* norm, const AdamStep* how) {
    auto& u = shared_memory<Update>();
    if (threadIdx.x == 0) u = update_of(*how, *norm);  // two powers: once per block
    sync_block();                                      // u is there
    walk<n>(state.size, [&](auto pack, std::int64_t at) { update<pack.value>(state, u, at); });
}

}  // namespace

void gradient_norm(Stream stream, View<const float> grad, float* norm, double* partial) {
    const unsigned blocks = block_count(ceil_div(grad.size(), adam_grain));
    with_packs<float>(aligned(grad.data), [&](auto pack) {
        if (blocks)
            launch(stream, {{blocks}, threads, sizeof(Shared)}, sum_squares<pack.value>, grad.data, grad.size(),
                   partial);
    });
    launch(stream, {{1}, threads, sizeof(Shared)}, root_of_sum, partial, std::int64_t{blocks}, norm);
}

void adam_step(Stream stream, View<const float> grad, const float* norm, const AdamStep* how, std::int64_t decayed,
               View<float> value, View<float> m, View<float> v, View<float> averaged, View<bf16> rounded) {
    const State state{grad.size(), decayed, grad.data, value.data, m.data, v.data, averaged.data, rounded.data};
    const bool whole = aligned(grad.data, value.data, m.data, v.data, averaged.data, rounded.data);
    const unsigned blocks = block_count(ceil_div(grad.size(), adam_grain));
    with_packs<float>(whole, [&](auto pack) {
        if (blocks) launch(stream, {{blocks}, threads, sizeof(Update)}, step<pack.value>, state, norm, how);
    });
}

}  // namespace star::cuda
