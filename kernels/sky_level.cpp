// The sky in one number each, on the CPU.
#include "kernels/sky_level.h"

#include "kernels/dispatch.h"

namespace star {
namespace {

double mean(View<const float> map) {
    double part[sky_parts] = {}, sum = 0;
    for (std::int64_t i = 0; i < map.size(); ++i) part[i % sky_parts] += map.data[i];
    for (double p : part) sum += p;
    return sum / double(map.size());
}

}  // namespace

namespace cpu {

void sky_level(Stream, View<const float> level, View<const float> rms, const float* estimate, Noise noise,
               SkyLevel* out) {
    *out = sky_level_of(mean(level), mean(rms), estimate ? *estimate : NAN, noise);
}

}  // namespace cpu

void sky_level(Stream stream, View<const float> level, View<const float> rms, const float* estimate, Noise noise,
               SkyLevel* out) {
    require(level.shape == rms.shape && level.size() > 0, "sky_level: shapes differ, or there is no cell");
    on<cpu::sky_level, cuda::sky_level>(stream, level, rms, estimate, noise, out);
}

}  // namespace star
