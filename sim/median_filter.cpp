// Rows with their edges drawn out, so that every window lies in memory.
#include "sim/median_filter.h"

#include <algorithm>
#include <cstdint>

#include "kernels/check.h"
#include "sim/median_simd.h"

namespace star {

std::vector<float> median_filter(Isa isa, std::span<const float> in, int w, int h, int radius) {
    constexpr int more = 15;  // that a row reads and writes
    require(w > 0 && h > 0 && in.size() == std::size_t(w) * std::size_t(h) && radius >= 1 && radius <= 3,
            "median: ", in.size(), " pixels for ", w, "x", h, ", radius ", radius);
    const std::int64_t stride = std::int64_t{w} + 2 * radius + more;
    std::vector<float> wide(std::size_t(stride * (h + 2 * radius))), out(in.size() + more);
    for (int y = -radius; y < h + radius; ++y) {
        const float* const from = in.data() + std::int64_t{std::clamp(y, 0, h - 1)} * w;
        float* to = std::fill_n(wide.data() + (y + radius) * stride, radius, from[0]);
        to = std::copy_n(from, w, to);
        std::fill_n(to, radius, from[w - 1]);
    }
    const auto row = of_isa(isa, &baseline::median_row, &avx2::median_row, &avx512::median_row);
    for (int y = 0; y < h; ++y)  // what is written beyond a row's end the next overwrites
        row(wide.data() + y * stride, stride, radius, w, out.data() + std::int64_t{y} * w);
    out.resize(in.size());
    return out;
}

}  // namespace star
