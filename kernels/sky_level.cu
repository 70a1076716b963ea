// The sky in one number each, on a GPU: one block, a thread per part of the sums.
#include "kernels/simt.h"
#include "kernels/sky_level.h"

namespace star::cuda {
namespace {

struct Shared {
    double level[sky_parts], rms[sky_parts];
};

__device__ double part_of(View<const float> map) {
    double sum = 0;
    for (std::int64_t i = threadIdx.x; i < map.size(); i += sky_parts) sum += map.data[i];
    return sum;
}

__global__ void __launch_bounds__(sky_parts)
    find_level(View<const float> level, View<const float> rms, const float* estimate, Noise noise, SkyLevel* out) {
    auto& s = shared_memory<Shared>();
    s.level[threadIdx.x] = part_of(level), s.rms[threadIdx.x] = part_of(rms);
    sync_block();  // all parts are there
    if (threadIdx.x > 0) return;
    double level_sum = 0, rms_sum = 0;
    for (int i = 0; i < sky_parts; ++i) level_sum += s.level[i], rms_sum += s.rms[i];
    const double cells = double(level.size());
    *out = sky_level_of(level_sum / cells, rms_sum / cells, estimate ? *estimate : NAN, noise);
}

}  // namespace

void sky_level(Stream stream, View<const float> level, View<const float> rms, const float* estimate, Noise noise,
               SkyLevel* out) {
    launch(stream, {{1}, sky_parts, sizeof(Shared)}, find_level, level, rms, estimate, noise, out);
}

}  // namespace star::cuda
