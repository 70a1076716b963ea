// Bins, codes, and the choice of their steps.
#include "tools/page_pixels.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "io/deflate.h"
#include "tools/base64.h"
#include "tools/picture_levels.h"

namespace star {
namespace {

constexpr std::int64_t most_pixels = std::int64_t{4096} * 4096;

std::vector<float> binned(const std::vector<float>& image, int w, int h, int bin) {
    const int bw = (w + bin - 1) / bin, bh = (h + bin - 1) / bin;
    std::vector<float> out(std::size_t(bw) * std::size_t(bh));
    for (int y = 0; y < bh; ++y)
        for (int x = 0; x < bw; ++x) {
            double sum = 0;
            int n = 0;
            for (int v = y * bin; v < std::min(h, (y + 1) * bin); ++v)
                for (int u = x * bin; u < std::min(w, (x + 1) * bin); ++u) {
                    const float p = image[std::size_t(v) * std::size_t(w) + std::size_t(u)];
                    if (std::isfinite(p)) sum += p, ++n;
                }
            out[std::size_t(y) * std::size_t(bw) + std::size_t(x)] = n ? float(sum / n) : NAN;
        }
    return out;
}

std::uint16_t code_of(float v, const PackedPixels& p) {
    if (!std::isfinite(v)) return 0;
    const double code = p.middle + std::round(std::asinh((v - p.sky) / p.unit) * p.per_e);
    return std::uint16_t(std::clamp(code, 1.0, 65535.0));
}

// What deflate makes of these codes, within some 15 %: their entropy.
double expected_bytes(const std::vector<float>& image, const PackedPixels& p) {
    std::vector<std::int64_t> count(65536);
    std::int64_t n = 0;
    for (std::size_t i = 0; i < image.size(); i += image.size() / 1000000 + 1, ++n) ++count[code_of(image[i], p)];
    double bits = 0;
    for (const std::int64_t c : count)
        if (c) bits -= double(c) * std::log2(double(c) / double(n));
    return 1.1 * bits / 8 * double(image.size()) / double(n) * 4 / 3;
}

std::string packed(const std::vector<float>& image, const PackedPixels& p) {
    std::string bytes(2 * image.size(), '\0');
    for (std::size_t i = 0; i < image.size(); ++i) {
        const std::uint16_t code = code_of(image[i], p);
        bytes[i] = char(code >> 8), bytes[image.size() + i] = char(code & 255);
    }
    return base64(deflated(bytes));
}

}  // namespace

PackedPixels pack_pixels(const std::vector<float>& image, int width, int height, std::size_t most_bytes) {
    PackedPixels p;
    while (std::int64_t((width + p.bin - 1) / p.bin) * ((height + p.bin - 1) / p.bin) > most_pixels) ++p.bin;
    for (;; ++p.bin) {
        const std::vector<float> small = p.bin > 1 ? binned(image, width, height, p.bin) : std::vector<float>();
        const std::vector<float>& pixels = p.bin > 1 ? small : image;
        p.width = (width + p.bin - 1) / p.bin, p.height = (height + p.bin - 1) / p.bin;
        const PictureLevels levels = picture_levels(pixels);
        p.sky = levels.middle, p.noise = levels.noise, p.top = levels.top;
        for (const double fine : {16.0, 8.0, 4.0, 2.0, 1.4, 1.0, 0.7}) {
            p.per_e = 25 * fine, p.step_sky = 1 / fine, p.step_bright = 1 / p.per_e;
            p.unit = p.noise * p.step_sky * p.per_e;
            if (expected_bytes(pixels, p) > double(most_bytes)) continue;
            p.data = packed(pixels, p);
            if (p.data.size() <= most_bytes || p.width * p.height == 1) return p;
        }
    }
}

}  // namespace star
