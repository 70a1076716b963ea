// Which field to draw.
#pragma once
#include <cstdint>

#include "kernels/check.h"

namespace star {

struct FieldSpec {
    int width = 0, height = 0;          ///< px
    double margin = 0;                  ///< px around the field from which light comes in
    std::uint64_t seed = 0, index = 0;  ///< number `index` of the fields of a seed
};

/// Throws Error naming `what` unless the field has pixels and a margin of 0...1e5 px.
inline void check_field(const FieldSpec& f, const char* what) {
    require(f.width > 0 && f.height > 0 && f.margin >= 0 && f.margin <= 1e5, what, ": a field of ", f.width, "x",
            f.height, ", margin ", f.margin);
}

}  // namespace star
