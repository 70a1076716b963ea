// Independent random streams for the parts of a simulated field.
#pragma once
#include <cstdint>

#include "kernels/random.h"

namespace star {

enum class Draw : std::uint64_t {
    places = 1,
    members,
    crowd,
    noise,
    labels,
    lessons,
    order
};  // never renumbered: it would change every field

/// The seed of one part of field `index`.
constexpr std::uint64_t seed_of(std::uint64_t seed, Draw part, std::uint64_t index) {
    const Random4 r = philox(seed, 0x7374617262ull << 8 | std::uint64_t(part), index);  // a stream of our own
    return std::uint64_t{r.x[0]} << 32 | r.x[1];
}

}  // namespace star
