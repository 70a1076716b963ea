// Smooth-L1 box loss in double precision, one coordinate at a time.
#pragma once
#include <cmath>

#include "kernels/types.h"

namespace star::reference {

struct BoxTerm {
    double loss, slope;
};

inline BoxTerm smooth_l1(double d, double beta) {
    if (std::fabs(d) < beta) return {d * d / (2 * beta), d / beta};
    return {std::fabs(d) - beta / 2, d > 0 ? 1.0 : d < 0 ? -1.0 : 0.0};
}

/// encode() in double: coordinate k of the target.
inline double target(Box t, Box a, int k) {
    const double tw = double(t.x1) - t.x0, th = double(t.y1) - t.y0, aw = double(a.x1) - a.x0, ah = double(a.y1) - a.y0;
    if (k == 0) return (0.5 * (double(t.x0) + t.x1) - 0.5 * (double(a.x0) + a.x1)) / aw;
    if (k == 1) return (0.5 * (double(t.y0) + t.y1) - 0.5 * (double(a.y0) + a.y1)) / ah;
    return k == 2 ? std::log(tw / aw) : std::log(th / ah);
}

/// How far a float evaluation of it may be off: two roundings of each centre and size, one of difference, ratio and
/// log.
inline double target_error(Box t, Box a, int k) {
    const double u = 0x1p-24, width = k % 2 ? double(a.y1) - a.y0 : double(a.x1) - a.x0;
    const double size =
        k % 2 ? std::fabs(double(t.y0)) + std::fabs(double(t.y1)) + std::fabs(double(a.y0)) + std::fabs(double(a.y1))
              : std::fabs(double(t.x0)) + std::fabs(double(t.x1)) + std::fabs(double(a.x0)) + std::fabs(double(a.x1));
    const double value = std::fabs(target(t, a, k));
    return k < 2 ? 2 * u * size / width + 4 * u * value
                 : 6 * u + 3 * u * value;  // sizes: one rounding each, exact boxes
}

}  // namespace star::reference
