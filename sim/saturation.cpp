// From each clipped pixel along its trail.
#include "sim/saturation.h"

#include "kernels/check.h"
#include "sim/detector_noise.h"

namespace star {
namespace {

constexpr double trail = 0.9;  // of the level: flat fields move it by some per cent from pixel to pixel

}  // namespace

void mark_saturated(std::span<const float> pixels, int width, int height, double level,
                    std::vector<std::uint8_t>& mask) {
    const std::size_t size = std::size_t(width) * std::size_t(height);
    require(pixels.size() == size && (mask.empty() || mask.size() == size), "mark_saturated: another extent");
    std::vector<std::size_t> front;
    const auto visit = [&](std::size_t i, double least) {
        if (!(pixels[i] >= least) || mask[i] & mask_saturated) return;
        mask[i] |= mask_saturated;
        front.push_back(i);
    };
    for (std::size_t i = 0; i < size; ++i) {
        if (!(pixels[i] >= level)) continue;
        if (mask.empty()) mask.resize(size);
        visit(i, level);
        while (!front.empty()) {
            const std::size_t at = front.back(), x = at % std::size_t(width), w = std::size_t(width);
            front.pop_back();
            // A level below zero (a subtracted sky) has no trail of nine tenths.
            const double least = level > 0 ? trail * level : level;
            if (x > 0) visit(at - 1, least);
            if (x + 1 < w) visit(at + 1, least);
            if (at >= w) visit(at - w, least);
            if (at + w < size) visit(at + w, least);
        }
    }
}

}  // namespace star
