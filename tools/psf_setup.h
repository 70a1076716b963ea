// The [psf] section of a configuration.
#pragma once
#include <optional>

#include "io/config.h"
#include "sim/detector_noise.h"
#include "sim/psf_map.h"

namespace star {

/// The PSF on native pixels of `pixel_scale` arcsec that psf.kind names: "gaussian", "moffat", "airy", "optical" or
/// "file". Every key is asked for whatever the kind, so that one layer of a configuration may change the kind of
/// another. Throws Error: Fault::usage for the configuration, Fault::input for the file.
Psf read_psf(Config&, double pixel_scale, const Exposure&);

/// psf.varying: the PSF of light changes over a field as the library psf.file says, a field's middle lying at
/// psf.position; nullopt if it doesn't. Asked for after read_psf().
std::optional<VaryingPsf> read_varying_psf(Config&, const Exposure&);

}  // namespace star
