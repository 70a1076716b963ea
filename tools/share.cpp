// Wilson's interval.
#include "tools/share.h"

#include <algorithm>
#include <cmath>

#include "kernels/check.h"

namespace star {

Share share_of(double hits, double all) {
    require(0 <= hits && hits <= all * (1 + 1e-9), "share_of: ", hits, " of ", all);
    if (all == 0) return {NAN, NAN, NAN};
    const double p = std::min(hits / all, 1.0), half = 0.5 / all, root = std::sqrt(p * (1 - p) / all + half * half);
    // Rounding must not put the share outside of its interval.
    return {p, std::min(p, (p + half - root) / (1 + 2 * half)), std::max(p, (p + half + root) / (1 + 2 * half))};
}

}  // namespace star
