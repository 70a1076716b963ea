// A block fits one piece after the other: its stamps lie in the workspace, its equations' factor in shared memory.
#include "kernels/fit_model.cuh"
#include "kernels/fit_solve.cuh"
#include "kernels/fit_stars.h"
#include "kernels/fit_sums.cuh"

namespace star::cuda {
namespace {

using namespace fit_block;

constexpr std::int64_t workspace_wanted = std::int64_t{256} << 20, counter_bytes = 256;
constexpr int most_blocks = 1024;  // more than any GPU runs at once

/// Of a kernel for pieces of up to `most` stars, and how many of its blocks share a multiprocessor's registers.
template <int most>
constexpr int block_threads = most > few_fit_stars ? 128 : 64;
template <int most>
constexpr int blocks_at_once = 384 / block_threads<most>;

struct Problem {
    FitBatch batch;
    Sizes sizes;
    std::int64_t slot_bytes;
    int* next;  // piece that no block has taken
    std::byte* slots;
};

// Throughout, all threads hold the same numbers and take the same turns. A round draws the stars on trial, judges them
// and makes the next trial; the last one is of the stars as they were fitted, for their errors.
template <int most>
__device__ void fit(const Work& q, Shared<most>& s) {
    const FitPiece& p = q.piece;
    const GroupLimits& limits = q.batch.limits;
    const int thread = int(threadIdx.x), threads = int(blockDim.x);
    for (int i = thread; i < p.stars; i += threads) {
        const FitStar& from = q.batch.stars[p.first + i];
        s.start[i] = s.now[i] = s.trial[i] = {from.x, from.y, from.flux};
    }
    sync_block();  // the stars are there
    double looked_at[1] = {double(gather(q, s))};
    const Table table = psf_table(q);
    sum_over_block(looked_at, s.per_warp);  // after its barrier pixels and PSF are there

    GroupResult r{.pixels = int(looked_at[0])};
    double lambda = fit_rules::first_lambda, sky = 0;
    for (bool first = true, last = false;; first = false) {
        const Left left = evaluate(q, s, table, sky, first && q.batch.drawn);
        fit_rules::Verdict verdict{true, r.pixels > 0, r.converged};
        if (first) {
            r.iterations = r.pixels > 0;
        } else if (!last) {
            ++r.iterations;
            verdict = fit_rules::judge(limits, r.chi2, left.chi2, lambda);
        }
        if (verdict.taken) {
            for (int i = thread; i < p.stars; i += threads) s.now[i] = s.trial[i];
            r.sky = sky, r.chi2 = left.chi2;
            normal_equations(q, s, left.weight, left.gradient);
        }
        r.converged = verdict.converged;
        bool ends = !verdict.goes_on || r.iterations >= limits.iterations;
        if (last || !ends) factorise(q, s, last ? 0 : lambda);
        if (last) break;
        if (!ends) {
            finish_solution(q, s);
            ends = r.converged = fit_rules::settled(limits, s.promised, r.chi2, lambda);
        }
        if (ends && thread == 0) q.batch.results[&p - q.batch.pieces] = r;
        if (ends && !q.batch.errors) break;
        sky = r.sky + (ends ? 0 : s.solution[q.n() - 1]);
        for (int i = thread; i < p.stars; i += threads) {
            const double* const by = s.solution + 3 * i;
            s.trial[i] = s.now[i];
            if (ends) continue;
            s.trial[i] = {fit_rules::moved(limits, s.now[i].x, by[0], s.start[i].x),
                          fit_rules::moved(limits, s.now[i].y, by[1], s.start[i].y), s.now[i].flux + by[2]};
        }
        last = ends;
        sync_block();  // the trial's stars are there, and the factor isn't needed any more
    }
    for (int i = thread; i < p.stars; i += threads)
        q.batch.stars[p.first + i] = {s.now[i].x, s.now[i].y, s.now[i].flux};
    if (!q.batch.errors) return;
    if (q.batch.kernel_size > 1) correlate(q, s);
    write_errors(q, s);
}

template <int most>
__global__ void __launch_bounds__(block_threads<most>, blocks_at_once<most>)
    fit_pieces(const __grid_constant__ Problem p) {
    auto& s = shared_memory<Shared<most>>();
    if (threadIdx.x == 0) s.slot = slot_at(p.sizes, p.slots + blockIdx.x * p.slot_bytes), s.sizes = p.sizes;
    for (;;) {
        if (threadIdx.x == 0) s.piece = atomic_add(p.next, 1);
        sync_block();  // the piece before is finished, and the next one is known
        const int piece = s.piece;
        if (piece >= p.batch.count) break;
        fit(Work{p.batch, p.batch.pieces[piece], s.slot, s.sizes}, s);
    }
}

Sizes sizes_of(const FitBatch& b, const FitExtent& most) {
    require(most.pixels >= 0 && most.stars >= 0 && most.stars <= most_fit_stars && b.count >= 0 &&
                b.kernel_size % 2 == 1 && b.psfs.radius >= 0,
            "fit_stars: ", b.count, " pieces of up to ", most.pixels, " pixels and ", most.stars,
            " stars, a kernel of ", b.kernel_size);
    const int side = 2 * b.psfs.radius + 1;
    return {most.pixels,
            most.stars,
            side,
            side + b.kernel_size / 2 * 2,
            most.mixed ? window_size(b.psfs) : 0,
            most.mixed ? b.psfs.oversampling * b.psfs.oversampling : 0,
            b.errors && b.kernel_size > 1};
}

// One for each block.
int slots(const FitBatch& b, const Sizes& s) {
    const std::int64_t fit = workspace_wanted / std::max<std::int64_t>(slot_bytes(s), 1);
    return int(std::clamp<std::int64_t>(fit, 1, std::clamp(b.count, 1, most_blocks)));
}

template <int most>
void launch_fit(Stream stream, const Problem& p, int blocks) {
    launch(stream, {{unsigned(blocks)}, block_threads<most>, sizeof(Shared<most>)}, fit_pieces<most>, p);
}

}  // namespace

std::int64_t fit_stars_workspace(const FitBatch& batch, const FitExtent& most) {
    const Sizes s = sizes_of(batch, most);
    return counter_bytes + slots(batch, s) * slot_bytes(s);
}

void fit_stars(Stream stream, const FitBatch& batch, const FitExtent& most, std::byte* workspace) {
    const Sizes s = sizes_of(batch, most);
    if (batch.count == 0) return;
    star::fill_zero(stream, workspace, counter_bytes);
    const Problem p{batch, s, slot_bytes(s), reinterpret_cast<int*>(workspace), workspace + counter_bytes};
    if (most.stars <= few_fit_stars)
        launch_fit<few_fit_stars>(stream, p, slots(batch, s));
    else
        launch_fit<most_fit_stars>(stream, p, slots(batch, s));
}

}  // namespace star::cuda
