// What median_filter() needs of each instruction set.
#pragma once
#include <cstdint>

namespace star {

/// out[x] = the median of the (2 radius + 1)^2 values of which the first is from[x] and whose rows lie `stride` apart,
/// for x < count; radius 1, 2 or 3. Up to 15 values more are read and written.
namespace baseline {
void median_row(const float* from, std::int64_t stride, int radius, int count, float* out);
}
namespace avx2 {
void median_row(const float* from, std::int64_t stride, int radius, int count, float* out);
}
namespace avx512 {
void median_row(const float* from, std::int64_t stride, int radius, int count, float* out);
}

}  // namespace star
