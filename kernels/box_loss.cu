// Smooth-L1 box loss on a GPU: a thread per four channels of a cell, then a second small kernel for the sum.
#include <algorithm>
#include <cmath>

#include "kernels/box_loss.h"
#include "kernels/pack.cuh"
#include "kernels/reduce.cuh"

namespace star::cuda {
namespace {

constexpr int threads = 256;
constexpr int box = 4;  // coordinates

struct Shared {
    double per_warp[32];
};

template <class T>
struct Problem {
    View<const T> deltas;
    AnchorLevel level;
    int per_cell, total;
    const int* match;
    const Box* truth;
    const int* positives;
    BoxLoss how;
    T* ddeltas;
};

struct Term {
    float loss, slope;
};

__device__ Term smooth_l1(float d, float beta) {
    const float size = fabsf(d);
    if (size < beta) return {0.5f * d * d / beta, d / beta};
    return {size - 0.5f * beta, d == 0 ? 0.0f : copysignf(1.0f, d) + 0 * d};  // 0 * d: NaN stays NaN
}

// The loss of one anchor (or the channels' padding), whose first channel is the cell's channel 4 a. Writes its slopes;
// n = 4 channels are there and moved as one, or n = 1.
template <int n, class T>
__device__ double anchor_loss(const Problem<T>& p, std::int64_t cell, int a) {
    const Shape s = p.deltas.shape;
    const std::int64_t cells = std::int64_t{s.h} * s.w, at = cell * s.c + box * a;
    const int image = int(cell / cells), here = int(cell % cells), channels = s.c - box * a < box ? s.c - box * a : box;
    const int unit = a < p.per_cell
                         ? p.match[std::int64_t{image} * p.total + p.level.first + std::int64_t{here} * p.per_cell + a]
                         : -1;
    if (unit < 0) {
        for (int k = 0; k < channels; k += n) store_pack(p.ddeltas + at + k, Pack<T, n>{});
        return 0;
    }
    const int positives = p.positives[image];
    const float scale = p.how.weight / (float(s.n) * float(positives > 1 ? positives : 1));
    const Delta t = encode(p.truth[unit], anchor_box(p.level, here / s.w, here % s.w, a));
    const float target[box] = {t.x, t.y, t.w, t.h};
    double sum = 0;
    for (int k = 0; k < box; k += n) {
        auto d = load_pack<n>(p.deltas.data + at + k);
        for (int i = 0; i < n; ++i) {
            const Term term = smooth_l1(widen(d.x[i]) - target[k + i], p.how.beta);
            d.x[i] = narrow<T>(scale * term.slope);
            sum += double(scale) * term.loss;
        }
        store_pack(p.ddeltas + at + k, d);
    }
    return sum;
}

template <int n, class T>
__global__ void __launch_bounds__(threads) box_terms(Problem<T> p, double* partial) {
    auto& s = shared_memory<Shared>();
    const Shape shape = p.deltas.shape;
    const int slots = ceil_div(shape.c, box);
    const std::int64_t count = std::int64_t{shape.n} * shape.h * shape.w * slots;
    double sum = 0;
    for (auto i = std::int64_t{blockIdx.x} * threads + threadIdx.x; i < count; i += std::int64_t{gridDim.x} * threads)
        sum += anchor_loss<n>(p, i / slots, int(i % slots));
    sum = block_sum(sum, s.per_warp);
    if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(box_loss_runs) sum_partials(const double* partial, int count, float* loss) {
    auto& s = shared_memory<Shared>();
    const double sum = block_sum(int(threadIdx.x) < count ? partial[threadIdx.x] : 0.0, s.per_warp);
    if (threadIdx.x == 0) *loss = float(sum);
}

template <int n, class T>
void launch_terms(Stream stream, const Problem<T>& p, unsigned blocks, double* partial) {
    launch(stream, {{blocks}, threads, sizeof(Shared)}, box_terms<n, T>, p, partial);
}

}  // namespace

template <class T>
void box_loss(Stream stream, View<const T> deltas, AnchorGrid grid, int level, View<const int> match,
              View<const Box> truth, View<const int> positives, BoxLoss how, View<T> ddeltas, float* loss,
              double* partial) {
    const Shape s = deltas.shape;
    const Problem<T> p{deltas,     grid.level[level], grid.per_cell, grid.total,  match.data,
                       truth.data, positives.data,    how,           ddeltas.data};
    const std::int64_t count = std::int64_t{s.n} * s.h * s.w * ceil_div(s.c, box);
    const auto blocks = unsigned(std::min<std::int64_t>(box_loss_runs, ceil_div(count, std::int64_t{threads})));
    if (s.c % box == 0 && aligned(deltas.data, ddeltas.data))
        launch_terms<box>(stream, p, blocks, partial);
    else
        launch_terms<1>(stream, p, blocks, partial);
    launch(stream, {{1}, box_loss_runs, sizeof(Shared)}, sum_partials, partial, int(blocks), loss);
}

template void box_loss(Stream, View<const float>, AnchorGrid, int, View<const int>, View<const Box>, View<const int>,
                       BoxLoss, View<float>, float*, double*);
template void box_loss(Stream, View<const bf16>, AnchorGrid, int, View<const int>, View<const Box>, View<const int>,
                       BoxLoss, View<bf16>, float*, double*);

}  // namespace star::cuda
