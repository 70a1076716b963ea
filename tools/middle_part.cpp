// A copy of some rows.
#include "tools/middle_part.h"

#include <algorithm>

namespace star {
namespace {

constexpr int most_side = 1024;

}  // namespace

MiddlePart middle_part(const Observation& o) {
    MiddlePart m;
    m.width = std::min(o.image.width, most_side), m.height = std::min(o.image.height, most_side);
    m.x0 = (o.image.width - m.width) / 2, m.y0 = (o.image.height - m.height) / 2;
    for (int y = m.y0; y < m.y0 + m.height; ++y)
        for (int x = m.x0; x < m.x0 + m.width; ++x) {
            const std::size_t i = std::size_t(y) * std::size_t(o.image.width) + std::size_t(x);
            m.pixels.push_back(o.image.pixels[i]);
            m.mask.push_back(o.state(i));
        }
    return m;
}

}  // namespace star
