// A PSF as wide as CSST's in g, its table small.
#pragma once
#include "sim/psf.h"

namespace star::test {

inline const Psf& csst_like() {
    static const Psf p = Psf::moffat_enclosing(0.8, 0.12 / 0.074, 3.0, {4, 12});
    return p;
}

}  // namespace star::test
