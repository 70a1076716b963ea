// A share of a count, with the interval that the count leaves.
#pragma once

namespace star {

struct Share {
    double value = 0;          ///< hits / all; NaN for none at all
    double low = 0, high = 0;  ///< 68 %: Wilson's interval at one standard deviation
};

/// (p + 1/2n -+ sqrt(p (1 - p) / n + 1/4n^2)) / (1 + 1/n), p = hits / n, n = all: a count, or of weighted rows the
/// count that would say as much, (sum w)^2 / sum w^2. Throws Error unless 0 <= hits <= all, but for rounding.
Share share_of(double hits, double all);

}  // namespace star
