// Sigmoid focal loss and its gradient on a GPU, in one pass, then a second small kernel for the sum.
#include <algorithm>

#include "kernels/focal.h"
#include "kernels/match.h"
#include "kernels/reduce.cuh"

namespace star::cuda {
namespace {

constexpr int threads = 256;

struct Shared {
    float per_warp[32];
};

template <class T>
struct Problem {
    View<const T> logits;
    const std::int8_t* labels;
    std::int64_t label_stride;
    const int* positives;
    Focal how;
    T* dlogits;
};

struct Term {
    float loss, slope;  // -a q^g log p, and its derivative by the logit
};

// With z = +-logit, p = sigmoid(z), q = 1 - p: log p = -softplus(-z) and dp/dz = p q, so that
// d(-a q^g log p)/dz = a q^g (g p log p - q). No step cancels: both terms in the bracket are negative.
__device__ Term focal_term(float logit, bool positive, Focal how) {
    const float sign = positive ? 1.0f : -1.0f;
    const float a = how.alpha < 0 ? 1 : positive ? how.alpha : 1 - how.alpha;
    const float z = sign * logit, e = expf(-fabsf(z));  // never overflows
    const float log_p = fminf(z, 0.0f) - log1pf(e);
    const float p = (z >= 0 ? 1 : e) / (1 + e), q = (z >= 0 ? e : 1) / (1 + e);
    const float aqg = a * powf(q, how.gamma);
    return {-aqg * log_p, sign * aqg * (how.gamma * p * log_p - q)};
}

template <class T>
__global__ void __launch_bounds__(threads) focal_terms(Problem<T> f, float* partial) {
    auto& s = shared_memory<Shared>();
    const Shape shape = f.logits.shape;
    const std::int64_t count = shape.size(), cells = std::int64_t{shape.h} * shape.w;
    float sum = 0;
    for (auto i = std::int64_t{blockIdx.x} * threads + threadIdx.x; i < count; i += std::int64_t{gridDim.x} * threads) {
        const int channel = int(i % shape.c), anchor = channel / f.how.classes, k = channel % f.how.classes;
        const std::int64_t cell = i / shape.c;
        const int n = int(cell / cells);
        Term t{0, 0};
        float scale = 0;
        if (anchor < f.how.per_cell) {  // else padding
            const int label = f.labels[n * f.label_stride + cell % cells * f.how.per_cell + anchor];
            const int positives = f.positives[n];
            if (label != label_ignored) {
                t = focal_term(widen(f.logits.data[i]), label == k, f.how);
                scale = 1 / (float(shape.n) * float(positives > 1 ? positives : 1));
            }
        }
        f.dlogits[i] = narrow<T>(scale * t.slope);
        sum += scale * t.loss;
    }
    sum = block_sum(sum, s.per_warp);
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(threads) sum_partials(const float* partial, int count, float* total) {
    auto& s = shared_memory<Shared>();
    float sum = 0;
    for (int i = int(threadIdx.x); i < count; i += threads) sum += partial[i];
    sum = block_sum(sum, s.per_warp);
    if (threadIdx.x == 0) *total = sum;
}

}  // namespace

template <class T>
void focal_loss(Stream stream, View<const T> logits, const std::int8_t* labels, std::int64_t label_stride,
                View<const int> positives, Focal how, View<T> dlogits, float* loss, float* partial) {
    const auto blocks = unsigned(std::min<std::int64_t>(focal_blocks, ceil_div(logits.size(), std::int64_t{threads})));
    const Problem<T> f{logits, labels, label_stride, positives.data, how, dlogits.data};
    launch(stream, {{blocks}, threads, sizeof(Shared)}, focal_terms<T>, f, partial);
    launch(stream, {{1}, threads, sizeof(Shared)}, sum_partials, partial, int(blocks), loss);
}
template void focal_loss(Stream, View<const float>, const std::int8_t*, std::int64_t, View<const int>, Focal,
                         View<float>, float*, float*);
template void focal_loss(Stream, View<const bf16>, const std::int8_t*, std::int64_t, View<const int>, Focal, View<bf16>,
                         float*, float*);

}  // namespace star::cuda
